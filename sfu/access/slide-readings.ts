import { byWhom } from './recorded-member.ts'
import type { AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'
import type { RecordedMember } from './recorded-member.ts'

interface LevelReading {
  readonly level: number
  tiles: number
  area: { left: number; top: number; right: number; bottom: number }
}

interface Reading {
  readonly member: RecordedMember
  readonly slideId: SlideId
  readonly fromMillis: number
  readonly levels: Map<number, LevelReading>
}

/** Gathers what each member was sent of each slide, for one event of each. Reads no clock. */
export class SlideReadings {
  readonly #readings = new Map<string, Reading>()

  /** Members and slides that there is something to say of. */
  get size(): number {
    return this.#readings.size
  }

  /** One tile was sent. */
  sent(member: RecordedMember, slideId: SlideId, level: number, { column, row }: TilePosition, nowMillis: number): void {
    const key = `${member.consultationId} ${member.memberId} ${member.grantId ?? ''} ${slideId}`
    let reading = this.#readings.get(key)
    if (reading === undefined) this.#readings.set(key, (reading = { member, slideId, fromMillis: nowMillis, levels: new Map<number, LevelReading>() }))
    const known = reading.levels.get(level)
    if (known === undefined) {
      reading.levels.set(level, { level, tiles: 1, area: { left: column, top: row, right: column, bottom: row } })
      return
    }
    const { left, top, right, bottom } = known.area
    known.tiles++
    known.area = { left: Math.min(left, column), top: Math.min(top, row), right: Math.max(right, column), bottom: Math.max(bottom, row) }
  }

  /** Events of what was sent since the last call. */
  take(nowMillis: number): AuditEventInput[] {
    const readings = [...this.#readings.values()]
    this.#readings.clear()
    return readings.map(({ member, slideId, fromMillis, levels }) => {
      const byLevel = [...levels.values()].sort((a, b) => a.level - b.level)
      const tiles = byLevel.reduce((sum, level) => sum + level.tiles, 0)
      return { kind: 'reading', atMillis: nowMillis, ...byWhom(member), slideId, fromMillis, tiles, levels: byLevel }
    })
  }
}
