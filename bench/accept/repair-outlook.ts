import { decideFec, parityResidual, retransmissionResidual, TOLERATED_RESIDUAL } from '../../relay/links/repair/fec-policy.ts'
import { MAX_PARITY_SYMBOLS } from '../../relay/links/repair/reed-solomon.ts'
import { millis } from '../../relay/wire/units.ts'
import type { StepResult } from './acceptance-measurement.ts'

/** From the end of a burst, until a request for it leaves. @see relay/links/repair/fec-policy.ts */
const SLACK_MILLIS = 5

/** How long a packet may be on its way, repair included. @see docs/LINKS.md, "Deadline" */
export const deadlineMillis = (roundTripMillis: number): number => Math.min(500, Math.max(60, 4 * roundTripMillis))

/** What a link's repair can make of the loss that was measured. Ratios are of all packets sent. */
export interface RepairOutlook {
  /** Before repair. */
  readonly lossRatio: number
  /** In bursts that last too long for retransmission within the deadline, and are too large for parity. */
  readonly uncoveredRatio: number
  /** Missing at the deadline. */
  readonly residualRatio: number
  /** Parity that the rest takes, per packet. */
  readonly parityRatio: number
  readonly longestRunMillis: number
  /** A burst may last so long and still be repaired: deadline less one and a half round trips and the slack. */
  readonly coverMillis: number
  readonly budgetMillis: number
  /** How late the latest overtaken packet came. */
  readonly reorderedMillis: number
}

/**
 * Puts the loss of some loads of one direction together, since bursts are rare, and asks what is left after repair.
 *
 * The first packet of a burst of `d` was sent at 0; that it is missing shows when what follows the burst arrives, at
 * d + RTT/2; the request takes RTT/2, the answer as long: it is back at d + 1.5 RTT. Bursts of up to 12 packets are
 * within what parity can hold. Everything else follows a link's own policy for its measured loss.
 */
export function repairOutlook(steps: readonly StepResult[]): RepairOutlook {
  const sent = sum(steps.map(({ departure }) => departure.sent))
  const roundTrip = median(steps.flatMap(step => (step.roundTrip === null ? [] : [step.roundTrip.p50])))
  const budget = deadlineMillis(roundTrip)
  const reorderedMillis = Math.max(0, ...steps.map(({ reception }) => reception.reorderedMillis))
  const coverMillis = budget - 1.5 * roundTrip - SLACK_MILLIS
  const runs = steps.flatMap(({ reception }) => reception.lossRuns)
  const uncovered = sum(runs.filter(run => run.millis > coverMillis && run.packets > MAX_PARITY_SYMBOLS).map(run => run.packets))
  const lost = sum(steps.map(({ departure, reception }) => Math.max(0, departure.sent - reception.received)))
  const known = { budgetMillis: budget, coverMillis, reorderedMillis, longestRunMillis: runs.reduce((longest, run) => Math.max(longest, run.millis), 0) }
  if (sent === 0 || lost === 0) return { lossRatio: 0, uncoveredRatio: 0, residualRatio: 0, parityRatio: 0, ...known }
  const covered = Math.max(0, lost - uncovered)
  const coveredRuns = Math.max(1, runs.filter(run => !(run.millis > coverMillis && run.packets > MAX_PARITY_SYMBOLS)).length)
  const conditions = {
    lossRatio: covered / sent, meanBurst: Math.max(1, covered / coveredRuns), budget: millis(budget), roundTrip: millis(roundTrip),
    packetsPerSecond: (1000 * sent) / Math.max(1, sum(steps.map(({ departure }) => departure.millis))),
  }
  const { residual, parity } = repairable(conditions)
  return { lossRatio: lost / sent, uncoveredRatio: uncovered / sent, residualRatio: uncovered / sent + residual, parityRatio: parity, ...known }
}

function repairable(conditions: Parameters<typeof decideFec>[0]): { readonly residual: number; readonly parity: number } {
  if (conditions.lossRatio === 0) return { residual: 0, parity: 0 }
  const retransmitted = retransmissionResidual(conditions)
  const settings = retransmitted > TOLERATED_RESIDUAL ? decideFec(conditions) : undefined
  if (settings === undefined) return { residual: retransmitted, parity: 0 }
  const roundsFailing = retransmitted / conditions.lossRatio
  return { residual: Math.min(retransmitted, parityResidual(settings, conditions.lossRatio, conditions.meanBurst) * roundsFailing), parity: settings.m / settings.k }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}
