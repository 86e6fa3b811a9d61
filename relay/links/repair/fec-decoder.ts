/** The receiving half of forward error correction: gives back lost packets from parity. @see RFC 6363 section 4.3 */
import type { Bytes } from '../../wire/units.ts'
import { LENGTH_PREFIX_BYTES, isFecSettings } from './fec-encoder.ts'
import type { ParityPacket } from './fec-encoder.ts'
import { ParityAccumulator, solveErasures } from './reed-solomon.ts'

/** A packet that came about from parity. */
export interface RecoveredPacket {
  readonly sequence: number
  readonly body: Uint8Array
}

/**
 * Why parity was of no use. `malformed`: it describes no possible block. `outside`: its block is not within reach of
 * the packets at hand. `contradictory`: it disagrees with other parity or with a packet. `impossible`: it leads to
 * packets that cannot have been. `evicted`: its block still waited when too many newer ones did.
 */
export const FEC_REFUSALS = ['malformed', 'outside', 'contradictory', 'impossible', 'evicted'] as const
export type FecRefusal = (typeof FEC_REFUSALS)[number]

interface Block {
  readonly firstSequence: number
  readonly k: number
  readonly m: number
  readonly symbolLength: number
  readonly indices: number[]
  readonly symbols: Uint8Array[]
  /** Packets not at hand when last counted. May be too low when packets left the window since. */
  missing: number
}

const NOTHING: readonly RecoveredPacket[] = []

/**
 * Recovers packets of one class. Does no I/O and reads no clock. Copies what it keeps, so it holds no one's buffers:
 * `sourceWindow` bodies, and up to `maxBlocks` blocks with 12 symbols each.
 *
 * Numbers do not wrap and are those of an authenticated peer: one that jumps ahead puts only its own packets out of
 * reach.
 */
export class FecDecoder {
  readonly #maxBodyLength: Bytes
  readonly #window: number
  readonly #maxBlocks: number
  /** Bodies by number modulo the window. */
  readonly #bodies: Uint8Array
  readonly #lengths: Uint16Array
  readonly #sequences: Float64Array
  readonly #parity: ParityAccumulator
  readonly #prefix = new Uint8Array(LENGTH_PREFIX_BYTES)
  /** Blocks that lack packets, the oldest first. Those that lack none are not kept. */
  readonly #pending: Block[] = []
  readonly #refused: Record<FecRefusal, number> = { malformed: 0, outside: 0, contradictory: 0, impossible: 0, evicted: 0 }
  #newest = -1
  #recovered = 0

  /**
   * @param options.maxBodyLength - No packet is longer; at most 65,533 bytes.
   * @param options.sourceWindow - Packets that it remembers: those of the longest time between the first packet of a
   *   block and the last of use, and not less than a few blocks.
   * @param options.maxBlocks - Blocks that may wait for packets at one time.
   */
  constructor({ maxBodyLength, sourceWindow, maxBlocks }: { readonly maxBodyLength: Bytes; readonly sourceWindow: number; readonly maxBlocks: number }) {
    this.#maxBodyLength = maxBodyLength
    this.#window = sourceWindow
    this.#maxBlocks = maxBlocks
    this.#bodies = new Uint8Array(sourceWindow * maxBodyLength)
    this.#lengths = new Uint16Array(sourceWindow)
    this.#sequences = new Float64Array(sourceWindow).fill(-1)
    this.#parity = new ParityAccumulator((maxBodyLength + LENGTH_PREFIX_BYTES) as Bytes)
  }

  /** Packets recovered so far. */
  get recoveredPackets(): number {
    return this.#recovered
  }

  /** Parity packets, or for `contradictory`, `impossible` and `evicted` blocks, that were of no use. */
  get refused(): Readonly<Record<FecRefusal, number>> {
    return this.#refused
  }

  /** Blocks that wait for packets or parity. */
  get pendingBlocks(): number {
    return this.#pending.length
  }

