import { inColumns, inMegabits, inMillis, inPercent } from './line-figures.ts'
import type { LineMeasurement } from './line-measurement.ts'
import type { LineWord, SayLine } from './line-words.ts'

/** How fit a path is for live microscopy, the best first. */
export const LINE_LEVELS = ['good', 'limits', 'unfit'] as const
export type LineLevel = (typeof LINE_LEVELS)[number]

/** One reason for a verdict. */
export interface LineFinding {
  readonly level: LineLevel
  readonly reason: LineWord
  /** What is put into the words. */
  readonly put: Readonly<Record<string, string | number>>
}

/** What somebody who has to decide on a line is told. */
export interface LineVerdict {
  readonly level: LineLevel
  /** At least one, the worst first. */
  readonly findings: readonly LineFinding[]
}

/** Lost after repair: above the first a picture freezes now and then, above the second all the time. */
const LOST = { limits: 0.0001, unfit: 0.01 } as const
/** Lost before repair, that it is worth saying: repair costs as much more traffic. */
const LOSSY = 0.05
/** Of the load, what has to arrive. */
const SHARE = { limits: 0.95, unfit: 0.5 } as const
/** Round trip under load for steering; the limits of ITU-T G.114 (150 and 400 ms), there for one way of speech. */
const ROUND_TRIP_MILLIS = { limits: 150, unfit: 400 } as const
const QUEUE_MILLIS = 50
/** IPv6 asks every line for so much. @see RFC 8200 section 5 */
const LEAST_MTU = 1280

const levelOf = (value: number, { limits, unfit }: { readonly limits: number; readonly unfit: number }): LineLevel => (value > unfit ? 'unfit' : value > limits ? 'limits' : 'good')

/** Judges one path. @param patienceSeconds - How long was waited for its first answer. */
export function judgeLine(line: LineMeasurement, patienceSeconds: number): LineVerdict {
  if (!line.isUp) return { level: 'unfit', findings: [{ level: 'unfit', reason: 'noAnswer', put: { n: patienceSeconds } }] }
  const load = inMegabits(line.loadBitsPerSecond)
  const lost = line.lossAfterRepairRatio ?? 0
  const arrived = 1 - line.droppedRatio
  const [idle, loaded] = [line.roundTripIdleMillis ?? 0, line.roundTripLoadedMillis ?? 0]
  const before = Math.max(line.lossRatio.in ?? 0, line.lossRatio.out ?? 0)
  const findings: LineFinding[] = [
    { level: levelOf(lost, LOST), reason: 'lossAfterRepair', put: { n: inPercent(lost) } },
    { level: levelOf(1 - arrived, { limits: 1 - SHARE.limits, unfit: 1 - SHARE.unfit }), reason: 'shortOfRate', put: { load, n: inPercent(arrived) } },
    { level: levelOf(loaded, ROUND_TRIP_MILLIS), reason: 'slow', put: { n: inMillis(loaded) } },
    { level: line.outages > 0 ? 'limits' : 'good', reason: 'outages', put: { n: line.outages } },
    { level: loaded - idle > QUEUE_MILLIS ? 'limits' : 'good', reason: 'queue', put: { n: inMillis(loaded - idle) } },
    { level: before > LOSSY ? 'limits' : 'good', reason: 'lossy', put: { n: inPercent(before) } },
    { level: line.mtuBytes < LEAST_MTU ? 'limits' : 'good', reason: 'smallMtu', put: { n: line.mtuBytes } },
  ]
  const bad = findings.filter(({ level }) => level !== 'good').sort((a, b) => LINE_LEVELS.indexOf(b.level) - LINE_LEVELS.indexOf(a.level))
  const [worst] = bad
  if (worst !== undefined) return { level: worst.level, findings: bad }
  return { level: 'good', findings: [{ level: 'good', reason: 'asWished', put: { load, n: inPercent(lost) } }] }
}

/** The worst of several levels: each path was asked about. */
export const worstLevel = (levels: readonly LineLevel[]): LineLevel => LINE_LEVELS.findLast(level => levels.includes(level)) ?? 'good'

/** A path's measurement and verdict as lines for a person. */
export function describeLine(line: LineMeasurement, { level, findings }: LineVerdict, say: SayLine): string[] {
  const headline = `${say('path', { path: line.path })}: ${say(level)}`
  const reasons = findings.map(({ reason, put }) => `  ${say(reason, put)}`)
  if (!line.isUp) return [headline, ...reasons]
  const { delayVariationMillis: variation, lossRatio: loss } = line
  const rows: readonly (readonly [LineWord, string])[] = [
    ['roundTrip', say('roundTripOf', { idle: inMillis(line.roundTripIdleMillis), loaded: inMillis(line.roundTripLoadedMillis) })],
    ['loss', say('lossOf', { out: inPercent(loss.out), in: inPercent(loss.in) })],
    ['afterRepair', inPercent(line.lossAfterRepairRatio)],
    ['variation', say('lossOf', { out: inMillis(variation.out), in: inMillis(variation.in) })],
    ['throughput', say('throughputOf', { load: inMegabits(line.loadBitsPerSecond), n: inMegabits(line.throughputBitsPerSecond) })],
    ['capacity', line.capacityBitsPerSecond === null ? say('noLimit') : inMegabits(line.capacityBitsPerSecond)],
    ['mtu', `${line.mtuBytes} B`],
    ['clockOffset', say('clockOffsetOf', { n: inMillis(line.clockOffsetMillis) })],
    ['outageCount', String(line.outages)],
  ]
  return [headline, ...reasons, ...inColumns(rows.map(([word, value]) => [say(word), value]), '    ')]
}
