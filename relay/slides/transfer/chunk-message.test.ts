import { createHash, randomUUID } from 'node:crypto'
import { t } from 'tap'
import { seededRandom } from '../../../bench/scenarios/viewport-renditions.ts'
import { MAX_MESSAGE_BYTES } from '../../links/repair/message-assembler.ts'
import { RelayFault } from '../../wire/fault.ts'
import { Sha256, SlideId } from '../../wire/ids.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import { CHUNK_HEADER_BYTES, CHUNK_OUTCOMES, decodeAnswers, decodeChunkPart, encodeAnswers, encodeChunkPart, isAnswers, MAX_ANSWERS, PART_BYTES, salvageTicket } from './chunk-message.ts'

const slideId = SlideId.parse('3f2c5a52-9a0b-4b43-8c52-5f7d0a3f9b10')
const sha256Of = (body: Buffer): Sha256 => Sha256.parse(createHash('sha256').update(body).digest('hex'))
const chunk = Buffer.from('two tiles')
const encoded = (): Buffer => encodeChunkPart({ ticket: 7, slideId, sha256: sha256Of(chunk), chunk, offset: 0 })
const bend = (message: Buffer, at: number, ...values: number[]): Buffer => {
  message.set(values, at)
  return message
}

t.test('a chunk says which one it is', async t => {
  t.same(decodeChunkPart(encoded()), { ticket: 7, kind: 'chunk', slideId, sha256: sha256Of(chunk), total: chunk.length, offset: 0, body: chunk })
})

t.test('a chunk longer than a message travels in parts that fit one', async t => {
  const long = Buffer.alloc(2 * PART_BYTES + 5, 3)
  const parts = [0, PART_BYTES, 2 * PART_BYTES].map(offset => encodeChunkPart({ ticket: 1, slideId, sha256: sha256Of(long), chunk: long, offset }))
  t.ok(parts.every(part => part.length <= MAX_MESSAGE_BYTES))
  t.ok(Buffer.concat(parts.map(part => decodeChunkPart(part).body)).equals(long))
})

t.test('refuses what is no chunk', async t => {
  const refused: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['a header without a body', encoded().subarray(0, CHUNK_HEADER_BYTES)],
    ['another version', bend(encoded(), 0, 2)],
    ['another type', bend(encoded(), 1, 2)],
    ['no UUID', bend(encoded(), 12, 0xff)],
    ['no length', bend(encoded(), 54, 0, 0, 0, 0)],
    ['a longer chunk than its bytes', bend(encoded(), 57, chunk.length + 1)],
    ['a shorter chunk than its bytes', bend(encoded(), 57, chunk.length - 1)],
    ['longer than any tile', bend(encoded(), 54, 0xff, 0xff, 0xff, 0xff)],
    ['an offset within a part', bend(encoded(), 61, 1)],
    ['an offset past the end', bend(encoded(), 58, 0x10, 0, 0, 0)],
    ['signaling', Buffer.from(JSON.stringify({ type: 'reportStage', requestId: 0 }).padEnd(100))],
  ]
  for (const [what, message] of refused) t.throws(() => decodeChunkPart(message), { code: 'bad_message' }, what)
  t.ok(SLIDE_LIMITS.tileBytes < 2 ** 32)
})

t.test('a chunk that cannot be is answered all the same when it has a ticket', async t => {
  t.equal(salvageTicket(bend(encoded(), 57, 200)), 7)
  t.equal(salvageTicket(Buffer.alloc(3)), undefined)
  t.equal(salvageTicket(Buffer.from('{"type":"reportStage"}')), undefined)
})

t.test('answers tell of many chunks at once', async t => {
  const answers = CHUNK_OUTCOMES.map((outcome, index) => ({ ticket: 2 ** 32 - 1 - index, outcome }))
  t.same(decodeAnswers(encodeAnswers(answers)), answers)
  t.ok(isAnswers(encodeAnswers(answers)))
  t.notOk(isAnswers(Buffer.from('{}')))
  t.throws(() => encodeAnswers([]))
})

t.test('refuses what are no answers', async t => {
  const one = (): Buffer => encodeAnswers([{ ticket: 1, outcome: 'stored' }])
  const refused: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['half a header', one().subarray(0, 3)],
    ['none', Buffer.from([1, 2, 0, 0])],
    ['more than there are', bend(one(), 3, 2)],
    ['fewer than there are', bend(encodeAnswers([{ ticket: 1, outcome: 'stored' }, { ticket: 2, outcome: 'known' }]), 3, 1)],
    ['more than there may be', Buffer.concat([Buffer.from([1, 2, 0xff, 0xff]), Buffer.alloc(5 * 0xffff)])],
    ['an unknown outcome', bend(one(), 8, CHUNK_OUTCOMES.length)],
    ['a chunk', encoded()],
  ]
  for (const [what, message] of refused) t.throws(() => decodeAnswers(message), { code: 'bad_message' }, what)
  t.ok(MAX_ANSWERS < 2 ** 16)
})

t.test('bytes at random are read as what they say or refused, and nothing else happens', async t => {
  const random = seededRandom(11)
  const valid = [encoded(), encodeAnswers([{ ticket: 1, outcome: 'stored' }, { ticket: 2, outcome: 'storage_full' }])]
  let read = 0
  for (let round = 0; round < 20_000; round++) {
    const base = valid[round % 2] ?? Buffer.alloc(0)
    const message = Buffer.from(base.subarray(0, random() < 0.3 ? Math.floor(random() * (base.length + 1)) : base.length))
    for (let flips = Math.floor(random() * 4); flips > 0 && message.length > 0; flips--) message[Math.floor(random() * message.length)] = Math.floor(random() * 256)
    for (const decode of [decodeChunkPart, decodeAnswers]) {
      try {
        decode(message)
        read++
      } catch (error) {
        if (!(error instanceof RelayFault) || error.code !== 'bad_message') t.fail(String(error))
      }
    }
    salvageTicket(message)
  }
  t.ok(read > 1000, `${read} read`)
})

t.test('every random UUID survives', async t => {
  for (let round = 0; round < 50; round++) {
    const id = SlideId.parse(randomUUID())
    t.equal(decodeChunkPart(encodeChunkPart({ ticket: 0, slideId: id, sha256: sha256Of(chunk), chunk, offset: 0 })).slideId, id)
  }
})