  /**
   * A packet arrived, for the first time or again.
   *
   * @returns Packets that can now be recovered, mostly none. The caller may have some of them already, if it did not
   *   hand over every packet.
   */
  receivedSource(sequence: number, body: Uint8Array): readonly RecoveredPacket[] {
    if (!this.#remember(sequence, body) || this.#pending.length === 0) return NOTHING
    let recovered = NOTHING
    // Downwards, because a block that is solved leaves the list.
    for (let place = this.#pending.length - 1; place >= 0; place--) {
      const block = this.#pending[place]
      if (block === undefined || sequence < block.firstSequence || sequence >= block.firstSequence + block.k) continue
      block.missing--
      const more = this.#solve(block)
      if (more.length > 0) recovered = recovered.length === 0 ? more : [...recovered, ...more]
    }
    return recovered
  }

  /**
   * A parity packet arrived, in any order, perhaps more than once. What makes no sense is counted and forgotten.
   *
   * @returns Packets that can now be recovered.
   */
  receivedParity(parity: ParityPacket): readonly RecoveredPacket[] {
    const refusal = this.#refusalOf(parity)
    if (refusal !== undefined) {
      this.#refused[refusal]++
      return NOTHING
    }
    const { firstSequence, k, m, index, symbol } = parity
    const known = this.#pending.find(block => block.firstSequence === firstSequence)
    if (known !== undefined && (known.k !== k || known.m !== m || known.symbolLength !== symbol.length)) {
      this.#refused.contradictory++
      return NOTHING
    }
    if (known?.indices.includes(index) === true) return NOTHING
    const block = known ?? this.#open(parity)
    if (block === undefined) return NOTHING
    block.indices.push(index)
    block.symbols.push(symbol.slice())
    return this.#solve(block)
  }

  #refusalOf({ firstSequence, k, m, index, symbol }: ParityPacket): FecRefusal | undefined {
    if (!isFecSettings({ k, m }) || !Number.isInteger(index) || index < 0 || index >= m) return 'malformed'
    if (!Number.isSafeInteger(firstSequence) || firstSequence < 0 || !Number.isSafeInteger(firstSequence + k)) return 'malformed'
    if (symbol.length < LENGTH_PREFIX_BYTES || symbol.length > this.#maxBodyLength + LENGTH_PREFIX_BYTES) return 'malformed'
    const isBehind = firstSequence <= this.#newest - this.#window
    const isAhead = this.#newest >= 0 && firstSequence > this.#newest + this.#window
    return isBehind || isAhead ? 'outside' : undefined
  }

  #open({ firstSequence, k, m, symbol }: ParityPacket): Block | undefined {
    let missing = 0
    for (let source = 0; source < k; source++) if (!this.#has(firstSequence + source)) missing++
    if (missing === 0) return undefined
    const block: Block = { firstSequence, k, m, symbolLength: symbol.length, indices: [], symbols: [], missing }
    this.#pending.push(block)
    if (this.#pending.length > this.#maxBlocks) {
      this.#pending.shift()
      this.#refused.evicted++
    }
    return block
  }

  #solve(block: Block): readonly RecoveredPacket[] {
    if (block.missing > block.indices.length) return NOTHING
    const missing: number[] = []
    for (let source = 0; source < block.k; source++) if (!this.#has(block.firstSequence + source)) missing.push(source)
    block.missing = missing.length
    if (missing.length > block.indices.length) return NOTHING
    this.#forget(block)
    if (missing.length === 0) return NOTHING
    const symbols = this.#symbolsOf(block, missing)
    if (symbols === undefined) {
      this.#refused.contradictory++
      return NOTHING
    }
    if (!symbols.every(symbol => this.#isPossible(symbol))) {
      this.#refused.impossible++
      return NOTHING
    }
    return symbols.map((symbol, place) => {
      const sequence = block.firstSequence + (missing[place] ?? 0)
      const body = symbol.subarray(LENGTH_PREFIX_BYTES, LENGTH_PREFIX_BYTES + lengthIn(symbol))
      this.#remember(sequence, body)
      this.#recovered++
      return { sequence, body }
    })
  }

  /** The missing symbols of a block; undefined when a packet at hand is longer than its symbols. */
  #symbolsOf(block: Block, missing: readonly number[]): readonly Uint8Array[] | undefined {
    const rows = block.indices.slice(0, missing.length)
    this.#parity.reset(Math.max(...rows) + 1)
    for (let source = 0; source < block.k; source++) {
      if (missing.includes(source)) continue
      const slot = (block.firstSequence + source) % this.#window
      const length = this.#lengths[slot] ?? 0
      if (length + LENGTH_PREFIX_BYTES > block.symbolLength) return undefined
      this.#prefix[0] = length >> 8
      this.#prefix[1] = length & 0xff
      this.#parity.add(source, this.#prefix, 0)
      this.#parity.add(source, this.#bodies.subarray(slot * this.#maxBodyLength, slot * this.#maxBodyLength + length), LENGTH_PREFIX_BYTES)
    }
    const syndromes = rows.map((row, place) => {
      const syndrome = new Uint8Array(block.symbolLength)
      this.#parity.read(row, syndrome)
      const symbol = block.symbols[place]
      for (let at = 0; at < syndrome.length; at++) syndrome[at] = (syndrome[at] ?? 0) ^ (symbol?.[at] ?? 0)
      return syndrome
    })
    return solveErasures(rows, missing, syndromes)
  }

  /** Whether an encoder can have made this source symbol: it fits, and zeros fill it up. */
  #isPossible(symbol: Uint8Array): boolean {
    const end = LENGTH_PREFIX_BYTES + lengthIn(symbol)
    if (end > symbol.length || end - LENGTH_PREFIX_BYTES > this.#maxBodyLength) return false
    for (let at = end; at < symbol.length; at++) if (symbol[at] !== 0) return false
    return true
  }

  #has(sequence: number): boolean {
    return this.#sequences[sequence % this.#window] === sequence
  }

  /** @returns Whether the packet is new and of use. */
  #remember(sequence: number, body: Uint8Array): boolean {
    if (!Number.isSafeInteger(sequence) || sequence < 0 || body.length > this.#maxBodyLength) return false
    const slot = sequence % this.#window
    if ((this.#sequences[slot] ?? 0) >= sequence) return false
    this.#sequences[slot] = sequence
    this.#lengths[slot] = body.length
    this.#bodies.set(body, slot * this.#maxBodyLength)
    if (sequence > this.#newest) this.#newest = sequence
    return true
  }

  #forget(block: Block): void {
    const place = this.#pending.indexOf(block)
    if (place >= 0) this.#pending.splice(place, 1)
  }
}

function lengthIn(symbol: Uint8Array): number {
  return ((symbol[0] ?? 0) << 8) | (symbol[1] ?? 0)
}
