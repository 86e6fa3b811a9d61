/**
 * A systematic Reed-Solomon erasure code over GF(2^8): of k source and m parity symbols, any k give back all.
 *
 * It is the code of RFC 5510 section 8.3 of the one dimension {@link MAX_SOURCE_SYMBOLS}, shortened: a block of fewer
 * source symbols is one whose rest is zero. So the coefficient of a source symbol depends neither on k nor on m, a
 * block can be encoded symbol by symbol before it is known how long it becomes, and it can be closed at any time.
 * (RFC 6865 takes a code of dimension k for every k, which rules that out; k = 48 is the same in both.)
 */
import type { Bytes } from '../../wire/units.ts'

/** The most source symbols in a block. It fixes the code: another number is another code. */
export const MAX_SOURCE_SYMBOLS = 48
/** The most parity symbols of a block. */
export const MAX_PARITY_SYMBOLS = 12

/** x^8 + x^4 + x^3 + x^2 + 1. @see RFC 5510 section 8.1 */
const PRIMITIVE_POLYNOMIAL = 0x11d
/** The multiplicative group of GF(2^8) has so many elements. */
const GROUP_ORDER = 255
/** Parity rows that are computed together, one byte of a 32-bit word each. */
const LANES = 4
const LANE_GROUPS = MAX_PARITY_SYMBOLS / LANES

const EXPONENT = new Uint8Array(2 * GROUP_ORDER)
const LOGARITHM = new Uint8Array(256)
for (let power = 0, element = 1; power < GROUP_ORDER; power++) {
  EXPONENT[power] = EXPONENT[power + GROUP_ORDER] = element
  LOGARITHM[element] = power
  element <<= 1
  if (element > 0xff) element ^= PRIMITIVE_POLYNOMIAL
}

/** The product of two elements of GF(2^8). */
export function multiply(left: number, right: number): number {
  if (left === 0 || right === 0) return 0
  return EXPONENT[(LOGARITHM[left] ?? 0) + (LOGARITHM[right] ?? 0)] ?? 0
}

/** The multiplicative inverse of an element of GF(2^8) other than 0. */
export function invert(element: number): number {
  if (element === 0) throw new Error('0 has no inverse')
  return EXPONENT[GROUP_ORDER - (LOGARITHM[element] ?? 0)] ?? 0
}

/** All products of one element, for each element. */
const PRODUCTS = Array.from({ length: 256 }, (_, left) => Uint8Array.from({ length: 256 }, (_, right) => multiply(left, right)))

/**
 * What source symbol `source` is multiplied by in parity symbol `row`.
 *
 * The codeword of RFC 5510 section 8.3 is the polynomial through the source symbols at α^0, α^1, …, evaluated at the
 * powers that follow. This is the Lagrange polynomial of one source symbol at the place of one parity symbol.
 */
export function coefficient(row: number, source: number): number {
  const at = EXPONENT[MAX_SOURCE_SYMBOLS + row] ?? 0
  const own = EXPONENT[source] ?? 0
  let [above, below] = [1, 1]
  for (let other = 0; other < MAX_SOURCE_SYMBOLS; other++) {
    if (other === source) continue
    const place = EXPONENT[other] ?? 0
    above = multiply(above, at ^ place)
    below = multiply(below, own ^ place)
  }
  return multiply(above, invert(below))
}

const COEFFICIENTS = Array.from({ length: MAX_PARITY_SYMBOLS }, (_, row) => Uint8Array.from({ length: MAX_SOURCE_SYMBOLS }, (_, source) => coefficient(row, source)))

/** For each source symbol and each group of four rows: what one byte adds to the four, in one word. 144 KiB. */
const LANE_TABLES = Array.from({ length: MAX_SOURCE_SYMBOLS }, (_, source) =>
  Array.from({ length: LANE_GROUPS }, (_, group) => Int32Array.from({ length: 256 }, (_, byte) => laneWord(source, group, byte))),
)

function laneWord(source: number, group: number, byte: number): number {
  let word = 0
  for (let lane = 0; lane < LANES; lane++) word |= multiply(COEFFICIENTS[group * LANES + lane]?.[source] ?? 0, byte) << (8 * lane)
  return word
}

/**
 * The parity of one block as it grows: takes source symbols one at a time and keeps none of them.
 *
 * Four rows lie in one array of words, so that one table look-up per byte serves four: up to 4 parity symbols cost
 * what one does.
 */
export class ParityAccumulator {
  readonly #lanes: readonly Int32Array[]
  #groups = 0
  #used = 0

