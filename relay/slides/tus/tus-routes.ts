import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { resetConnection } from '../../runtime/connection-reset.ts'
import { RelayFault, toFault } from '../../wire/fault.ts'
import { TusImports, UPLOAD_ID, UploadOwner } from './tus-imports.ts'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../../runtime/log.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { Bytes, Millis } from '../../wire/units.ts'
import type { ImportSlide, ImportState } from './tus-imports.ts'

/** Somebody whose right to upload was verified. An `Admission` is one. */
export interface Uploader extends UploadOwner {
  /** Aborts when the right runs out. */
  readonly expired: AbortSignal
  /** It is no longer used. */
  release(): void
}

/** What {@link TusRoutes} are made from. */
export interface TusRoutesOptions {
  /** Where uploads are kept until they are slides. They hold names: for the node's user only. */
  readonly directory: string
  /** @param token - As in `Authorization: Bearer`. @throws {RelayFault} `invitation_refused`, `invitation_expired`, `wrong_role`. */
  readonly authorise: (token: string, request: FastifyRequest) => Promise<Uploader>
  readonly importSlide: ImportSlide
  /** Aborts when the program ends. */
  readonly stopping: AbortSignal
  /** Of one upload. */
  readonly maxBytes: Bytes
  /** Uploads that are not whole, and imports that wait, of all members together. */
  readonly maxUploads: number
  /** After so long an upload that is not whole is deleted, and how one ended is forgotten. */
  readonly expiry: Millis
  readonly log: Logger
}

/** Where uploads are made. */
export const UPLOADS_PATH = '/uploads'
const CLEANING_INTERVAL_MILLIS = 600_000
const TUS_VERSION = '1.0.0'

const STATUS: Partial<Record<FaultCode, number>> = {
  invitation_refused: 401, invitation_expired: 401, wrong_role: 403, grant_refused: 403, not_found: 404, not_recorded: 503, overloaded: 503, unavailable: 503,
}

/**
 * Resumable uploads by tus 1.0 for clients that speak nothing else. The file comes as it is, with every name in it, and
 * the names are taken out on the node: off by default. How an import went is read with `GET` of the upload.
 *
 * @see https://tus.io/protocols/resumable-upload
 */
export class TusRoutes implements AsyncDisposable {
  readonly #options: TusRoutesOptions
  readonly #imports: TusImports
  readonly #store: FileStore
  readonly #server: Server
  readonly #uploaders = new WeakMap<IncomingMessage, Uploader>()
  readonly #timer: NodeJS.Timeout

  private constructor(options: TusRoutesOptions, imports: TusImports) {
    this.#options = options
    this.#imports = imports
    this.#store = new FileStore({ directory: join(options.directory, 'arriving'), expirationPeriodInMilliseconds: options.expiry })
    this.#server = new Server({
      path: UPLOADS_PATH,
      datastore: this.#store,
      maxSize: options.maxBytes,
      relativeLocation: true,
      allowedOrigins: [],
      getFileIdFromRequest: (_request, last) => (last !== undefined && UPLOAD_ID.test(last) ? last : undefined),
      // The client's metadata holds the file's name; ours says whose upload it is.
      onUploadCreate: async request => {
        const { memberId, consultationId } = this.#uploaderOf(request.runtime?.node?.req)
        if ((await this.#unfinished()).length + this.#imports.underWay >= options.maxUploads) throw new RelayFault('overloaded', 'too many uploads')
        return { metadata: { memberId, consultationId } }
      },
      onUploadFinish: async (_request, { id }) => {
        await this.#finish(id)
        return {}
      },
      onResponseError: (_request, error) => ('body' in error && 'status_code' in error ? { status_code: error.status_code, body: error.body } : refusal(error)),
    })
    this.#timer = setInterval(() => void this.#clean(), CLEANING_INTERVAL_MILLIS)
    this.#timer.unref()
  }

