/** What an acceptance measured, as ends tell it each other and as the JSON document has it. */
import { z } from 'zod'
import { SHAPES } from './traffic-shape.ts'

const Count = z.int().min(0)
const Amount = z.number().min(0)

/** Quantiles of some delays, in milliseconds. */
export const Delays = z.strictObject({ p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() })
export type Delays = z.infer<typeof Delays>

/** Directions as the measuring end sees them: `out` is away from it. */
export const DIRECTIONS = ['out', 'in'] as const
export type LoadDirection = (typeof DIRECTIONS)[number]

/** Packets lost in a row. */
export const LossRun = z.strictObject({
  /** Number of the first. */
  first: Count,
  packets: Count,
  /** From the departure of what arrived before to that of what arrived after: how long nothing got through, at least. */
  millis: Amount,
})
export type LossRun = z.infer<typeof LossRun>

/** Runs that a reception tells one by one; the rest it only counts. */
export const MOST_RUNS = 5000
/** Slices of a series. */
export const MOST_SLICES = 400

/** What came of one load, as the end that it came to knows it. */
export const Reception = z.strictObject({
  received: Count,
  /** Of IP packets. */
  ipBytes: Amount,
  duplicates: Count,
  /** Datagrams that came after a later one. @see RFC 4737 section 3.3 */
  reordered: Count,
  /** How long after the first later one the latest of them came. */
  reorderedMillis: Amount,
  lossRuns: z.array(LossRun).max(MOST_RUNS),
  /** Packets of runs that are not among them. */
  lostInOtherRuns: Count,
  /** From the first arrival to the last: longer than the load where a queue emptied after it. */
  arrivalMillis: Amount,
  /** Between two arrivals. */
  longestGapMillis: Amount,
  /** One-way delay over the shortest of this load; needs no clocks that agree. @see RFC 5481 section 4.2 */
  delayVariation: Delays.nullable(),
  /** In equal slices of the load's time, by departure: arrived bits per second, lost packets, longest delay variation. */
  sliceMillis: Amount,
  slices: z.array(z.strictObject({ bitsPerSecond: Amount, lost: Count, delayMillis: Amount })).max(MOST_SLICES),
  /** Datagrams that the receiving machine's kernel dropped: no fault of the line. */
  localDrops: Count,
})
export type Reception = z.infer<typeof Reception>

/** What left of one load, as the end that sent it knows it. */
export const Departure = z.strictObject({
  sent: Count,
  ipBytes: Amount,
  /** From the first to the last departure. */
  millis: Amount,
  /** How late they left by the schedule, 99th percentile. */
  lateMillis: Amount,
})
export type Departure = z.infer<typeof Departure>

/** One load in one direction. */
export const StepResult = z.strictObject({
  direction: z.enum(DIRECTIONS),
  shape: z.enum(SHAPES),
  /** Of IP packets, on average over a whole recording. */
  targetBitsPerSecond: Amount,
  departure: Departure,
  reception: Reception,
  /** By STAMP beside the load. Null when no probe came back. */
  roundTrip: Delays.nullable(),
  /** By STAMP, in the direction of the load: over the shortest one-way delay without load. */
  queue: Delays.nullable(),
  probes: z.strictObject({ sent: Count, answered: Count }),
})
export type StepResult = z.infer<typeof StepResult>

/** One path, measured from end to end. */
export const PathMeasurement = z.strictObject({
  name: z.string(),
  /** Without load, by STAMP. */
  idle: z.strictObject({ roundTrip: Delays, sent: Count, answered: Count }),
  /** The largest IP packet of those tried that came through both ways. */
  mtuBytes: z.int().nullable(),
  steps: z.array(StepResult),
  /** Loads that were left out since a smaller one showed the limit of the direction. */
  skipped: z.array(z.strictObject({ direction: z.enum(DIRECTIONS), shape: z.enum(SHAPES), targetBitsPerSecond: Amount })),
  /** With `--hours`: windows at one rate, one after the other. */
  stability: z.array(StepResult),
})
export type PathMeasurement = z.infer<typeof PathMeasurement>

/** What two paths do together: every datagram left on both at once. */
export const SecondPathEffect = z.strictObject({
  direction: z.enum(DIRECTIONS),
  targetBitsPerSecond: Amount,
  sent: Count,
  /** Lost on each, and on both: what is left to repair when every packet travels twice. */
  lostFirst: Count,
  lostSecond: Count,
  lostBoth: Count,
})
export type SecondPathEffect = z.infer<typeof SecondPathEffect>

/** Everything that one run measured. Without all of it there is no verdict. */
export const AcceptanceMeasurement = z.strictObject({
  version: z.literal(1),
  line: z.string(),
  /** An emulated line: it says how kenkyo judges, not what any hospital has. */
  isSimulated: z.boolean(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  paths: z.array(PathMeasurement).min(1).max(2),
  secondPath: z.array(SecondPathEffect),
  /** What the load was made of, in bits per second of IP packets. */
  recorded: z.strictObject({ overview: Amount, pyramid: Amount, whole: Amount }),
  warnings: z.array(z.string()),
})
export type AcceptanceMeasurement = z.infer<typeof AcceptanceMeasurement>

/** Datagrams that left and did not arrive. */
export const lostPackets = ({ departure, reception }: Pick<StepResult, 'departure' | 'reception'>): number => Math.max(0, departure.sent - reception.received)

/** Of those that left. */
export const lossRatio = (step: Pick<StepResult, 'departure' | 'reception'>): number => (step.departure.sent === 0 ? 0 : lostPackets(step) / step.departure.sent)

/** What left, and what arrived of it, in bits per second of IP packets. */
export const offeredRate = ({ departure }: Pick<StepResult, 'departure'>): number => (departure.millis === 0 ? 0 : (8000 * departure.ipBytes) / departure.millis)
export const deliveredRate = ({ departure, reception }: Pick<StepResult, 'departure' | 'reception'>): number => (departure.millis === 0 ? 0 : (8000 * reception.ipBytes) / Math.max(departure.millis, reception.arrivalMillis))
