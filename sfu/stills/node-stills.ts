import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { Sha256, StillId } from '../../relay/wire/ids.ts'
import { STILL_HEADER, STILL_LIMITS, STILL_SHA256_HEADER, StillDescription } from '../../relay/wire/still.ts'
import { parsePart, refuseByCode } from '../slides/slide-replies.ts'
import { endWith, SlideAccess, watching } from '../slides/slide-access.ts'
import { StillDesk } from './still-desk.ts'
import { StillPngs } from './still-pngs.ts'
import { STILL_FILES, StillShelf, summaryOf, surveyShelves } from './still-shelf.ts'
import type { AccessRecord } from '../access/recorded-member.ts'
import type { SlideGrant, VerifyToken } from '../slides/slide-access.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'
import type { StillScene } from './still-desk.ts'
import type { StillMetrics } from './still-metrics.ts'
import type { StillRoom } from './still-shelf.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** What {@link NodeStills} stand on. */
export interface NodeStillsOptions {
  /** Of the node; stills are in `consultations/<consultation>/stills` below it. */
  readonly stateDir: string
  /** Bytes that stills may take together, as they are reckoned. */
  readonly quotaBytes: number
  readonly verify: VerifyToken
  /** Without it nothing is recorded. */
  readonly recorder?: AccessRecord | undefined
  readonly metrics: StillMetrics
  readonly clock: Clock
  readonly log: Logger
}

const StillPath = z.object({ id: StillId })
const FilePath = z.object({ id: StillId, file: z.enum(['planes', 'png', 'sidecar']) })
const MEDIA_TYPES = { planes: 'application/octet-stream', png: 'image/png', sidecar: 'application/json' } as const
/** A connection on which nothing of a body comes for so long is cut. */
const SILENCE_MILLIS = 30_000

/** The stills of a node: a desk for each consultation, and the routes below `/stills`. */
export class NodeStills implements AsyncDisposable {
  readonly #options: NodeStillsOptions
  readonly #access: SlideAccess
  readonly #pngs = new StillPngs()
  readonly #desks = new Map<ConsultationId, StillDesk>()
  readonly #room: Quota

  private constructor(options: NodeStillsOptions, usedBytes: number) {
    this.#options = options
    this.#access = new SlideAccess(options.verify)
    this.#room = new Quota(options.quotaBytes, usedBytes)
  }

  /** Takes away what an earlier process left half done. */
  static async open(options: NodeStillsOptions): Promise<NodeStills> {
    return new NodeStills(options, await surveyShelves(join(options.stateDir, 'consultations')))
  }

