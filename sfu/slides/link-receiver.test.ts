import { createHash, randomBytes } from 'node:crypto'
import { t } from 'tap'
import { encodeChunkPart, decodeAnswers, PART_BYTES } from '../../relay/slides/transfer/chunk-message.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { Sha256, SlideId } from '../../relay/wire/ids.ts'
import { LinkReceiver } from './link-receiver.ts'
import type { ChunkAnswer } from '../../relay/slides/transfer/chunk-message.ts'

const slideId = SlideId.parse('3f2c5a52-9a0b-4b43-8c52-5f7d0a3f9b10')
const sha256Of = (body: Buffer): Sha256 => Sha256.parse(createHash('sha256').update(body).digest('hex'))

/** A receiver with a store that says what it is told to. */
function open(putChunk: (body: Buffer) => Promise<'stored' | 'known'>, takes: () => boolean = () => true) {
  const answers: ChunkAnswer[] = []
  const internal: unknown[] = []
  const squares: Buffer[] = []
  const messages = { count: 0 }
  let heard = Promise.withResolvers<undefined>()
  const receiver = new LinkReceiver(
    { putChunk: (_slideId, _sha256, body) => putChunk(body), putSquare: async (_slideId, message) => (squares.push(message), 'stored') },
    message => {
      if (!takes()) return false
      messages.count++
      answers.push(...decodeAnswers(message))
      heard.resolve(undefined)
      return true
    },
    error => internal.push(error),
  )
  return {
    receiver, internal, messages, squares,
    put: (ticket: number, chunk: Buffer, offset = 0) => receiver.take(encodeChunkPart({ ticket, slideId, sha256: sha256Of(chunk), chunk, offset })),
    /** Answers so far, once there are as many. */
    answers: async (count: number): Promise<ChunkAnswer[]> => {
      while (answers.length < count) {
        heard = Promise.withResolvers()
        await heard.promise
      }
      return answers
    },
  }
}

t.test('chunks that become durable together are answered together', async t => {
  const commit = Promise.withResolvers<'stored'>()
  const { put, answers, messages } = open(() => commit.promise)
  for (let ticket = 1; ticket <= 5; ticket++) put(ticket, Buffer.from([ticket]))
  commit.resolve('stored')
  t.same((await answers(5)).map(({ ticket }) => ticket), [1, 2, 3, 4, 5])
  t.equal(messages.count, 1)
})

t.test('a refusal has its code, and anything else is ours to look into', async t => {
  const faults = [new RelayFault('storage_full', 'full'), new RelayFault('hash_mismatch', 'other'), new Error('a bug')]
  const { put, answers, internal } = open(async () => {
    const fault = faults.shift()
    if (fault === undefined) return 'known'
    throw fault
  })
  for (let ticket = 1; ticket <= 4; ticket++) put(ticket, Buffer.from([ticket]))
  t.same((await answers(4)).map(({ outcome }) => outcome), ['storage_full', 'hash_mismatch', 'internal', 'known'])
  t.equal(internal.length, 1)
})

t.test('a long chunk is put together from parts in any order, whichever come twice', async t => {
  const chunk = Buffer.alloc(3 * PART_BYTES + 100, 9)
  const stored: Buffer[] = []
  const { put, answers, receiver } = open(async body => {
    stored.push(body)
    return 'stored'
  })
  for (const part of [3, 1, 1, 0, 2]) put(1, chunk, part * PART_BYTES)
  await answers(1)
  t.equal(stored.length, 1)
  t.ok(stored[0]?.equals(chunk))
  t.equal(receiver.heldBytes, 0)
})

t.test('holds no more than it may, and says so', async t => {
  const commit = Promise.withResolvers<'stored'>()
  const { put, answers, receiver } = open(() => commit.promise)
  const chunk = Buffer.alloc(PART_BYTES)
  for (let ticket = 1; ticket <= 70; ticket++) put(ticket, chunk)
  t.ok(receiver.heldBytes <= 64 * 1024 * 1024)
  t.same((await answers(6)).map(({ ticket, outcome }) => `${ticket} ${outcome}`), [65, 66, 67, 68, 69, 70].map(ticket => `${ticket} overloaded`))
  commit.resolve('stored')
  t.equal((await answers(70)).filter(({ outcome }) => outcome === 'stored').length, 64)
  t.equal(receiver.heldBytes, 0)
})

t.test('chunks that are begun and never ended make room for others', async t => {
  const { put, answers, receiver } = open(async () => 'stored')
  const long = Buffer.alloc(16 * PART_BYTES)
  for (let ticket = 1; ticket <= 10; ticket++) put(ticket, long)
  t.ok(receiver.heldBytes <= 64 * 1024 * 1024)
  t.same((await answers(6)).map(({ ticket }) => ticket), [1, 2, 3, 4, 5, 6])
  receiver.close()
  t.equal(receiver.heldBytes, 0)
})

t.test('what is no chunk is answered when it has a ticket, and hurts nothing when it has none', async t => {
  const { put, answers, receiver } = open(async () => 'stored')
  const chunk = Buffer.from('tile')
  const bent = encodeChunkPart({ ticket: 3, slideId, sha256: sha256Of(chunk), chunk, offset: 0 })
  bent[57] = 200
  receiver.take(bent)
  receiver.take(Buffer.from('{"type":"reportStage"}'))
  put(4, chunk)
  t.same(await answers(2), [{ ticket: 3, outcome: 'bad_message' }, { ticket: 4, outcome: 'stored' }])
})

t.test('answers wait while the link takes none', async t => {
  let refusals = 2
  const { put, answers } = open(async () => 'stored', () => refusals-- <= 0)
  put(1, Buffer.from('a'))
  t.same(await answers(1), [{ ticket: 1, outcome: 'stored' }])
})

t.test('squares are handed on as such, and answered like chunks', async t => {
  const { receiver, squares, answers } = open(() => Promise.reject(new Error('no chunk came')))
  const square = randomBytes(PART_BYTES + 5)
  for (const offset of [PART_BYTES, 0]) receiver.take(encodeChunkPart({ ticket: 7, kind: 'square', slideId, sha256: sha256Of(square), chunk: square, offset }))
  t.same(await answers(1), [{ ticket: 7, outcome: 'stored' }])
  t.ok(squares.length === 1 && squares[0]?.equals(square))
})
