import { t } from 'tap'
import { seededRandom } from '../../../bench/scenarios/viewport-renditions.ts'
import { MAX_MESSAGE_BYTES, MAX_OPEN_BYTES, MAX_OPEN_MESSAGES, MessageAssembler } from './message-assembler.ts'

function open(isOrdered = false) {
  const got: Buffer[] = []
  return { got, assembler: new MessageAssembler(isOrdered, message => got.push(message)) }
}

/** Fragments of one message. */
function cut(id: number, body: Buffer, size: number): [id: number, offset: number, total: number, fragment: Buffer][] {
  return Array.from({ length: Math.ceil(body.length / size) }, (_, index) => [id, index * size, body.length, body.subarray(index * size, (index + 1) * size)])
}

t.test('fragments in any order become the message', async t => {
  const random = seededRandom(1)
  const bodies = [1, 255, 1000, 1001, 50_000, MAX_MESSAGE_BYTES].map(length => Buffer.from(Uint8Array.from({ length }, () => Math.floor(random() * 256))))
  const { got, assembler } = open()
  const fragments = bodies.flatMap((body, id) => cut(id, body, 1000)).map(fragment => [random(), fragment] as const).sort(([a], [b]) => a - b)
  for (const [, fragment] of fragments) if (assembler.push(...fragment) !== 'taken') t.fail(`${fragment[0]} ${fragment[1]}`)
  t.equal(got.length, bodies.length)
  t.ok(bodies.every(body => got.some(message => message.equals(body))))
  t.equal(assembler.openBytes, 0)
})

t.test('in order where order counts, past the end of the numbers too', async t => {
  const { got, assembler } = open(true)
  for (const id of [2, 1, 3]) assembler.push(id, 0, 1, Buffer.from([id]))
  t.same(got, [])
  t.equal(assembler.openBytes, 3)
  assembler.push(0, 0, 1, Buffer.from([0]))
  t.same(got.map(message => message[0]), [0, 1, 2, 3])
  t.equal(assembler.openBytes, 0)
})

t.test('refuses what cannot be', async t => {
  const { got, assembler } = open()
  const fragment = Buffer.alloc(500)
  const refused: [string, Parameters<typeof assembler.push>][] = [
    ['nothing', [1, 0, 500, Buffer.alloc(0)]],
    ['no length', [1, 0, 0, fragment]],
    ['longer than the longest', [1, 0, MAX_MESSAGE_BYTES + 1, fragment]],
    ['beyond its end', [1, 501, 1000, fragment]],
    ['far beyond its end', [1, 2 ** 32 - 1, 1000, fragment]],
    ['a crumb in the middle', [1, 0, 1000, Buffer.alloc(1)]],
  ]
  for (const [what, args] of refused) t.equal(assembler.push(...args), 'malformed', what)
  t.equal(assembler.openBytes, 0)
  t.equal(assembler.push(1, 0, 1000, fragment), 'taken')
  t.equal(assembler.push(1, 0, 1000, fragment), 'malformed', 'twice')
  t.equal(assembler.push(1, 500, 1001, fragment), 'malformed', 'of another length')
  t.equal(assembler.push(1, 500, 1000, fragment), 'taken')
  t.equal(got.length, 1)
})

t.test('fragments that overlap show nothing of this process', async t => {
  const { got, assembler } = open()
  for (let offset = 0; offset < 400; offset += 100) assembler.push(1, offset, 2000, Buffer.alloc(500, 7))
  t.ok(got[0]?.every(byte => byte === 7 || byte === 0))
})

t.test('what is begun and never ended is bounded in number and memory', async t => {
  for (const [length, most] of [[1000, MAX_OPEN_MESSAGES], [MAX_MESSAGE_BYTES, Math.floor(MAX_OPEN_BYTES / MAX_MESSAGE_BYTES)]] as const) {
    const { assembler } = open()
    const fates = Array.from({ length: 400 }, (_, id) => assembler.push(id, 0, length, Buffer.alloc(500)))
    t.equal(fates.filter(fate => fate === 'taken').length, most)
    t.equal(fates.filter(fate => fate === 'overloaded').length, 400 - most)
    t.ok(assembler.openBytes <= MAX_OPEN_BYTES)
  }
})

t.test('whole messages that wait for one that never comes are bounded, too', async t => {
  const { got, assembler } = open(true)
  const fates = Array.from({ length: 5000 }, (_, index) => assembler.push(index + 1, 0, 1000, Buffer.alloc(1000)))
  t.ok(fates.filter(fate => fate === 'taken').length <= MAX_OPEN_MESSAGES)
  t.ok(assembler.openBytes <= 1000 * MAX_OPEN_MESSAGES)
  t.equal(assembler.push(0, 0, 1, Buffer.alloc(1)), 'taken', 'and the one that they wait for is taken all the same')
  t.equal(got.length, MAX_OPEN_MESSAGES)
  t.equal(assembler.openBytes, 0)
  t.equal(assembler.push(0, 0, 1, Buffer.alloc(1)), 'malformed', 'but not again')
})
