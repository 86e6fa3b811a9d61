import { z } from 'zod'
import { RECEIVER_LIMITS } from '../../relay/slides/transfer/slide-receiver.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { ScannerKey, SLIDE_LIMITS, SQUARE_BYTES } from '../../relay/wire/slide.ts'
import { endWith } from './slide-access.ts'
import { parsePart, PathPart } from './slide-replies.ts'
import type { SlideReceiver } from '../../relay/slides/transfer/slide-receiver.ts'
import type { Sha256, SlideId } from '../../relay/wire/ids.ts'
import type { SlideAccess, SlideGrant } from './slide-access.ts'
import type { SlideMetrics } from './slide-metrics.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Socket } from 'node:net'

/** What a scanner's routes stand on. */
export interface ScannerRoutesOptions {
  readonly access: SlideAccess
  readonly receiver: SlideReceiver
  readonly metrics: SlideMetrics
}

const Announcement = z.strictObject({ structure: z.base64().max(Math.ceil((RECEIVER_LIMITS.structureBytes * 4) / 3) + 4), key: ScannerKey })
const Completion = z.strictObject({ head: z.string().max(RECEIVER_LIMITS.headCharacters) })
const LevelHeadHeader = z.string().min(1).max(RECEIVER_LIMITS.headCharacters)
const SquareLength = z.string().regex(/^\d{1,8}$/).transform(Number)
const SlidePath = z.object({ id: PathPart.slideId })
const LevelPath = z.object({ id: PathPart.slideId, level: PathPart.level })
const ChunkPath = z.object({ id: PathPart.slideId, sha256: PathPart.sha256 })
const WantedQuery = z.object({ after: PathPart.after })

/** A connection on which nothing of a body comes for so long is cut: a scanner whose line broke does not say so, and would hold memory for ever. */
const SILENCE_MILLIS = 60_000

/** A chunk whose body is on its way. */
interface ArrivingChunk {
  readonly grant: SlideGrant
  readonly slideId: SlideId
  readonly sha256: Sha256
  readonly release: () => void
  /** The body is here: nothing more is expected on the connection. */
  readonly stopWatching: () => void
}

/** Routes by which a scanner sends slides; see `docs/SLIDES.md`. */
export function addScannerRoutes(app: FastifyInstance, { access, receiver, metrics }: ScannerRoutesOptions): void {
  const scanner = (request: FastifyRequest): Promise<SlideGrant> => access.grant(request, { scanner: 'send_slide' })
  /** Before a body is read. */
  const admitted = {
    onRequest: async (request: FastifyRequest) => {
      await scanner(request)
    },
  }

  app.post('/', { ...admitted, bodyLimit: 2 * RECEIVER_LIMITS.structureBytes }, async (request, reply) => {
    const { structure, key } = parsePart(Announcement, request.body)
    const slideId = await receiver.announce(await scanner(request), Buffer.from(structure, 'base64'), key)
    return reply.code(201).header('location', `/slides/${slideId}`).send({ slideId })
  })

  app.put('/:id/levels/:level', { ...admitted, bodyLimit: RECEIVER_LIMITS.indexBytes }, async (request, reply) => {
    const { id, level } = parsePart(LevelPath, request.params)
    const head = parsePart(LevelHeadHeader, request.headers['kenkyo-head'])
    const grant = await scanner(request)
    await receiver.putLevel(grant, id, level, bodyOf(request), head)
    return reply.type('application/octet-stream').send(Buffer.from(receiver.missing(grant, id, level)))
  })

  app.get('/:id/levels/:level/missing', async (request, reply) => {
    const { id, level } = parsePart(LevelPath, request.params)
    const missing = receiver.missing(await scanner(request), id, level)
    return reply.header('cache-control', 'no-store').type('application/octet-stream').send(Buffer.from(missing))
  })

  app.get('/:id/wanted', async (request, reply) => {
    const { id } = parsePart(SlidePath, request.params)
    const { after } = parsePart(WantedQuery, request.query)
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort(new RelayFault('unavailable', 'the scanner is gone')))
    const grant = await scanner(request)
    endWith(request, reply, grant)
    return reply.header('cache-control', 'no-store').send(await receiver.wanted(grant, id, after, gone.signal))
  })

  /** Has memory set aside before a byte of the body is read. */
  const expectSquare = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    endWith(request, reply, await scanner(request))
    const length = parsePart(SquareLength, request.headers['content-length'])
    const [release, stopWatching] = [receiver.memory.take(length), watchSilence(request.raw.socket)]
    reply.raw.once('close', release).once('close', stopWatching)
  }
  app.put('/:id/squares', { onRequest: expectSquare, bodyLimit: SQUARE_BYTES }, async (request, reply) => {
    const { id } = parsePart(SlidePath, request.params)
    const grant = await scanner(request)
    return reply.send({ outcome: await metrics.countSquare(() => receiver.putSquare(grant, id, bodyOf(request))) })
  })

  app.put('/:id/head', { ...admitted, bodyLimit: 8 * 1024 }, async (request, reply) => {
    const { id } = parsePart(SlidePath, request.params)
    await receiver.complete(await scanner(request), id, parsePart(Completion, request.body).head)
    return reply.code(204).send()
  })

  app.delete('/:id', async (request, reply) => {
    const { id } = parsePart(SlidePath, request.params)
    await receiver.delete(await scanner(request), id)
    return reply.code(204).send()
  })

  addChunkRoute(app, { access, receiver, metrics })
}

