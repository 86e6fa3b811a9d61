import { t } from 'tap'
import { bytes, millis } from '../../wire/units.ts'
import { FecEncoder } from './fec-encoder.ts'

const open = (k: number, m: number): FecEncoder => {
  const encoder = new FecEncoder({ maxBodyLength: bytes(100), maxBlockAge: millis(10) })
  encoder.configure({ k, m })
  return encoder
}
const body = (length: number): Uint8Array => new Uint8Array(length).fill(length)

t.test('gives m parity packets when the k-th packet of a block is added', async t => {
  const encoder = open(3, 2)
  t.same(encoder.add(10, body(5), millis(0)), [])
  t.same(encoder.add(11, body(9), millis(1)), [])
  const parity = encoder.add(12, body(2), millis(2))
  t.match(parity, [{ firstSequence: 10, k: 3, m: 2, index: 0 }, { firstSequence: 10, k: 3, m: 2, index: 1 }])
  t.equal(parity[0]!.symbol.length, 11, 'the longest packet and its length')
  t.same(encoder.add(13, body(1), millis(3)), [])
})

t.test('closes a block early when it is too old, with parity in proportion', async t => {
  const encoder = open(8, 4)
  t.equal(encoder.wakeAt, undefined)
  for (let sequence = 0; sequence < 3; sequence++) encoder.add(sequence, body(4), millis(100 + sequence))
  t.equal(encoder.wakeAt, 110)
  t.same(encoder.step(millis(109)), [])
  t.match(encoder.step(millis(110)), [{ firstSequence: 0, k: 3, m: 1, index: 0 }])
  t.equal(encoder.wakeAt, undefined)
  t.same(encoder.step(millis(200)), [])
})

t.test('sends no more than the agreed share, however few packets a block has', async t => {
  const encoder = open(8, 2)
  let parity = 0
  for (let sequence = 0; sequence < 400; sequence++) {
    parity += encoder.add(sequence, body(4), millis(6 * sequence)).length
    parity += encoder.step(millis(6 * sequence + 5)).length
  }
  t.ok(parity >= 95 && parity <= 100, String(parity))
})

t.test('a block waits for packets to earn parity, but not for long', async t => {
  const encoder = open(8, 1)
  encoder.add(0, body(4), millis(0))
  t.same(encoder.step(millis(10)), [])
  t.ok(encoder.wakeAt !== undefined)
  t.same(encoder.step(millis(30)), [])
  t.equal(encoder.wakeAt, undefined)
})

t.test('closes a block at a gap in the numbers, and starts the next behind it', async t => {
  const encoder = open(4, 2)
  encoder.add(0, body(4), millis(0))
  encoder.add(1, body(4), millis(0))
  t.match(encoder.add(5, body(4), millis(0)), [{ firstSequence: 0, k: 2, m: 1 }])
  for (const sequence of [6, 7]) t.same(encoder.add(sequence, body(4), millis(0)), [])
  t.match(encoder.add(8, body(4), millis(0)), [{ firstSequence: 5, k: 4, m: 2 }, { k: 4, m: 2 }])
})

t.test('gives parity of two blocks when a gap comes with blocks of one packet', async t => {
  const encoder = open(2, 2)
  encoder.add(0, body(1), millis(0))
  encoder.configure({ k: 1, m: 1 })
  t.same(encoder.add(3, body(1), millis(0)).map(({ firstSequence }) => firstSequence), [0, 3])
})

t.test('takes new settings with the next block, and none with undefined', async t => {
  const encoder = open(2, 1)
  encoder.add(0, body(1), millis(0))
  encoder.configure({ k: 3, m: 2 })
  t.match(encoder.add(1, body(1), millis(0)), [{ k: 2, m: 1 }])
  encoder.add(2, body(1), millis(0))
  encoder.configure(undefined)
  encoder.add(3, body(1), millis(0))
  t.equal(encoder.add(4, body(1), millis(0)).length, 2)
  t.same(encoder.add(5, body(1), millis(0)), [])
  t.equal(encoder.wakeAt, undefined)
})

t.test('refuses settings outside of the code, and a packet longer than agreed', async t => {
  const encoder = open(2, 1)
  for (const settings of [{ k: 0, m: 1 }, { k: 49, m: 1 }, { k: 4, m: 0 }, { k: 4, m: 13 }, { k: 2.5, m: 1 }, { k: NaN, m: 1 }]) t.throws(() => encoder.configure(settings))
  t.throws(() => encoder.add(0, body(101), millis(0)))
})
