import { t } from 'tap'
import { bitsPerSecond, millis } from '../../wire/units.ts'
import { UnansweredChunks } from './unanswered-chunks.ts'

const MIB = 1024 * 1024

t.test('sends again what arrived and was not answered, and nothing that may still be on its way', async t => {
  const chunks = new UnansweredChunks()
  chunks.add(1, 1000)
  chunks.add(2, 1000)
  chunks.add(3, 1000)
  chunks.arrived(1, millis(100))
  chunks.arrived(3, millis(100))
  t.ok(chunks.remove(3))
  t.same(chunks.step(millis(10_099)), { again: [], given: [] })
  t.same(chunks.step(millis(10_100)), { again: [1], given: [] })
  t.same(chunks.step(millis(60_000)), { again: [], given: [] }, 'not before it arrived once more')
  chunks.arrived(1, millis(60_000))
  t.same(chunks.step(millis(70_000)), { again: [1], given: [] })
})

t.test('a node without room is asked again soon, and not for ever', async t => {
  const chunks = new UnansweredChunks()
  chunks.add(1, 1000)
  let now = 0
  const sent: number[] = []
  for (let round = 0; round < 20; round++) {
    chunks.refused(1, millis(now))
    const { again, given } = chunks.step(millis((now += 500)))
    sent.push(...again)
    if (given.length === 0) continue
    t.same(given, [1])
    break
  }
  t.equal(sent.length, 7)
})

t.test('an answer is news once', async t => {
  const chunks = new UnansweredChunks()
  chunks.add(1, 1000)
  t.ok(chunks.remove(1))
  t.notOk(chunks.remove(1))
  t.equal(chunks.bytes, 0)
})

/** Chunks until the window is full, of which the line has taken so many bytes. @returns Bytes without an answer. */
function fill(length: number, rate: number, taken: number): { readonly bytes: number; readonly count: number } {
  const chunks = new UnansweredChunks()
  for (let ticket = 1; chunks.size < chunks.window(Math.max(0, chunks.bytes - taken), bitsPerSecond(rate)); ticket++) chunks.add(ticket, length)
  return { bytes: chunks.bytes, count: chunks.size }
}

t.test('what waits to be sent lasts for 300 ms, whatever the length of chunks and however many are on the line', async t => {
  for (const length of [256 * 1024, 512 * 1024, MIB]) {
    for (const taken of [0, 8 * MIB]) {
      const waiting = fill(length, 100e6, taken).bytes - taken
      t.ok(waiting >= 3.75e6 && waiting < 3.75e6 + 2 * MIB, `${length}: ${waiting}`)
    }
  }
})

t.test('on a slow line one chunk waits while another leaves, and no more', async t => {
  for (const length of [256 * 1024, MIB]) t.ok(fill(length, 1e6, 0).bytes <= 2 * MIB)
})

t.test('a full line of 1 Gbit/s and 150 ms fits in it, and memory is bounded beyond', async t => {
  const onTheLine = (1e9 / 8) * 0.15
  t.ok(fill(512 * 1024, 1e9, onTheLine).bytes >= 2 * onTheLine)
  for (const length of [1000, 512 * 1024, 16 * MIB]) {
    const { bytes, count } = fill(length, 1e12, Infinity)
    t.ok(bytes < 64 * MIB + 16 * MIB && count <= 512, `${length}: ${bytes} in ${count}`)
  }
})

t.test('a chunk may always leave when none is under way', async t => {
  t.ok(new UnansweredChunks().window(0, bitsPerSecond(0)) > 0)
})
