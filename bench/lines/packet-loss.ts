import { RelayFault } from '../../relay/wire/fault.ts'
import type { Loss } from './profiles.ts'

/** A loss in bursts, as one would measure it. */
export interface BurstLossOptions {
  /** Lost packets over all packets. */
  readonly meanRatio: number
  /** Packets that a bad spell lasts on average, at least 1. With `lossInBad` 1 they are lost in a row. */
  readonly meanBurstPackets: number
  /** How many of the packets in a bad spell are lost. */
  readonly lossInBad?: number
}

/**
 * The Gilbert-Elliott model that loses so many packets in bursts of so many.
 *
 * A bad spell lasts 1/r packets, and the line is bad for p/(p+r) of all packets; solved for p and r.
 *
 * @throws {RelayFault} `bad_config` when no such model exists.
 * @see G. Hasslinger, O. Hohlfeld, "The Gilbert-Elliott Model for Packet Loss in Real Time Services on the Internet", 2008, section 3
 */
export function burstLoss({ meanRatio, meanBurstPackets, lossInBad = 1 }: BurstLossOptions): Extract<Loss, { model: 'gilbert-elliott' }> {
  const shareBad = meanRatio / lossInBad
  const r = 1 / meanBurstPackets
  const p = (r * shareBad) / (1 - shareBad)
  if (!(meanRatio >= 0 && lossInBad > 0 && lossInBad <= 1 && r > 0 && r <= 1 && p >= 0 && p <= 1)) {
    throw new RelayFault('bad_config', `no line loses ${meanRatio} of its packets in bursts of ${meanBurstPackets} with ${lossInBad} lost in each`)
  }
  return { model: 'gilbert-elliott', p, r, lossInBad, lossInGood: 0 }
}

/** The share of packets that a loss takes in the long run. */
export function meanLossRatio(loss: Loss): number {
  if (loss.model === 'uniform') return loss.ratio
  if (loss.p + loss.r === 0) return loss.lossInGood
  const shareBad = loss.p / (loss.p + loss.r)
  return shareBad * loss.lossInBad + (1 - shareBad) * loss.lossInGood
}

/**
 * The relative standard deviation of the loss ratio that a sample of so many packets shows: how much of a
 * difference is chance. Zero for a line that loses nothing.
 *
 * Losses of the Gilbert-Elliott model are correlated with factor 1−p−r from packet to packet, which makes
 * a sample worth less.
 */
export function lossSamplingError(loss: Loss, packets: number): number {
  const ratio = meanLossRatio(loss)
  if (ratio === 0) return 0
  const independent = (ratio * (1 - ratio)) / packets
  if (loss.model === 'uniform') return Math.sqrt(independent) / ratio
  const correlation = 1 - loss.p - loss.r
  const shareBad = loss.p / (loss.p + loss.r)
  const covariance = shareBad * (1 - shareBad) * (loss.lossInBad - loss.lossInGood) ** 2
  return Math.sqrt(independent + (2 * covariance * correlation) / (1 - correlation) / packets) / ratio
}

/** Decides which packets a line loses, one after the other. */
export class PacketLoss {
  readonly #loss: Loss
  readonly #random: () => number
  #isBad = false

  constructor(loss: Loss, random: () => number) {
    this.#loss = loss
    this.#random = random
  }

  /** Whether the next packet is lost. */
  next(): boolean {
    const loss = this.#loss
    if (loss.model === 'uniform') return this.#random() < loss.ratio
    if (this.#random() < (this.#isBad ? loss.r : loss.p)) this.#isBad = !this.#isBad
    return this.#random() < (this.#isBad ? loss.lossInBad : loss.lossInGood)
  }
}
