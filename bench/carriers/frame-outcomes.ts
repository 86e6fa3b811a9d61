import { RelayFault } from '../../relay/wire/fault.ts'
import { RenditionId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** One line of a `SentLog`: a frame when its last packet was handed to the carrier. */
export interface SentFrame {
  readonly renditionId: RenditionId
  readonly timestamp: number
  readonly packets: number
  /** RTP headers and payloads. */
  readonly bytes: number
  /** Since the epoch. */
  readonly at: Millis
}

/** One line of an `ArrivalLog`: what came of a frame. */
export interface ArrivalRecord {
  readonly packets: number
  /** When the last of them came, since the epoch. */
  readonly at: Millis
}

const frameKey = (renditionId: string, timestamp: number): string => `${renditionId} ${timestamp}`

/** Lines of so many words, of which all but the first are numbers; a last one that is not whole is left out. */
function readLines(text: string, words: number): (readonly [string, ...number[]])[] {
  if (/^# \d+ omitted$/m.test(text)) throw new RelayFault('overloaded', 'a log was written faster than the disk took it')
  return text.split('\n').slice(0, -1).map(line => {
    const [first = '', ...rest] = line.split(' ')
    const numbers = rest.map(Number)
    if (numbers.length !== words - 1 || numbers.some(Number.isNaN)) throw new RelayFault('internal', `a log has the line ${JSON.stringify(line)}`)
    return [first, ...numbers] as const
  })
}

/** @throws {RelayFault} `overloaded` when lines were left out, `internal` for anything that is no such log. */
export function parseSentLog(text: string): SentFrame[] {
  return readLines(text, 5).map(([id, timestamp = 0, packets = 0, bytes = 0, at = 0]) => ({ renditionId: RenditionId.parse(id), timestamp, packets, bytes, at: millis(at) }))
}

/** @throws {RelayFault} as {@link parseSentLog}. */
export function parseArrivalLog(text: string): ReadonlyMap<string, ArrivalRecord> {
  return new Map(readLines(text, 4).map(([id, timestamp = 0, packets = 0, at = 0]) => [frameKey(id, timestamp), { packets, at: millis(at) }]))
}

/** Which frames are judged, and by what. */
export interface Judgement {
  /** Those that had left from here on and before there, since the epoch. */
  readonly from: Millis
  readonly to: Millis
  readonly renditions: ReadonlySet<RenditionId>
  /** From departure to completion, at most; without it every complete frame counts. */
  readonly budget: Millis | undefined
}

/** What became of one frame that departed. */
export interface FrameOutcome {
  readonly departedAt: Millis
  /** From departure to the arrival of the last of its packets; undefined when some never came. */
  readonly delay: Millis | undefined
  readonly isIntact: boolean
}

/** Joins what was sent with what came. A frame of which any packet is missing never completed. */
export function judgeFrames(sent: readonly SentFrame[], arrivals: ReadonlyMap<string, ArrivalRecord>, { from, to, renditions, budget }: Judgement): FrameOutcome[] {
  return sent
    .filter(({ renditionId, at }) => at >= from && at < to && renditions.has(renditionId))
    .map(({ renditionId, timestamp, packets, at }) => {
      const arrival = arrivals.get(frameKey(renditionId, timestamp))
      const delay = arrival !== undefined && arrival.packets >= packets ? millis(arrival.at - at) : undefined
      return { departedAt: at, delay, isIntact: delay !== undefined && (budget === undefined || delay <= budget) }
    })
}

/** Bytes of RTP that were handed to the carrier, of whatever rendition. */
export const sentBytes = (sent: readonly SentFrame[], { from, to }: Pick<Judgement, 'from' | 'to'>): number =>
  sent.reduce((sum, { at, bytes }) => (at >= from && at < to ? sum + bytes : sum), 0)
