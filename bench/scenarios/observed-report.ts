import { RelayFault } from '../../relay/wire/fault.ts'
import { mean } from '../statistics.ts'
import type { LineCounts } from '../lines/line-counts.ts'
import type { DirectionObservation } from '../observers/line-observation.ts'
import type { FigureSheet } from '../report.ts'
import type { Reading } from './link-metrics-reading.ts'

/** How well metrics have to agree with whoever else watched. */
const GOALS = { ratio: { relation: '<=', bound: 0.02 }, seconds: { relation: '<=', bound: 0.001 } } as const
/** Fewer losses than these say nothing about two in a hundred. */
const FEWEST_LOSSES = 100

const DIRECTIONS = ['in', 'out'] as const

/** What one direction of the line was seen to do. */
interface Seen {
  readonly observed: DirectionObservation
  /** The emulator's counts around the window. */
  readonly before: LineCounts
  readonly after: LineCounts
}

/** What is compared. */
export interface Agreement {
  /** The metrics, once a second: at least the first and the last. */
  readonly readings: readonly Reading[]
  readonly directions: Readonly<Record<'in' | 'out', Seen>>
  readonly roundTrips: { readonly ping: readonly number[]; readonly knownSeconds: number }
}

const errorRatio = (told: number, seen: number): number => Math.abs(told - seen) / seen

/**
 * Adds how far the metrics are off what observers saw.
 *
 * @throws {RelayFault} `unavailable` when the link was opened anew meanwhile: then its counts began anew, too.
 */
export function reportAgreement(sheet: FigureSheet, { readings, directions, roundTrips }: Agreement): void {
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined || first === last) throw new Error('two readings make a window')
  if (first.openedAtSeconds !== last.openedAtSeconds) throw new RelayFault('unavailable', 'the link was opened anew while it was observed')
  for (const direction of DIRECTIONS) reportDirection(sheet, direction, directions[direction], readings, first, last)

  const told = readings.map(({ roundTripSeconds }) => roundTripSeconds)
  const [toldMean, seenMean] = [mean(told), mean(roundTrips.ping)]
  sheet.add(
    {
      name: 'observed_round_trip_error_seconds', unit: 's', value: Math.abs(toldMean - seenMean), goal: GOALS.seconds,
      note: `metrics ${milliseconds(toldMean)}, ping ${milliseconds(seenMean)} (means), the line's own ${milliseconds(roundTrips.knownSeconds)}`,
    },
    told.map(each => Math.abs(each - seenMean)),
  )
}

function reportDirection(sheet: FigureSheet, direction: 'in' | 'out', { observed, before, after }: Seen, readings: readonly Reading[], first: Reading, last: Reading): void {
  const bytes = last.bytes[direction] - first.bytes[direction]
  const packets = last.packets[direction] - first.packets[direction]
  const lost = last.lost[direction] - first.lost[direction]
  const seconds = (last.at - first.at) / 1000
  const emulated = {
    bytes: after.deliveredBytes - before.deliveredBytes - observed.others.bytes,
    lost: after.lost - before.lost + after.queueFull - before.queueFull - (observed.others.sent - observed.others.packets),
  }
  const throughput = (observer: string, seen: number, note: string): void =>
    sheet.add({ name: 'observed_throughput_error_ratio', labels: { direction, observer }, unit: 'ratio', value: errorRatio(bytes, seen), goal: GOALS.ratio, note }, [errorRatio(bytes, seen)])
  throughput('capture', observed.bytes, `${bytes} bytes and ${packets} packets by the metrics, ${observed.bytes} and ${observed.packets} seen to arrive`)
  throughput('emulator', emulated.bytes, `${emulated.bytes} bytes delivered, others' left out`)
  const gauge = mean(readings.slice(1).map(each => each.throughput[direction]))
  sheet.add(
    { name: 'observed_throughput_gauge_error_ratio', labels: { direction }, unit: 'ratio', value: errorRatio(gauge, observed.bytes / seconds), goal: GOALS.ratio, note: 'mean of what the gauge showed each second, beside the capture' },
    [errorRatio(gauge, observed.bytes / seconds)],
  )
  sheet.add(
    {
      name: 'observed_loss_error_ratio', labels: { direction }, unit: 'ratio', value: errorRatio(lost, observed.lost), ...(observed.lost >= FEWEST_LOSSES ? { goal: GOALS.ratio } : {}),
      note: `${lost} lost by the metrics; ${observed.lost} of ${observed.sent} by the captures and ${emulated.lost} by the emulator: the same packets, so chance has no part in it`,
    },
    [errorRatio(lost, observed.lost)],
  )
  if (after.overruns > before.overruns) sheet.warnings.push(`the kernel dropped ${after.overruns - before.overruns} packets (${direction}) before the emulator saw them`)
}

const milliseconds = (seconds: number): string => `${(seconds * 1000).toFixed(2)} ms`
