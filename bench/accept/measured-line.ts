import type { AcceptanceMeasurement, LoadDirection, LossRun, PathMeasurement, StepResult } from './acceptance-measurement.ts'
import type { Shape } from './traffic-shape.ts'

/** One load, made up for a test: 15 s of 1,240-byte packets with nothing wrong, unless told otherwise. */
export interface MadeUpLoad {
  readonly direction?: LoadDirection
  readonly shape?: Shape
  readonly bitsPerSecond?: number
  readonly seconds?: number
  readonly lossRuns?: readonly LossRun[]
  /** Of the packets, where no runs are given: by themselves. */
  readonly lossRatio?: number
  readonly roundTripMillis?: number
  readonly queueMillis?: number
  readonly reorderedMillis?: number
}

const PACKET_BYTES = 1240
const flat = (value: number): { p50: number; p95: number; p99: number; max: number } => ({ p50: value, p95: value, p99: value, max: value })

/** A load as a measurement has it. */
export function madeUpLoad({ direction = 'out', shape = 'pyramid', bitsPerSecond = 120e6, seconds = 15, lossRuns, lossRatio = 0, roundTripMillis = 20, queueMillis = 0, reorderedMillis = 0 }: MadeUpLoad): StepResult {
  const sent = Math.round((bitsPerSecond * seconds) / 8 / PACKET_BYTES)
  const scattered = Math.round(lossRatio * sent)
  const runs = lossRuns ?? Array.from({ length: scattered }, (_, index) => ({ first: Math.floor((index * sent) / scattered), packets: 1, millis: 0.2 }))
  const received = sent - runs.reduce((sum, { packets }) => sum + packets, 0)
  const millis = 1000 * seconds
  return {
    direction, shape, targetBitsPerSecond: bitsPerSecond,
    departure: { sent, ipBytes: sent * PACKET_BYTES, millis, lateMillis: 1 },
    reception: {
      received, ipBytes: received * PACKET_BYTES, duplicates: 0, reordered: reorderedMillis > 0 ? 1 : 0, reorderedMillis, lossRuns: [...runs], lostInOtherRuns: 0,
      arrivalMillis: millis, longestGapMillis: 5, delayVariation: flat(queueMillis), sliceMillis: 100, slices: [], localDrops: 0,
    },
    roundTrip: flat(roundTripMillis + queueMillis), queue: flat(queueMillis), probes: { sent: millis / 10, answered: millis / 10 },
  }
}

const LOADS = [7, 20, 50, 80, 100, 120].map(rate => rate * 1e6)

/** A whole measurement of one path, made up for a test. @param change - Of each load, what is not as on a faultless line. */
export function madeUpMeasurement(change: (load: Required<Pick<MadeUpLoad, 'direction' | 'shape' | 'bitsPerSecond'>>) => MadeUpLoad = () => ({}), path: Partial<PathMeasurement> = {}): AcceptanceMeasurement {
  const steps = (['out', 'in'] as const).flatMap(direction =>
    (['pyramid', 'whole'] as const).flatMap(shape => LOADS.filter(rate => shape === 'pyramid' || rate >= 100e6).map(bitsPerSecond => madeUpLoad({ direction, shape, bitsPerSecond, ...change({ direction, shape, bitsPerSecond }) }))),
  )
  return {
    version: 1, line: 'made-up', isSimulated: false, startedAt: '2026-01-01T00:00:00.000Z', endedAt: '2026-01-01T00:05:00.000Z',
    paths: [{ name: 'first', idle: { roundTrip: flat(20), sent: 1000, answered: 1000 }, mtuBytes: 1500, steps, skipped: [], stability: [], ...path }],
    secondPath: [], recorded: { overview: 5e6, pyramid: 97e6, whole: 96e6 }, warnings: [],
  }
}

/** What a line of so many bits per second does to a load that is more: the rest is lost by itself, and a queue stands. */
export const beyond = (rate: number, load: number, queueMillis: number): MadeUpLoad => (load <= rate ? {} : { lossRatio: 1 - rate / load, queueMillis })
