import { millis } from '../../wire/units.ts'
import { Hysteresis } from './hysteresis.ts'
import type { TrafficContract } from '../../wire/link.ts'
import type { Millis } from '../../wire/units.ts'
import type { ClassSnapshot } from './link-snapshot.ts'
import type { Finding } from './path-watch.ts'

/** More of a class lost after all repair, or dropped before sending, is more than a decoder gets over unseen. */
export const TOLERATED_LOSS_RATIO = 0.001
const DEGRADED_AFTER = millis(1000)
const RECOVERED_AFTER = millis(5000)

/**
 * Finds out when one class of traffic gets less than its contract: packets that came too late or not at all, packets
 * dropped before sending, or a wait beyond the contract's bound, for more than a second. Does no I/O and reads no clock.
 */
export class ClassWatch {
  readonly #contract: TrafficContract
  readonly #alarm = new Hysteresis(DEGRADED_AFTER, RECOVERED_AFTER)
  #last: ClassSnapshot['totals'] | undefined

  constructor(contract: TrafficContract) {
    this.#contract = contract
  }

  /** Takes the class as it is. */
  observe({ totals, queueDelay }: ClassSnapshot, now: Millis): Finding[] {
    const before = this.#last ?? totals
    this.#last = totals
    const deadlineMisses = grown(totals.in.deadlineMisses, before.in.deadlineMisses)
    const droppedPackets = grown(totals.out.droppedPackets, before.out.droppedPackets)
    const lossAfterRepairRatio = part(deadlineMisses, grown(totals.in.packets, before.in.packets))
    const droppedRatio = part(droppedPackets, grown(totals.out.packets, before.out.packets))
    const { queueDelayMillis: promisedQueueDelayMillis } = this.#contract
    const isBad = Math.max(lossAfterRepairRatio, droppedRatio) > TOLERATED_LOSS_RATIO || queueDelay > promisedQueueDelayMillis
    const degradedAt = this.#alarm.raisedAt
    const verdict = this.#alarm.observe(isBad, now)
    if (verdict === undefined) return []
    const evidence = { lossAfterRepairRatio, deadlineMisses, droppedRatio, droppedPackets, queueDelayMillis: queueDelay, promisedQueueDelayMillis }
    if (verdict === 'raised') return [{ kind: 'class_degraded', evidence: { ...evidence, toleratedLossRatio: TOLERATED_LOSS_RATIO } }]
    return [{ kind: 'class_recovered', evidence: { ...evidence, degradedMillis: now - (degradedAt ?? now) } }]
  }
}

/** Growth of a total; one that shrank began anew. */
const grown = (total: number, before: number): number => Math.max(0, total - before)

/** The part that `missing` is of all. */
const part = (missing: number, present: number): number => (missing === 0 ? 0 : missing / (missing + present))