  /** Goes on with what arrived whole before. @throws when the directory cannot be used. */
  static async open(options: TusRoutesOptions): Promise<TusRoutes> {
    const arriving = join(options.directory, 'arriving')
    await mkdir(arriving, { recursive: true, mode: 0o700 })
    const imports = await TusImports.open(join(options.directory, 'whole'), arriving, options.importSlide, options.stopping, options.log)
    const names = new Set(await readdir(arriving))
    // Notes of uploads that were taken over just before a crash, and files that nobody can go on with.
    for (const name of names) if (!names.has(name.endsWith('.json') ? name.slice(0, -5) : `${name}.json`)) await rm(join(arriving, name), { force: true })
    const routes = new TusRoutes(options, imports)
    for (const id of await routes.#unfinished()) await routes.#finishIfWhole(id)
    return routes
  }

  /** Adds the routes to a server. */
  addTo(app: FastifyInstance): void {
    void app.register((scope, _options, done) => {
      // The library reads the body itself.
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
      for (const url of [UPLOADS_PATH, `${UPLOADS_PATH}/:id`]) {
        scope.route({ method: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'], url, exposeHeadRoute: false, handler: (request, reply) => this.#handle(request, reply) })
      }
      done()
    })
  }

  /** When everything that arrived whole is a slide, or refused. */
  settled(): Promise<void> {
    return this.#imports.settled()
  }

  /** Waits for the import under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#imports.settled()
  }

  async #handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (request.method === 'OPTIONS') return this.#passOn(request, reply)
    try {
      await using scope = new AsyncDisposableStack()
      const uploader = await this.#authorise(request)
      scope.defer(() => uploader.release())
      const { id } = request.params as { readonly id?: string }
      if (id !== undefined) {
        const state = await this.#stateFor(id, uploader)
        if (state !== undefined) return await answerWhole(request, reply, state)
        if (request.method === 'GET') return await reply.header('cache-control', 'no-store').send({ state: 'receiving' })
      }
      this.#uploaders.set(request.raw, uploader)
      uploader.expired.throwIfAborted()
      const stop = (): void => resetConnection(request.raw.socket)
      uploader.expired.addEventListener('abort', stop, { once: true })
      scope.defer(() => uploader.expired.removeEventListener('abort', stop))
      return await this.#passOn(request, reply)
    } catch (error) {
      const { status_code: status, body } = refusal(error)
      if (status >= 500) this.#options.log.error({ err: error }, 'an upload failed')
      return reply.code(status).header('tus-resumable', TUS_VERSION).type('application/json').send(body)
    }
  }

  async #passOn(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value)
    reply.hijack()
    await this.#server.handle(request.raw, reply.raw)
    return reply
  }

  #authorise(request: FastifyRequest): Promise<Uploader> {
    const token = /^(?:Bearer|DPoP) ([\w.-]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) throw new RelayFault('invitation_refused', 'no invitation')
    return this.#options.authorise(token, request)
  }

  #uploaderOf(request: unknown): Uploader {
    const uploader = this.#uploaders.get(request as IncomingMessage)
    if (uploader === undefined) throw new Error('only who was admitted gets here')
    return uploader
  }

  /** How an upload ended, or undefined while it is received. @throws {RelayFault} `not_found` for one that is not there, or somebody else's. */
  async #stateFor(id: string, uploader: UploadOwner): Promise<ImportState | undefined> {
    if (!UPLOAD_ID.test(id)) throw new RelayFault('not_found', 'no such upload')
    const state = this.#imports.state(id) ?? (await this.#finishIfWhole(id))
    const owner = state?.owner ?? (await this.#ownerOf(id))
    if (owner?.memberId !== uploader.memberId || owner.consultationId !== uploader.consultationId) throw new RelayFault('not_found', 'no such upload')
    return state
  }

  /** A last piece may have arrived with nobody left to hear of it. */
  async #finishIfWhole(id: string): Promise<ImportState | undefined> {
    const upload = await this.#store.getUpload(id).catch(() => undefined)
    if (upload?.size === undefined || upload.offset !== upload.size) return undefined
    await this.#finish(id)
    return this.#imports.state(id)
  }

  async #finish(id: string): Promise<void> {
    const owner = await this.#ownerOf(id)
    if (owner === undefined) throw new RelayFault('not_found', 'no such upload')
    await this.#imports.take(id, owner, Date.now())
    await rm(join(this.#options.directory, 'arriving', `${id}.json`), { force: true })
  }

  async #ownerOf(id: string): Promise<UploadOwner | undefined> {
    const upload = await this.#store.configstore.get(id).catch(() => undefined)
    return UploadOwner.safeParse(upload?.metadata).data
  }

  async #unfinished(): Promise<string[]> {
    return (await this.#store.configstore.list?.()) ?? []
  }

  async #clean(): Promise<void> {
    try {
      await this.#server.cleanUpExpiredUploads()
      await this.#imports.expire(Date.now() - this.#options.expiry)
    } catch (error) {
      this.#options.log.warn({ err: error }, 'expired uploads could not all be deleted')
    }
  }
}

/** An upload that arrived whole: a client that asks where to go on hears that nothing is missing. */
function answerWhole({ method }: FastifyRequest, reply: FastifyReply, { state, size, slideId, code }: ImportState): FastifyReply {
  void reply.header('cache-control', 'no-store').header('tus-resumable', TUS_VERSION)
  if (method === 'HEAD') return reply.code(200).header('upload-offset', size).header('upload-length', size).send()
  if (method === 'GET') return reply.send({ state, ...(slideId === undefined ? {} : { slideId }), ...(code === undefined ? {} : { code }) })
  // Nothing can be added to it, and it is no longer the client's to delete.
  return reply.code(409).send({ code: 'wrong_state' })
}

function refusal(error: unknown): { status_code: number; body: string } {
  const { code } = toFault(error)
  return { status_code: STATUS[code] ?? 500, body: JSON.stringify({ code }) }
}
