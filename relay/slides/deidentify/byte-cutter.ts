/** What is left of some bytes, and what was cut out of them. */
export interface Cleaned {
  /** The same object as came in when nothing was cut. */
  readonly bytes: Buffer
  /** How often something was cut, by the place where it stood. */
  readonly cut: ReadonlyMap<string, number>
}

const NOTHING: ReadonlyMap<string, number> = new Map()

interface Cut {
  readonly from: number
  readonly to: number
  readonly instead: Buffer | undefined
}

/** Cuts ranges out of bytes, in any order; ranges must not overlap. */
export class ByteCutter {
  readonly #bytes: Buffer
  readonly #cuts: Cut[] = []
  readonly #places = new Map<string, number>()

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Leaves out `from` up to, not including, `to`. @param place - Where it stood; without one it is not listed, such as padding. */
  cut(from: number, to: number, place?: string): void {
    this.replace(from, to, undefined, place)
  }

  /** As {@link cut}, with other bytes in the same place. */
  replace(from: number, to: number, instead: Buffer | undefined, place?: string): void {
    this.#cuts.push({ from, to, instead })
    if (place !== undefined) this.#places.set(place, (this.#places.get(place) ?? 0) + 1)
  }

  /** Copies only when something in the middle was cut. */
  finish(): Cleaned {
    if (this.#cuts.length === 0) return { bytes: this.#bytes, cut: NOTHING }
    const parts: Buffer[] = []
    let at = 0
    for (const { from, to, instead } of this.#cuts.sort((a, b) => a.from - b.from)) {
      if (from > at) parts.push(this.#bytes.subarray(at, from))
      if (instead !== undefined) parts.push(instead)
      at = to
    }
    if (at < this.#bytes.length) parts.push(this.#bytes.subarray(at))
    const [only] = parts
    return { bytes: parts.length === 1 && only !== undefined ? only : Buffer.concat(parts), cut: this.#places }
  }
}
