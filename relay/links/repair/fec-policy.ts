/**
 * When parity is worth its rate.
 *
 * Others decide so. SRT: the operator fixes the parity and whether retransmission runs beside it (`arq`: `always`,
 * `onreq` or `never`; its "Packet filtering and FEC"). RIST (VSF TR-06-1): retransmission alone, SMPTE ST 2022-1
 * parity beside it where the operator wants it. WebRTC (libwebrtc's `media_opt_util`, for ULPFEC of RFC 5109 and
 * FlexFEC of RFC 8627): retransmission alone below a round trip of some 20 ms, parity by a table of measured loss above.
 * None asks what the receiver's deadline leaves. Here parity is sent exactly while retransmission, which costs only
 * what was lost, cannot reach the target within the budget; then just as much as reaches it, next to retransmission.
 *
 * Blocks rather than the sliding window of RFC 8680 and RFC 8681: at the rates of live 8K a block of 48 packets lasts
 * some 5 ms, so that a window would save little of the delay, and block decoding is cheap. Parity counts as load
 * like any other packet (RFC 6363 section 8), hence the bound on it.
 */
import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'
import type { FecSettings } from './fec-encoder.ts'
import { MAX_PARITY_SYMBOLS, MAX_SOURCE_SYMBOLS } from './reed-solomon.ts'

/** With parity, no more of the packets than this shall be missing at their deadline. */
export const TARGET_RESIDUAL = 1e-5
/**
 * Parity is not sent while retransmission alone stays below this. Larger than the target: parity costs its rate all
 * the time, and the measured loss that decides is itself no better known than by a few parts.
 */
export const TOLERATED_RESIDUAL = 5e-5
/** Parity packets for one packet, if nothing else is agreed. */
export const DEFAULT_MAX_OVERHEAD = 0.25
/** Beyond the round trip, until a loss is noticed and a request is answered; also until a full block is solved. */
const REPAIR_SLACK = millis(5)

/** What is known of the line and asked of it. */
export interface FecConditions {
  /** Part of the packets that is lost, before repair. */
  readonly lossRatio: number
  /** Packets lost in a row, on average; 1 for single losses. */
  readonly meanBurst: number
  /** From sending to the last moment at which a packet is of use. */
  readonly budget: Millis
  readonly roundTrip: Millis
  readonly packetsPerSecond: number
  /** Parity packets for one packet, at most; {@link DEFAULT_MAX_OVERHEAD} if not given. */
  readonly maxOverhead?: number
}

/** Retransmissions that arrive within the budget if each is asked for as soon as the last is known to be lost. */
export function repairRounds(budget: Millis, roundTrip: Millis): number {
  return Math.max(0, Math.floor((budget - roundTrip / 2) / (roundTrip + REPAIR_SLACK)))
}

/** Part of the lost packets that retransmission does not bring back within the budget. A round fails with both copies of its request, or with its answer. */
function roundsFailing({ lossRatio, budget, roundTrip }: Pick<FecConditions, 'lossRatio' | 'budget' | 'roundTrip'>): number {
  return (1 - (1 - lossRatio) * (1 - lossRatio ** 2)) ** repairRounds(budget, roundTrip)
}

/** Part of the packets that is missing at the deadline with retransmission alone. */
export function retransmissionResidual(conditions: Pick<FecConditions, 'lossRatio' | 'budget' | 'roundTrip'>): number {
  return conditions.lossRatio * roundsFailing(conditions)
}

/**
 * Part of the packets that parity alone does not bring back, for each length n of a block with its parity and each m:
 * the losses in n packets, where they are more than m.
 *
 * Losses follow Gilbert's model of two states, which a mean burst of 1/(1-p) makes a binomial distribution.
 *
 * @see Gilbert, "Capacity of a burst-noise channel", 1960
 */
