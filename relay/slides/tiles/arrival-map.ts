import type { Sha256 } from '../../wire/ids.ts'
import type { IndexedChunk } from '../manifest/level-index.ts'

/** What has arrived of one level. */
export interface ArrivedLevel {
  readonly level: number
  readonly chunks: number
  readonly chunksHere: number
  /** All of them together, and what is here, in bytes. */
  readonly bytes: number
  readonly bytesHere: number
  /** One bit per chunk, bit 0 of byte 0 first; set: here. A view, which goes on changing. */
  readonly bits: Uint8Array
}

/** Which chunks of a level are here, kept by what is told of each. */
export class ArrivalMap {
  readonly #level: number
  readonly #bits: Uint8Array
  readonly #lengths: Float64Array
  /** The same bytes may stand in several places. */
  readonly #places = new Map<Sha256, number | number[]>()
  #chunksHere = 0
  #bytesHere = 0

  constructor(level: number, chunks: readonly IndexedChunk[], isHere: readonly boolean[]) {
    this.#level = level
    this.#bits = new Uint8Array(Math.ceil(chunks.length / 8))
    this.#lengths = Float64Array.from(chunks, ({ length }) => length)
    for (const [index, { sha256 }] of chunks.entries()) {
      const before = this.#places.get(sha256)
      if (before === undefined) this.#places.set(sha256, index)
      else if (typeof before === 'number') this.#places.set(sha256, [before, index])
      else before.push(index)
      if (isHere[index] === true) this.#set(index, true)
    }
  }

  get arrived(): ArrivedLevel {
    return {
      level: this.#level, chunks: this.#lengths.length, chunksHere: this.#chunksHere,
      bytes: this.#lengths.reduce((sum, length) => sum + length, 0), bytesHere: this.#bytesHere, bits: this.#bits,
    }
  }

  /** A chunk came or went; one of another level does not matter. */
  tell(sha256: Sha256, isHere: boolean): void {
    const places = this.#places.get(sha256)
    if (typeof places === 'number') this.#set(places, isHere)
    else for (const place of places ?? []) this.#set(place, isHere)
  }

  #set(index: number, isHere: boolean): void {
    const [byte, bit] = [index >> 3, 1 << (index & 7)]
    const before = this.#bits[byte] ?? 0
    if (((before & bit) !== 0) === isHere) return
    this.#bits[byte] = before ^ bit
    this.#chunksHere += isHere ? 1 : -1
    this.#bytesHere += (isHere ? 1 : -1) * (this.#lengths[index] ?? 0)
  }
}
