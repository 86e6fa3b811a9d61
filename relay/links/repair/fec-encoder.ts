/**
 * The sending half of forward error correction: parity over runs of consecutive packets of one traffic class.
 *
 * Terms as in RFC 6363 (FECFRAME). A source symbol is made as in RFC 6865 section 4.3, without the flow, of which
 * there is one: the packet's length in 16 bits, the packet, zeros up to the longest of its block.
 */
import { millis } from '../../wire/units.ts'
import type { Bytes, Millis } from '../../wire/units.ts'
import { MAX_PARITY_SYMBOLS, MAX_SOURCE_SYMBOLS, ParityAccumulator } from './reed-solomon.ts'

/** In front of a packet in its source symbol. */
export const LENGTH_PREFIX_BYTES = 2

/** How much parity there is: `m` parity packets for `k` packets. */
export interface FecSettings {
  /** Packets in a block, 1 to {@link MAX_SOURCE_SYMBOLS}. */
  readonly k: number
  /** Parity packets of a block, 1 to {@link MAX_PARITY_SYMBOLS}: as many losses are repaired. */
  readonly m: number
}

/** One parity packet. It says all that is to be known of its block; the settings are not agreed on in advance. */
export interface ParityPacket {
  /** Number of the first packet of the block. The others follow without a gap. */
  readonly firstSequence: number
  /** Packets in this block, which may have been closed early. */
  readonly k: number
  /** Parity packets of this block. */
  readonly m: number
  /** Which of them this is, from 0. */
  readonly index: number
  /** As long as the longest packet of the block and {@link LENGTH_PREFIX_BYTES}. */
  readonly symbol: Uint8Array
}

/** Whether there can be such a block. */
export const isFecSettings = ({ k, m }: FecSettings): boolean =>
  Number.isInteger(k) && Number.isInteger(m) && k >= 1 && k <= MAX_SOURCE_SYMBOLS && m >= 1 && m <= MAX_PARITY_SYMBOLS

/** A block that has not earned parity waits for packets for so many times its age. */
const MOST_AGES = 3
const NOTHING: readonly ParityPacket[] = []

/** Makes parity packets of the packets of one class. Does no I/O and reads no clock. Keeps no packet. */
export class FecEncoder {
  readonly #maxBodyLength: Bytes
  readonly #maxBlockAge: Millis
  readonly #parity: ParityAccumulator
  readonly #prefix = new Uint8Array(LENGTH_PREFIX_BYTES)
  #settings: FecSettings | undefined
  #block: FecSettings = { k: 1, m: 1 }
  #firstSequence = 0
  #count = 0
  #openedAt = millis(0)
  #longest = 0
  /** Parity that packets paid for and that was not sent, in packets. */
  #earned = 0

  /**
   * @param options.maxBodyLength - No packet is longer; at most 65,533 bytes.
   * @param options.maxBlockAge - A block that is not full by then is closed early.
   */
  constructor({ maxBodyLength, maxBlockAge }: { readonly maxBodyLength: Bytes; readonly maxBlockAge: Millis }) {
    this.#maxBodyLength = maxBodyLength
    this.#maxBlockAge = maxBlockAge
    this.#parity = new ParityAccumulator((maxBodyLength + LENGTH_PREFIX_BYTES) as Bytes)
  }

  /** Says how much parity there is from the next block on; undefined for none. An open block keeps its own. */
  configure(settings: FecSettings | undefined): void {
    if (settings !== undefined && !isFecSettings(settings)) throw new Error(`no block has ${settings.k} packets and ${settings.m} parity packets`)
    this.#settings = settings
  }

  /**
   * A packet is sent for the first time.
   *
   * @param sequence - Its number in its class, which does not wrap. Where it does not follow the last, the open block
   *   is closed, because a block has no gap.
   * @returns Parity packets that are now due, mostly none.
   */
  add(sequence: number, body: Uint8Array, now: Millis): readonly ParityPacket[] {
    if (body.length > this.#maxBodyLength) throw new Error(`a packet of ${body.length} bytes, where ${this.#maxBodyLength} were agreed`)
    const closed = this.#count > 0 && sequence !== this.#firstSequence + this.#count ? this.#close() : NOTHING
    if (this.#count === 0) {
      if (this.#settings === undefined) return closed
      this.#open(this.#settings, sequence, now)
    }
    this.#prefix[0] = body.length >> 8
    this.#prefix[1] = body.length & 0xff
    this.#parity.add(this.#count, this.#prefix, 0)
    this.#parity.add(this.#count, body, LENGTH_PREFIX_BYTES)
    if (body.length > this.#longest) this.#longest = body.length
    this.#count++
    if (this.#count < this.#block.k) return closed
    return closed.length === 0 ? this.#close() : [...closed, ...this.#close()]
  }

  /** Closes a block that is older than its age allows, once it has earned parity, or is much older. @returns Its parity packets. */
  step(now: Millis): readonly ParityPacket[] {
    return now >= (this.wakeAt ?? Infinity) ? this.#close() : NOTHING
  }

  /** When {@link step} has something to do, if nothing is added until then. */
  get wakeAt(): Millis | undefined {
    if (this.#count === 0) return undefined
    const hasEarned = this.#earned + (this.#block.m * this.#count) / this.#block.k >= 1
    return millis(this.#openedAt + (hasEarned ? 1 : MOST_AGES) * this.#maxBlockAge)
  }

  #open(settings: FecSettings, sequence: number, now: Millis): void {
    this.#block = settings
    this.#firstSequence = sequence
    this.#openedAt = now
    this.#longest = 0
    this.#parity.reset(settings.m)
  }

  #close(): readonly ParityPacket[] {
    const k = this.#count
    // In proportion, over all blocks: a class that sends little must not pay m packets for one.
    this.#earned += (this.#block.m * k) / this.#block.k
    const m = Math.min(this.#block.m, Math.floor(this.#earned + 1e-9))
    this.#earned = Math.min(1, Math.max(0, this.#earned - m))
    this.#count = 0
    return Array.from({ length: m }, (_, index) => {
      const symbol = new Uint8Array(this.#longest + LENGTH_PREFIX_BYTES)
      this.#parity.read(index, symbol)
      return { firstSequence: this.#firstSequence, k, m, index, symbol }
    })
  }
}
