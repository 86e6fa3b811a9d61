import { pipeline } from 'node:stream/promises'
import { Dicer } from '@fastify/busboy'
import { RelayFault } from '../../wire/fault.ts'
import type { Readable } from 'node:stream'

const CRLF = '\r\n'

/** One part to be written. */
export interface WrittenPart {
  readonly contentType: string
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** Writes multipart/related, piece by piece. @param boundary - Must not occur in a body: made at random. @see RFC 2046 section 5.1; PS3.18 section 8.6.1.2.1 */
export async function* writeParts(parts: AsyncIterable<WrittenPart> | Iterable<WrittenPart>, boundary: string): AsyncGenerator<Uint8Array> {
  for await (const { contentType, body } of parts) {
    yield Buffer.from(`--${boundary}${CRLF}Content-Type: ${contentType}${CRLF}${CRLF}`, 'latin1')
    yield* body
    yield Buffer.from(CRLF, 'latin1')
  }
  yield Buffer.from(`--${boundary}--${CRLF}`, 'latin1')
}

/** One part that came. Its body must be read to its end before the next is asked for. */
export interface ReadPart {
  /** As the peer says it; empty where it says nothing. */
  readonly contentType: string
  readonly body: Readable
}

/** Bounds of one multipart message. */
export interface PartLimits {
  readonly parts: number
  /** Of the whole message. */
  readonly bytes: number
}

/**
 * Reads multipart/related, part by part; the sender is held back while a part is not read.
 *
 * @throws {RelayFault} `bad_message` for what is no whole multipart message or has too many parts; `quota_exceeded` when it is too long.
 */
export async function* readParts(source: Readable, boundary: string, limits: PartLimits): AsyncGenerator<ReadPart> {
  const arrived: ReadPart[] = []
  const open = new Set<Readable>()
  const state: ReadState = { failure: undefined, isDone: false, change: Promise.withResolvers() }
  let parts = 0
  const abort = new AbortController()
  const fail = (fault: RelayFault): void => {
    state.failure ??= fault
    abort.abort()
    for (const body of open) body.destroy(state.failure)
    state.change.resolve(undefined)
  }
  const dicer = new Dicer({ boundary, maxHeaderPairs: 16 })
  dicer.on('part', body => {
    open.add(body)
    body.on('error', () => fail(new RelayFault('bad_message', 'the message is cut off')))
    body.on('close', () => open.delete(body))
    body.on('header', (headers: { readonly 'content-type'?: readonly string[] }) => {
      if (++parts > limits.parts) {
        fail(new RelayFault('bad_message', 'too many parts'))
        return
      }
      arrived.push({ contentType: headers['content-type']?.[0] ?? '', body })
      state.change.resolve(undefined)
    })
  })
  const running = pipeline(source, bounded(limits.bytes), dicer, { signal: abort.signal }).then(
    () => {
      state.isDone = true
      state.change.resolve(undefined)
    },
    (cause: unknown) => fail(cause instanceof RelayFault ? cause : new RelayFault('bad_message', 'no whole multipart message', { cause })),
  )
  try {
    for (;;) {
      const part = arrived.shift()
      if (state.failure !== undefined) throw state.failure
      if (part !== undefined) yield part
      else if (state.isDone) return
      else {
        await state.change.promise
        state.change = Promise.withResolvers()
      }
    }
  } finally {
    if (!state.isDone) fail(new RelayFault('bad_message', 'reading was given up'))
    await running
  }
}

/** How far a message is; `change` settles when something of it does. */
interface ReadState {
  failure: RelayFault | undefined
  isDone: boolean
  change: PromiseWithResolvers<undefined>
}

/** Passes on at most so many bytes. */
const bounded = (most: number) =>
  async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let length = 0
    for await (const chunk of chunks) {
      length += chunk.length
      if (length > most) throw new RelayFault('quota_exceeded', 'the message is too long')
      yield chunk
    }
  }
