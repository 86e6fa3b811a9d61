import { deliveredRate, lossRatio, offeredRate } from './acceptance-measurement.ts'
import type { StepResult } from './acceptance-measurement.ts'

/** Loss that is not worth explaining. */
const LOSSY = 0.003
/** A queue that is so much longer at the 99th percentile than with the smallest load is one that fills. */
const FILLING_QUEUE_MILLIS = 15
/** The same at its longest: shorter ones overflow, too. */
const SOME_QUEUE_MILLIS = 5
/** What does not fit is dropped here and there, by a full queue as by a policer; loss in long runs is something else. */
const MEAN_RUN_PACKETS = 50
/** Two loads of which as much arrives, within this, though one is larger by more than the second. */
const PLATEAU = { same: 0.05, larger: 0.1 } as const

const isLossy = (step: StepResult): boolean => lossRatio(step) > LOSSY

/**
 * Whether a load was more than the line carries: it lost packets, and either a queue stood before the loss, or a larger
 * or smaller load brought no more and no less. Loss without either is the line's own, at any rate.
 *
 * @param steps - All loads of the same path.
 */
export function isOverloaded(step: StepResult, steps: readonly StepResult[]): boolean {
  if (!isLossy(step)) return step.roundTrip === null
  if (step.roundTrip === null) return true
  const { lossRuns } = step.reception
  if (lossRuns.reduce((sum, { packets }) => sum + packets, 0) > MEAN_RUN_PACKETS * lossRuns.length) return false
  if (addedQueue(step, steps, 'p99') > FILLING_QUEUE_MILLIS) return true
  const rate = deliveredRate(step)
  return steps.some(other => other.direction === step.direction && other.shape === step.shape && isLossy(other) && ratio(offeredRate(other), offeredRate(step)) > PLATEAU.larger && ratio(deliveredRate(other), rate) < PLATEAU.same)
}

/**
 * Whether keyframes of a whole stream overflow a queue: every load of that shape loses packets while a queue is seen,
 * and pyramids of the same rates do not. Bursts of the line's own come when they like.
 */
export function isKeyframeLoss(step: StepResult, steps: readonly StepResult[]): boolean {
  if (step.shape !== 'whole' || !isLossy(step)) return false
  const inDirection = steps.filter(({ direction }) => direction === step.direction)
  return inDirection.filter(({ shape }) => shape === 'whole').every(whole => {
    const smooth = inDirection.find(other => other.shape === 'pyramid' && other.targetBitsPerSecond === whole.targetBitsPerSecond)
    return smooth !== undefined && isLossy(whole) && lossRatio(smooth) < lossRatio(whole) / 4 && addedQueue(whole, steps, 'max') > SOME_QUEUE_MILLIS
  })
}

/** By how much a load's queue is longer than that of the smallest load. */
function addedQueue(step: StepResult, steps: readonly StepResult[], at: 'p99' | 'max'): number {
  const [smallest] = steps.filter(({ direction }) => direction === step.direction).sort((a, b) => a.targetBitsPerSecond - b.targetBitsPerSecond)
  // One that was too much itself says nothing of the line without a queue.
  const usual = smallest === undefined || smallest === step || isLossy(smallest) ? 0 : (smallest.queue?.[at] ?? 0)
  return (step.queue?.[at] ?? Infinity) - usual
}

const ratio = (a: number, b: number): number => Math.abs(a - b) / Math.max(1, Math.min(a, b))
