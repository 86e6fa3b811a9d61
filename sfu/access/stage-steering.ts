import { byWhom } from './recorded-member.ts'
import type { AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { SessionId } from '../../relay/wire/ids.ts'
import type { RecordedMember } from './recorded-member.ts'

interface Steering {
  readonly member: RecordedMember
  readonly fromMillis: number
  moves: number
  refused: number
}

/** Gathers how members steer a stage, for one event of each. Reads no clock. */
export class StageSteering {
  readonly #steering = new Map<SessionId, Steering>()

  /** Somebody asked for a move. */
  asked(member: RecordedMember, sessionId: SessionId, nowMillis: number): void {
    this.#of(member, sessionId, nowMillis).moves++
  }

  /** What was asked last was refused. */
  refused(member: RecordedMember, sessionId: SessionId, nowMillis: number): void {
    const steering = this.#of(member, sessionId, nowMillis)
    steering.moves = Math.max(0, steering.moves - 1)
    steering.refused++
  }

  /** Events of what was asked since the last call. */
  take(nowMillis: number): AuditEventInput[] {
    const all = [...this.#steering.values()]
    this.#steering.clear()
    return all.map(({ member, fromMillis, moves, refused }) => ({ kind: 'steering', atMillis: nowMillis, ...byWhom(member), fromMillis, moves, refused }))
  }

  #of(member: RecordedMember, sessionId: SessionId, nowMillis: number): Steering {
    const known = this.#steering.get(sessionId)
    if (known !== undefined) return known
    const steering = { member, fromMillis: nowMillis, moves: 0, refused: 0 }
    this.#steering.set(sessionId, steering)
    return steering
  }
}