function* blockResiduals(lossRatio: number, meanBurst: number): Generator<{ readonly n: number; readonly residuals: Float64Array }> {
  const burst = Math.max(meanBurst, 1 / (1 - lossRatio))
  const leave = 1 / burst
  const enter = lossRatio / (burst * (1 - lossRatio))
  const most = MAX_SOURCE_SYMBOLS + MAX_PARITY_SYMBOLS
  // Chances of so many losses so far, with the last packet arrived or lost.
  let arrived = new Float64Array(most + 1)
  let lost = new Float64Array(most + 1)
  arrived[0] = 1 - lossRatio
  lost[1] = lossRatio
  for (let n = 2; n <= most; n++) {
    const [nextArrived, nextLost] = [new Float64Array(most + 1), new Float64Array(most + 1)]
    for (let losses = 0; losses <= n; losses++) {
      nextArrived[losses] = (arrived[losses] ?? 0) * (1 - enter) + (lost[losses] ?? 0) * leave
      if (losses > 0) nextLost[losses] = (arrived[losses - 1] ?? 0) * enter + (lost[losses - 1] ?? 0) * (1 - leave)
    }
    arrived = nextArrived
    lost = nextLost
    const residuals = new Float64Array(MAX_PARITY_SYMBOLS + 1)
    let residual = 0
    for (let losses = n; losses > 0; losses--) {
      residual += ((arrived[losses] ?? 0) + (lost[losses] ?? 0)) * (losses / n)
      if (losses <= MAX_PARITY_SYMBOLS + 1) residuals[losses - 1] = residual
    }
    yield { n, residuals }
  }
}

/** Part of the packets that parity of these settings alone does not bring back. */
export function parityResidual({ k, m }: FecSettings, lossRatio: number, meanBurst: number): number {
  for (const { n, residuals } of blockResiduals(lossRatio, meanBurst)) if (n === k + m) return residuals[m] ?? 1
  throw new Error(`no block has ${k} packets and ${m} parity packets`)
}

/**
 * Decides how much parity to send.
 *
 * Packets that parity does not bring back are taken to be asked for again from the first moment, next to it (`always`
 * in SRT's words), and retransmissions to be lost independently of what they replace.
 *
 * @returns The cheapest settings that reach {@link TARGET_RESIDUAL}, the shortest block among equals; the best within
 *   the bounds when none does; undefined when retransmission does without, or parity would come too late.
 */
export function decideFec(conditions: FecConditions): FecSettings | undefined {
  const { lossRatio, meanBurst, budget, roundTrip, packetsPerSecond, maxOverhead = DEFAULT_MAX_OVERHEAD } = conditions
  if (!(lossRatio > 0 && lossRatio < 1 && packetsPerSecond > 0 && retransmissionResidual(conditions) > TOLERATED_RESIDUAL)) return undefined
  const room = ((budget - roundTrip / 2 - REPAIR_SLACK) * packetsPerSecond) / 1000
  const target = TARGET_RESIDUAL / roundsFailing(conditions)
  let cheapest: FecSettings | undefined
  let best: FecSettings | undefined
  let bestResidual = Infinity
  for (const { n, residuals } of blockResiduals(lossRatio, meanBurst)) {
    if (n > room) break
    for (let m = Math.max(1, n - MAX_SOURCE_SYMBOLS); m <= MAX_PARITY_SYMBOLS; m++) {
      const k = n - m
      if (k < 1 || m > maxOverhead * k) break
      const residual = residuals[m] ?? 1
      if (residual <= target && (cheapest === undefined || m * cheapest.k < cheapest.m * k)) cheapest = { k, m }
      if (residual < bestResidual) {
        best = { k, m }
        bestResidual = residual
      }
    }
  }
  return cheapest ?? best
}

/** Parity starts when it was needed for so long without a break, */
const ON_AFTER = millis(300)
/** stops when it was not needed for so long, */
const OFF_AFTER = millis(5000)
/** and changes no sooner than this after it last changed. */
const CHANGE_AFTER = millis(1000)

/** Keeps parity from following every flicker of the measured loss. Does no I/O and reads no clock. */
export class FecSwitch {
  #current: FecSettings | undefined
  #changedAt = millis(0)
  #neededSince: Millis | undefined
  #neededAt = millis(0)

  /** What holds now; undefined for no parity. */
  get current(): FecSettings | undefined {
    return this.#current
  }

  /** Takes a decision into account. Call it a few times per second. @returns What holds from now on. */
  step(decision: FecSettings | undefined, now: Millis): FecSettings | undefined {
    if (decision === undefined) {
      this.#neededSince = undefined
      if (now - this.#neededAt >= OFF_AFTER) this.#current = undefined
      return this.#current
    }
    this.#neededSince ??= now
    this.#neededAt = now
    const isDue = this.#current === undefined ? now - this.#neededSince >= ON_AFTER : now - this.#changedAt >= CHANGE_AFTER
    const isOther = this.#current?.k !== decision.k || this.#current.m !== decision.m
    if (isDue && isOther) {
      this.#current = decision
      this.#changedAt = now
    }
    return this.#current
  }
}