  /** The desk of a consultation that begins. Whoever takes it disposes of it. */
  desk(scene: StillScene): StillDesk {
    const { clock, log, metrics } = this.#options
    const desk = new StillDesk({ scene, shelf: this.#shelf(scene.id), pngs: this.#pngs, metrics, clock, log: log.child({ consultationId: scene.id }) })
    this.#desks.set(scene.id, desk)
    return desk
  }

  /** A consultation is over. */
  closed(id: ConsultationId, desk: StillDesk): void {
    desk[Symbol.dispose]()
    if (this.#desks.get(id) === desk) this.#desks.delete(id)
  }

  /** Adds the routes below `/stills`. */
  addTo(app: FastifyInstance): void {
    void app.register((scope, _options, done) => {
      this.#addRoutes(scope)
      done()
    }, { prefix: '/stills' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#access[Symbol.dispose]()
    await this.#pngs[Symbol.asyncDispose]()
  }

  #addRoutes(app: FastifyInstance): void {
    refuseByCode(app, this.#options.log)
    app.addHook('onRequest', async (_request, reply) => void reply.header('cache-control', 'no-store'))
    // Planes are taken as they come, never whole.
    app.addContentTypeParser('application/octet-stream', (_request, body, done) => done(null, body))

    app.get('/', async request => {
      const { consultationId } = await this.#access.grant(request, watching('view_live'))
      const desk = this.#desks.get(consultationId)
      return { stills: desk === undefined ? await this.#listed(consultationId) : await desk.list() }
    })

    app.get('/:id/:file', async (request, reply) => {
      const grant = await this.#access.grant(request, watching('view_live'))
      endWith(request, reply, grant)
      const { id, file } = parsePart(FilePath, request.params)
      return this.#send(reply, grant, id, file)
    })

    app.put('/:id/planes', async (request, reply) => {
      await this.#receive(request, reply)
      return reply.code(204).send()
    })
  }

  async #receive(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const grant = await this.#access.grant(request, { microscope: 'publish_live' })
    const { consultationId } = grant
    endWith(request, reply, grant)
    const { id } = parsePart(StillPath, request.params)
    const desk = this.#desks.get(consultationId)
    if (desk === undefined) throw new RelayFault('not_found', 'no such still')
    const description = parsePart(StillDescription, parseJson(request.headers[STILL_HEADER]))
    const sha256 = parsePart(Sha256, request.headers[STILL_SHA256_HEADER])
    const byteLength = parsePart(z.coerce.number().int().min(1), request.headers['content-length'])
    if (!(request.body instanceof Object) || !(Symbol.asyncIterator in request.body)) throw new RelayFault('bad_message', 'planes are application/octet-stream')
    const body = request.body as AsyncIterable<Uint8Array>
    request.raw.setTimeout(SILENCE_MILLIS, () => request.raw.destroy())
    await this.#options.recorder?.doing(grant, 'keep_still', { stillId: id })
    await desk.receive(id, { description, sha256, byteLength, body: whole(body) })
  }

  async #send(reply: FastifyReply, grant: SlideGrant, id: StillId, file: keyof typeof STILL_FILES): Promise<FastifyReply> {
    const shelf = this.#shelf(grant.consultationId)
    const { image: { width, height }, planes } = await shelf.sidecar(id)
    await this.#options.recorder?.doing(grant, 'view_still', { stillId: id })
    const path = shelf.path(id, file)
    if (file === 'png') await this.#pngs.ensure({ planesPath: shelf.path(id, 'planes'), pngPath: path, width, height })
    const { size } = await stat(path)
    if (file === 'planes') void reply.header(STILL_SHA256_HEADER, planes.sha256)
    void reply.header('content-length', size).header('content-disposition', `attachment; filename="${id}${STILL_FILES[file].slice(STILL_FILES[file].lastIndexOf('.'))}"`)
    return reply.type(MEDIA_TYPES[file]).send(createReadStream(path))
  }

  async #listed(id: ConsultationId) {
    const summaries = (await this.#shelf(id).list()).map(summaryOf)
    return summaries.sort((a, b) => a.askedAtMillis - b.askedAtMillis).slice(-STILL_LIMITS.listed)
  }

  #shelf(id: ConsultationId): StillShelf {
    return new StillShelf(join(this.#options.stateDir, 'consultations', id, 'stills'), this.#room)
  }
}

/** Bytes that all shelves of a node may take together. */
class Quota implements StillRoom {
  readonly #most: number
  #used: number

  constructor(most: number, used: number) {
    this.#most = most
    this.#used = used
  }

  take(bytes: number): void {
    if (this.#used + bytes > this.#most) throw new RelayFault('quota_exceeded', 'this node keeps as many stills as it may')
    this.#used += bytes
  }

  giveBack(bytes: number): void {
    this.#used -= bytes
  }
}

/** A body that is cut off is a microscope that is gone. */
async function* whole(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw new RelayFault('unavailable', 'the planes did not come to their end', { cause })
  }
}

function parseJson(text: string | string[] | undefined): unknown {
  if (typeof text !== 'string' || text.length > STILL_LIMITS.headerCharacters) return undefined
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: no description either.
    return undefined
  }
}
