import { t } from 'tap'
import { randomSource } from '../../../test/harness/mutation.ts'
import { bytes } from '../../wire/units.ts'
import { MAX_PARITY_SYMBOLS, MAX_SOURCE_SYMBOLS, ParityAccumulator, coefficient, invert, invertMatrix, multiply, solveErasures } from './reed-solomon.ts'

/** Multiplication as it is defined: of polynomials, modulo x^8 + x^4 + x^3 + x^2 + 1. */
function multiplyPolynomials(left: number, right: number): number {
  let product = 0
  for (let bit = 7; bit >= 0; bit--) {
    product <<= 1
    if (product & 0x100) product ^= 0x11d
    if ((right >> bit) & 1) product ^= left
  }
  return product
}

function power(element: number, exponent: number): number {
  let result = 1
  for (let step = 0; step < exponent; step++) result = multiplyPolynomials(result, element)
  return result
}

function randomSymbols(count: number, length: number, random: () => number): Uint8Array[] {
  return Array.from({ length: count }, () => Uint8Array.from({ length }, () => Math.floor(random() * 256)))
}

function encode(sources: readonly Uint8Array[], m: number, length: number): Uint8Array[] {
  const accumulator = new ParityAccumulator(bytes(length))
  accumulator.reset(m)
  sources.forEach((symbol, source) => accumulator.add(source, symbol, 0))
  return Array.from({ length: m }, (_, row) => {
    const parity = new Uint8Array(length)
    accumulator.read(row, parity)
    return parity
  })
}

/** Recovers `missing` from the others and the parity rows named. */
function recover(sources: readonly Uint8Array[], parity: readonly Uint8Array[], missing: readonly number[], rows: readonly number[], length: number): Uint8Array[] {
  const left = encode(sources.map((symbol, source) => (missing.includes(source) ? new Uint8Array(length) : symbol)), parity.length, length)
  return solveErasures(rows, missing, rows.map(row => parity[row]!.map((byte, at) => byte ^ left[row]![at]!)))
}

function* subsets(size: number, from: number, most: number): Generator<number[]> {
  if (size === 0) yield []
  else for (let first = from; first < most; first++) for (const rest of subsets(size - 1, first + 1, most)) yield [first, ...rest]
}

t.test('multiplies and inverts in GF(2^8) as polynomials do', async t => {
  let wrong = 0
  for (let left = 0; left < 256; left++) {
    for (let right = 0; right < 256; right++) if (multiply(left, right) !== multiplyPolynomials(left, right)) wrong++
    if (left > 0 && multiply(left, invert(left)) !== 1) wrong++
  }
  t.equal(wrong, 0)
  t.throws(() => invert(0))
})

t.test('has the generator matrix of RFC 5510 section 8.3: the inverse of V(k,k), times V(k,n)', async t => {
  const k = MAX_SOURCE_SYMBOLS
  const vandermonde = (columns: number, from: number): Uint8Array[] =>
    Array.from({ length: k }, (_, row) => Uint8Array.from({ length: columns }, (_, column) => power(power(2, from + column), row)))
  const inverse = invertMatrix(vandermonde(k, 0))
  const rest = vandermonde(MAX_PARITY_SYMBOLS, k)
  let wrong = 0
  for (let source = 0; source < k; source++) {
    for (let row = 0; row < MAX_PARITY_SYMBOLS; row++) {
      let sum = 0
      for (let inner = 0; inner < k; inner++) sum ^= multiplyPolynomials(inverse[source]![inner]!, rest[inner]![row]!)
      if (sum !== coefficient(row, source)) wrong++
    }
  }
  t.equal(wrong, 0)
})

t.test('makes parity that is the sum of coefficient times symbol', async t => {
  const sources = randomSymbols(MAX_SOURCE_SYMBOLS, 7, randomSource(1))
  encode(sources, MAX_PARITY_SYMBOLS, 7).forEach((parity, row) => {
    t.same(parity, parity.map((_, at) => sources.reduce((sum, symbol, source) => sum ^ multiplyPolynomials(coefficient(row, source), symbol[at]!), 0)))
  })
})

t.test('recovers every pattern of erasures of small blocks from every choice of parity', async t => {
  const length = 3
  let [patterns, wrong] = [0, 0]
  for (let k = 1; k <= 6; k++) {
    const sources = randomSymbols(k, length, randomSource(k))
    const parity = encode(sources, 4, length)
    for (let lost = 1; lost <= Math.min(k, 4); lost++) {
      for (const missing of subsets(lost, 0, k)) {
        for (const rows of subsets(lost, 0, 4)) {
          patterns++
          const recovered = recover(sources, parity, missing, rows, length)
          if (missing.some((source, at) => Buffer.compare(recovered[at]!, sources[source]!) !== 0)) wrong++
        }
      }
    }
  }
  t.equal(wrong, 0)
  t.equal(patterns, 4 + 14 + 34 + 69 + 125 + 209)
})

t.test('recovers random erasures of large blocks, with parity in any order', async t => {
  const random = randomSource(7)
  const length = 40
  for (let round = 0; round < 300; round++) {
    const k = 1 + Math.floor(random() * MAX_SOURCE_SYMBOLS)
    const sources = randomSymbols(k, length, random)
    const parity = encode(sources, MAX_PARITY_SYMBOLS, length)
    const lost = 1 + Math.floor(random() * Math.min(k, MAX_PARITY_SYMBOLS))
    const pick = (most: number): number[] => Array.from({ length: most }, (_, value) => ({ value, key: random() })).sort((one, other) => one.key - other.key).slice(0, lost).map(({ value }) => value)
    const missing = pick(k)
    t.same(recover(sources, parity, missing, pick(MAX_PARITY_SYMBOLS), length), missing.map(source => sources[source]!))
  }
})

t.test('starts a block with nothing left of the one before', async t => {
  const accumulator = new ParityAccumulator(bytes(20))
  accumulator.reset(MAX_PARITY_SYMBOLS)
  accumulator.add(0, new Uint8Array(20).fill(0xaa), 0)
  accumulator.reset(1)
  accumulator.reset(MAX_PARITY_SYMBOLS)
  for (let row = 0; row < MAX_PARITY_SYMBOLS; row++) {
    const parity = new Uint8Array(20).fill(1)
    accumulator.read(row, parity)
    t.same(parity, new Uint8Array(20))
  }
})

t.test('refuses a symbol that is too long, or outside of the code', async t => {
  const accumulator = new ParityAccumulator(bytes(4))
  accumulator.reset(1)
  t.throws(() => accumulator.add(0, new Uint8Array(4), 1))
  t.throws(() => accumulator.add(MAX_SOURCE_SYMBOLS, new Uint8Array(1), 0))
  t.throws(() => invertMatrix([Uint8Array.of(1, 1), Uint8Array.of(1, 1)]), /singular/)
})
