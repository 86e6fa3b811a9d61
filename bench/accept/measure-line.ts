import { stampClock } from '../../relay/links/measurement/stamp-clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { MeasuringPath } from './measuring-path.ts'
import { DIRECTIONS, lossRatio } from './acceptance-measurement.ts'
import { isOverloaded } from './line-limit.ts'
import { shapeRate } from './traffic-shape.ts'
import type { AcceptanceMeasurement, PathMeasurement, SecondPathEffect, StepResult } from './acceptance-measurement.ts'
import type { AcceptancePlan, PlannedLoad } from './acceptance-plan.ts'
import type { PathOptions } from './measuring-path.ts'
import type { RecordedShapes } from './traffic-shape.ts'

/** Beyond this a line has shown its limit: more would only harm whoever else uses it. */
const LIMIT_LOSS = 0.3
/** What is lost at a machine's own sockets, and how late it sends: beyond this it measured itself. */
const DISTURBED = { localDrops: 0.0005, lateMillis: 15 } as const
const TRIES = 3
/** A clock that is set by more than this while it measures: whoever compares with other logs would be misled. */
const MOST_CLOCK_STEP_MILLIS = 500
/** A load passes for a stability run when so little of it was lost. */
const HOLDABLE_LOSS = 0.01

/** What a run is made of. */
export interface MeasureOptions {
  readonly line: string
  readonly isSimulated: boolean
  readonly paths: readonly [PathOptions, ...PathOptions[]]
  readonly plan: AcceptancePlan
  readonly shapes: RecordedShapes
  readonly say: (line: string) => void
  /** Loads that leave later than this, at the 99th percentile, are measured again; 15 without it. */
  readonly mostLateMillis?: number
  /** What the wall clock says, milliseconds since the epoch. */
  readonly wallClock?: () => number
}

/**
 * Measures a line from end to end. All of it, or nothing: whatever goes wrong ends it with a fault.
 *
 * @throws {RelayFault} `unavailable` when the far end disappears, this machine is too busy or its clock was set;
 *   `timeout`; the signal's reason.
 */
export async function measureLine(options: MeasureOptions, signal: AbortSignal): Promise<AcceptanceMeasurement> {
  const { plan, shapes, wallClock = Date.now } = options
  const startedAt = new Date(wallClock())
  const ahead = wallClock() - stampClock()
  const checkClock = (): void => {
    if (Math.abs(wallClock() - stampClock() - ahead) > MOST_CLOCK_STEP_MILLIS) throw new RelayFault('unavailable', "this machine's clock was set while it measured: no verdict. Measure again when it is steady")
  }
  const paths: PathMeasurement[] = []
  for (const path of options.paths) paths.push(await measurePath(path, { ...options, plan: paths.length === 0 ? plan : { ...plan, windows: 0 } }, checkClock, signal))
  const secondPath = options.paths.length > 1 ? await measureTogether(options, signal) : []
  checkClock()
  const tracks = Object.values(shapes.pyramid)
  const overview = shapes.pyramid['overview']
  return {
    version: 1, line: options.line, isSimulated: options.isSimulated, startedAt: startedAt.toISOString(), endedAt: new Date(wallClock()).toISOString(),
    paths, secondPath,
    recorded: {
      overview: overview === undefined ? 0 : shapeRate([overview], shapes.framesPerSecond),
      pyramid: shapeRate(tracks, shapes.framesPerSecond),
      whole: shapeRate([shapes.whole], shapes.framesPerSecond),
    },
    warnings: [],
  }
}

async function measurePath(options: PathOptions, { plan, say, mostLateMillis = DISTURBED.lateMillis }: MeasureOptions, checkClock: () => void, signal: AbortSignal): Promise<PathMeasurement> {
  await using path = await MeasuringPath.open(options, signal)
  say(`${options.name}: without load`)
  const idle = await path.idle(plan.idleMillis, signal)
  const mtuBytes = await path.mtu(signal)
  const steps: StepResult[] = []
  const skipped: PlannedLoad[] = []
  const measure = async (load: PlannedLoad, durationMillis: number): Promise<StepResult> => {
    checkClock()
    say(`${options.name}: ${load.bitsPerSecond / 1e6} Mbit/s ${load.direction}, ${load.shape}`)
    return await undisturbed(() => path.load(load, durationMillis, signal), mostLateMillis, say)
  }
  for (const load of plan.loads) {
    if (steps.some(step => step.direction === load.direction && isOverloaded(step, steps) && (lossRatio(step) > LIMIT_LOSS || step.roundTrip === null))) skipped.push(load)
    else steps.push(await measure(load, plan.stepMillis))
  }
  const stability: StepResult[] = []
  for (let window = 0; window < plan.windows; window++) {
    const direction = DIRECTIONS[window % 2] ?? 'out'
    const held = steps.findLast(step => step.direction === direction && step.shape === 'pyramid' && lossRatio(step) < HOLDABLE_LOSS)
    if (held !== undefined) stability.push(await measure({ direction, shape: 'pyramid', bitsPerSecond: held.targetBitsPerSecond }, plan.windowMillis))
  }
  return { name: options.name, idle, mtuBytes, steps, skipped: skipped.map(({ direction, shape, bitsPerSecond }) => ({ direction, shape, targetBitsPerSecond: bitsPerSecond })), stability }
}

/** Once more when this machine disturbed it. @throws {RelayFault} `unavailable` when it always does. */
async function undisturbed(measure: () => Promise<StepResult>, mostLateMillis: number, say: (line: string) => void): Promise<StepResult> {
  for (let attempt = 1; ; attempt++) {
    const step = await measure()
    const { departure, reception } = step
    const isLate = departure.lateMillis > mostLateMillis
    if (!isLate && reception.localDrops <= DISTURBED.localDrops * departure.sent) return step
    if (attempt === TRIES) throw new RelayFault('unavailable', `the machine at one end is too busy to measure: its loads left ${departure.lateMillis.toFixed(0)} ms late, or its kernel dropped ${reception.localDrops} datagrams. No verdict`)
    say('disturbed by the machine itself, once more')
  }
}

/** Every datagram on both paths at once, at each rate of a pyramid, away from here. */
async function measureTogether({ paths: [first, second], plan, say }: MeasureOptions, signal: AbortSignal): Promise<SecondPathEffect[]> {
  if (second === undefined) return []
  await using one = await MeasuringPath.open(first, signal)
  await using other = await MeasuringPath.open(second, signal)
  const effects: SecondPathEffect[] = []
  for (const load of plan.loads.filter(({ direction, shape }) => direction === 'out' && shape === 'pyramid')) {
    say(`both paths: ${load.bitsPerSecond / 1e6} Mbit/s on each`)
    const also = await other.expectAlso(load, plan.stepMillis, signal)
    const step = await one.load(load, plan.stepMillis, signal, also.send)
    const reception = await also.tell(step.departure.sent)
    const lostFirst = lostNumbers(step.reception.lossRuns)
    const lostSecond = lostNumbers(reception.lossRuns)
    effects.push({ direction: 'out', targetBitsPerSecond: load.bitsPerSecond, sent: step.departure.sent, lostFirst: lostFirst.size, lostSecond: lostSecond.size, lostBoth: lostFirst.intersection(lostSecond).size })
    if (lostFirst.size > LIMIT_LOSS * step.departure.sent && lostSecond.size > LIMIT_LOSS * step.departure.sent) break
  }
  return effects
}

const lostNumbers = (runs: readonly { readonly first: number; readonly packets: number }[]): Set<number> => new Set(runs.flatMap(({ first, packets }) => Array.from({ length: packets }, (_, index) => first + index)))