function addChunkRoute(app: FastifyInstance, { access, receiver, metrics }: ScannerRoutesOptions): void {
  const arriving = new WeakMap<FastifyRequest, ArrivingChunk>()

  /** Everything that can be refused is, before a byte of the body is read; what is not has memory set aside. */
  async function expect(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      const grant = await access.grant(request, { scanner: 'send_slide' })
      endWith(request, reply, grant)
      const { id, sha256 } = parsePart(ChunkPath, request.params)
      const length = receiver.expect(grant, id, sha256)
      if (request.headers['content-length'] !== String(length)) throw new RelayFault('hash_mismatch', 'the body is not as long as the chunk')
      const release = receiver.memory.take(length)
      const stopWatching = watchSilence(request.raw.socket)
      reply.raw.once('close', release).once('close', stopWatching)
      arriving.set(request, { grant, slideId: id, sha256, release, stopWatching })
    } catch (error) {
      metrics.chunks.inc({ outcome: toFault(error).code })
      throw error
    }
  }

  app.put('/:id/chunks/:sha256', { onRequest: expect, bodyLimit: SLIDE_LIMITS.tileBytes }, async (request, reply) => {
    const chunk = arriving.get(request)
    if (chunk === undefined) throw new Error('a chunk that was not expected')
    // From here on the body is held until it is stored, whether the scanner waits for that or not.
    chunk.stopWatching()
    reply.raw.off('close', chunk.release)
    try {
      const body = bodyOf(request)
      const outcome = await receiver.putChunk(chunk.grant, chunk.slideId, chunk.sha256, body)
      metrics.chunks.inc({ outcome })
      if (outcome === 'stored') metrics.arrivedBytes.inc(body.length)
      return await reply.send({ outcome })
    } catch (error) {
      metrics.chunks.inc({ outcome: toFault(error).code })
      throw error
    } finally {
      chunk.release()
    }
  })
}

/** @returns Stops watching. */
function watchSilence(socket: Socket): () => void {
  let read = -1
  const timer = setInterval(() => {
    if (socket.bytesRead === read) socket.destroy()
    read = socket.bytesRead
  }, SILENCE_MILLIS / 2)
  return () => clearInterval(timer)
}

function bodyOf({ body }: FastifyRequest): Buffer {
  // A body of no bytes has no type, and is not parsed.
  if (body === undefined || body === null) return Buffer.alloc(0)
  if (!Buffer.isBuffer(body)) throw new RelayFault('bad_message', 'the body is application/octet-stream')
  return body
}
