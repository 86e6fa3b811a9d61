import { CLASS_REPORT_FIELDS } from '../../relay/links/carrier/frames.ts'
import { millis } from '../../relay/wire/units.ts'
import type { ClassReport } from '../../relay/links/carrier/frames.ts'
import type { Direction, LinkSnapshot, PathSnapshot, PathTotals } from '../../relay/links/measurement/link-snapshot.ts'

/** With a capacity below so many times the load, the line was the limit. A fresh path is taken to carry more than anybody has seen. */
const LIMIT_FACTOR = 1.1

/** What one path was measured to be. Ratios are 0 to 1; what could not be measured is null. */
export interface LineMeasurement {
  readonly path: string
  /** Whether it answered at all. */
  readonly isUp: boolean
  /** Median of the smoothed round trip (RFC 6298) without load, and under it. */
  readonly roundTripIdleMillis: number | null
  readonly roundTripLoadedMillis: number | null
  /** 95th percentile of one-way delay over the shortest, under load: the largest second. */
  readonly delayVariationMillis: Readonly<Record<Direction, number | null>>
  /** Before repair, under load. `out` is away from here. */
  readonly lossRatio: Readonly<Record<Direction, number | null>>
  /** Of the load, what the node's end gave up at its deadline, over what it got and gave up. */
  readonly lossAfterRepairRatio: number | null
  /** Of the load, what was dropped here because the line had no room in time. */
  readonly droppedRatio: number
  readonly loadBitsPerSecond: number
  /** What of the load arrived per second, with everything around it. */
  readonly throughputBitsPerSecond: number | null
  /** What the line carries; null where the load did not reach its limit, or there is no line: both ends are one machine. */
  readonly capacityBitsPerSecond: number | null
  readonly mtuBytes: number
  /** The node's clock less this machine's. */
  readonly clockOffsetMillis: number | null
  /** Times that it fell silent. */
  readonly outages: number
}

/** What {@link LineRecorder} takes in. */
export interface LineReading {
  readonly snapshot: Pick<LinkSnapshot, 'paths' | 'classes'>
  /** What the node said last of the class `live`. */
  readonly reported: ClassReport | undefined
}

/** Makes a {@link LineMeasurement} of what a link of one path says. Does no I/O and reads no clock. */
export class LineRecorder {
  readonly #path: string
  readonly #load: number
  readonly #idle: number[] = []
  readonly #loaded: number[] = []
  readonly #variation: Record<Direction, number | null> = { in: null, out: null }
  #before: PathSnapshot | undefined

  /** @param load - That is going to be sent, in bits per second. */
  constructor(path: string, load: number) {
    this.#path = path
    this.#load = load
  }

  /** Takes a reading of the line without load. */
  idle(reading: LineReading): void {
    const path = this.#take(reading)
    if (path?.state !== 'up') return
    this.#before = path
    if (path.roundTrip !== undefined) this.#idle.push(path.roundTrip)
  }

  /** Takes a reading of the line under load. */
  loaded(reading: LineReading): void {
    const path = this.#take(reading)
    if (path?.state !== 'up') return
    this.#before ??= path
    if (path.roundTrip !== undefined) this.#loaded.push(path.roundTrip)
    for (const direction of ['in', 'out'] as const) this.#variation[direction] = Math.max(this.#variation[direction] ?? 0, path.gauges[direction].delayVariation.p95)
  }

  /** Takes the last reading, some time after the load has ended, when all is known of it. @param duration - Of the load. */
  final(reading: LineReading, duration = millis(0)): LineMeasurement {
    const path = this.#take(reading)
    const live = reading.snapshot.classes.find(each => each.class === 'live')?.totals.out
    const offered = (live?.packets ?? 0) + (live?.droppedPackets ?? 0)
    const arrived = (path?.totals.out.bytes ?? 0) - (this.#before?.totals.out.bytes ?? 0)
    const known = path?.capacity ?? null
    const isLimit = known !== null && known < LIMIT_FACTOR * this.#load
    return {
      path: this.#path,
      isUp: this.#before !== undefined,
      roundTripIdleMillis: median(this.#idle),
      roundTripLoadedMillis: median(this.#loaded),
      delayVariationMillis: this.#variation,
      lossRatio: { in: this.#loss(path, 'in'), out: this.#loss(path, 'out') },
      lossAfterRepairRatio: lossAfterRepair(reading.reported),
      droppedRatio: offered === 0 ? 0 : (live?.droppedPackets ?? 0) / offered,
      loadBitsPerSecond: this.#load,
      throughputBitsPerSecond: duration > 0 ? (8000 * arrived) / duration : null,
      capacityBitsPerSecond: isLimit ? known : null,
      mtuBytes: path?.mtu ?? 0,
      clockOffsetMillis: path?.clockOffset ?? null,
      outages: path?.outages ?? 0,
    }
  }

  #take({ snapshot }: LineReading): PathSnapshot | undefined {
    return snapshot.paths.find(({ path }) => path === this.#path)
  }

  #loss(path: PathSnapshot | undefined, direction: Direction): number | null {
    const before = this.#before?.totals[direction]
    const after = path?.totals[direction]
    if (before === undefined || after === undefined) return null
    const sent = sentPackets(after) - sentPackets(before)
    return sent <= 0 ? null : (after.lostPackets - before.lostPackets) / sent
  }
}

const sentPackets = ({ packets, duplicatePackets, lostPackets }: PathTotals): number => packets - duplicatePackets + lostPackets

function lossAfterRepair(report: ClassReport | undefined): number | null {
  if (report === undefined) return null
  const value = (field: (typeof CLASS_REPORT_FIELDS)[number]): number => report.values[CLASS_REPORT_FIELDS.indexOf(field)] ?? 0
  const [arrived, missed] = [value('packets'), value('deadlineMisses')]
  return arrived + missed === 0 ? null : missed / (arrived + missed)
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null
}