  /** @param maxSymbolLength - No symbol is longer. */
  constructor(maxSymbolLength: Bytes) {
    this.#lanes = Array.from({ length: LANE_GROUPS }, () => new Int32Array(maxSymbolLength))
  }

  /** Starts a block. @param rows - Parity symbols wanted, from the first; at most {@link MAX_PARITY_SYMBOLS}. */
  reset(rows: number): void {
    for (const lanes of this.#lanes) lanes.fill(0, 0, this.#used)
    this.#groups = Math.ceil(rows / LANES)
    this.#used = 0
  }

  /**
   * Adds a piece of a source symbol; what is never added counts as zero.
   *
   * @param source - Place of the symbol in its block, from 0.
   * @param at - Place of the piece in its symbol, in bytes.
   */
  add(source: number, piece: Uint8Array, at: number): void {
    const tables = LANE_TABLES[source]
    const end = at + piece.length
    for (let group = 0; group < this.#groups; group++) {
      const [table, lanes] = [tables?.[group], this.#lanes[group]]
      if (table === undefined || lanes === undefined || end > lanes.length) throw new Error('a symbol outside of its code')
      accumulate(lanes, table, piece, at)
    }
    if (end > this.#used) this.#used = end
  }

  /** Writes the first `target.length` bytes of a parity symbol. */
  read(row: number, target: Uint8Array): void {
    const lanes = this.#lanes[Math.floor(row / LANES)]
    if (lanes === undefined) throw new Error('a row outside of its code')
    const shift = 8 * (row % LANES)
    for (let place = 0; place < target.length; place++) target[place] = (lanes[place] ?? 0) >>> shift
  }
}

/** The inner loop: a function of its own, because that is what V8 optimises best. */
function accumulate(lanes: Int32Array, table: Int32Array, piece: Uint8Array, at: number): void {
  for (let place = 0; place < piece.length; place++) lanes[at + place] = (lanes[at + place] ?? 0) ^ (table[piece[place] ?? 0] ?? 0)
}

/**
 * Computes missing source symbols. Their matrix is at most 12 by 12, so its inverse is not worth a cache.
 *
 * @param rows - Parity symbols to use, as many as are missing, each once.
 * @param missing - Places of the missing source symbols in their block, each once.
 * @param syndromes - Per row: the parity symbol, less (XOR) what the source symbols at hand make of it; one length.
 * @returns The missing symbols in the order of `missing`.
 */
export function solveErasures(rows: readonly number[], missing: readonly number[], syndromes: readonly Uint8Array[]): Uint8Array[] {
  const inverse = invertMatrix(rows.map(row => Uint8Array.from(missing, source => COEFFICIENTS[row]?.[source] ?? 0)))
  const length = syndromes[0]?.length ?? 0
  return inverse.map(factors => {
    const symbol = new Uint8Array(length)
    syndromes.forEach((syndrome, index) => addProduct(symbol, PRODUCTS[factors[index] ?? 0], syndrome))
    return symbol
  })
}

function addProduct(target: Uint8Array, products: Uint8Array | undefined, source: Uint8Array): void {
  if (products === undefined) return
  for (let place = 0; place < target.length; place++) target[place] = (target[place] ?? 0) ^ (products[source[place] ?? 0] ?? 0)
}

/**
 * The inverse of a square matrix over GF(2^8), by elimination.
 *
 * @throws {Error} When it has none. No matrix of distinct rows and columns of the code's parity part is such.
 */
export function invertMatrix(matrix: readonly Uint8Array[]): Uint8Array[] {
  const size = matrix.length
  const left = matrix.map(row => row.slice())
  const right = matrix.map((_, index) => Uint8Array.from({ length: size }, (_, column) => (column === index ? 1 : 0)))
  for (let column = 0; column < size; column++) {
    const pivot = left.findIndex((row, index) => index >= column && row[column] !== 0)
    if (pivot < 0) throw new Error('the matrix is singular')
    for (const side of [left, right]) {
      const [own, other] = [side[column], side[pivot]]
      if (own === undefined || other === undefined) throw new Error('the matrix is not square')
      side[column] = other
      side[pivot] = own
    }
    const scale = PRODUCTS[invert(left[column]?.[column] ?? 0)]
    for (const side of [left, right]) side[column] = Uint8Array.from(side[column] ?? [], element => scale?.[element] ?? 0)
    for (let row = 0; row < size; row++) {
      const factor = left[row]?.[column] ?? 0
      if (row === column || factor === 0) continue
      for (const side of [left, right]) addProduct(side[row] ?? new Uint8Array(0), PRODUCTS[factor], side[column] ?? new Uint8Array(0))
    }
  }
  return right
}
