import { RelayFault } from '../../relay/wire/fault.ts'
import { PREFLIGHT_LIMITS } from '../../relay/wire/preflight.ts'
import { nodeTimeMillis } from '../capture-clock.ts'
import { SlideAccess, watching } from '../slides/slide-access.ts'
import { refuseByCode } from '../slides/slide-replies.ts'
import { PreflightShelf } from './preflight-shelf.ts'
import { SyntheticLoad } from './synthetic-load.ts'
import type { VerifyToken } from '../slides/slide-access.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import type { ReplyData, RequestOf } from '../../relay/wire/signaling.ts'
import type { Handlers } from '../session.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DirectTransport } from 'mediasoup/types'

/** What {@link NodePreflight} stands on. */
export interface NodePreflightOptions {
  readonly stateDir: string
  readonly verify: VerifyToken
  readonly clock: Clock
  readonly log: Logger
}

/** A transport that a load can be sent on. */
export interface LoadTarget {
  consumeLoad(producerId: string, capabilities: RequestOf<'loadTransport'>['rtpCapabilities']): Promise<ReplyData<'loadTransport'>>
}

/** Who checks, and where. */
export interface CheckingMember {
  readonly memberId: MemberId
  readonly consultationId: ConsultationId
  /** @throws {RelayFault} `unavailable` */
  openDirectTransport(): Promise<DirectTransport>
  /** @throws {RelayFault} `wrong_state` or `not_found`. */
  target(transportId: RequestOf<'loadTransport'>['transportId']): LoadTarget
  /** Settles when the member leaves. Never rejects. */
  readonly closed: Promise<unknown>
}

/** The node's half of the check before the case: loads to measure lines with, what is kept of checks, and the routes below `/preflight`. */
export class NodePreflight implements Disposable {
  readonly #options: NodePreflightOptions
  readonly #access: SlideAccess
  readonly #shelf: PreflightShelf
  readonly #loading = new Map<CheckingMember, SyntheticLoad>()
  #opening = 0
  readonly #uploading = new Set<MemberId>()

  constructor(options: NodePreflightOptions) {
    this.#options = options
    this.#access = new SlideAccess(options.verify)
    this.#shelf = new PreflightShelf(options.stateDir)
  }

  /** How the node is. */
  async read(): Promise<ReplyData<'readPreflight'>> {
    return { diskFreeBytes: (await this.#shelf.freeBytes()) ?? null, nodeTimeMillis: nodeTimeMillis() }
  }

  /** Keeps what a member found, in place of its last. @throws {RelayFault} `quota_exceeded`, `storage_full`. */
  async keep({ consultationId, memberId }: CheckingMember, { end, results }: RequestOf<'reportPreflight'>): Promise<void> {
    await this.#shelf.keep(consultationId, { memberId, end, takenAtMillis: nodeTimeMillis(), results })
  }

  /** Adds the routes below `/preflight`. */
  addTo(app: FastifyInstance): void {
    void app.register(
      (scope, _options, done) => {
        this.#addRoutes(scope)
        done()
      },
      { prefix: '/preflight' },
    )
  }

  [Symbol.dispose](): void {
    for (const load of this.#loading.values()) load[Symbol.dispose]()
    this.#loading.clear()
    this.#access[Symbol.dispose]()
  }

  /**
   * Sends a load. A second one of a member takes the place of the first.
   *
   * @throws {RelayFault} `overloaded`, `unavailable`, `unsupported_media`; of the transport, `wrong_state` and `not_found`.
   */
  async load(member: CheckingMember, { transportId, rtpCapabilities, bitsPerSecond, seconds }: RequestOf<'loadTransport'>): Promise<ReplyData<'loadTransport'>> {
    const target = member.target(transportId)
    this.#end(member)
    if (this.#loading.size + this.#opening >= PREFLIGHT_LIMITS.loads) throw new RelayFault('overloaded', 'others are checking their lines; try again in half a minute')
    this.#opening++
    try {
      const load = await SyntheticLoad.open(await member.openDirectTransport(), bitsPerSecond, seconds)
      try {
        const reply = await target.consumeLoad(load.producer.id, rtpCapabilities)
        this.#loading.set(member, load)
        load.start(() => this.#options.clock.now(), () => this.#forget(member, load))
        void member.closed.then(() => this.#end(member))
        return reply
      } catch (error) {
        load[Symbol.dispose]()
        throw error
      }
    } finally {
      this.#opening--
    }
  }

  #end(member: CheckingMember): void {
    this.#loading.get(member)?.[Symbol.dispose]()
    this.#loading.delete(member)
  }

  #forget(member: CheckingMember, load: SyntheticLoad): void {
    if (this.#loading.get(member) === load) this.#loading.delete(member)
  }

  #addRoutes(app: FastifyInstance): void {
    refuseByCode(app, this.#options.log)
    app.addHook('onRequest', async (_request, reply) => void reply.header('cache-control', 'no-store'))
    app.addContentTypeParser('application/octet-stream', (_request, body, done) => done(null, body))

    app.get('/', async request => {
      const { consultationId } = await this.#access.grant(request, watching(null))
      return { reports: await this.#shelf.list(consultationId) }
    })

    app.post('/upload', async (request, reply) => {
      const { memberId } = await this.#access.grant(request, watching(null))
      if (this.#uploading.has(memberId)) throw new RelayFault('overloaded', 'this member is uploading already')
      this.#uploading.add(memberId)
      try {
        await drain(request)
      } finally {
        this.#uploading.delete(memberId)
      }
      return reply.code(204).send()
    })
  }
}

/** What a viewer asks. @param desk - As it is when it is asked, as is `member`. */
export const preflightHandlers = (desk: () => NodePreflight, member: () => CheckingMember): Pick<Handlers<'viewer'>, 'readPreflight' | 'loadTransport' | 'reportPreflight'> => ({
  readPreflight: () => desk().read(),
  loadTransport: request => desk().load(member(), request),
  reportPreflight: async request => {
    await desk().keep(member(), request)
    return {}
  },
})

/** Reads a body and forgets it. @throws {RelayFault} `bad_message` for one that is too long, or none. */
async function drain(request: FastifyRequest): Promise<void> {
  const { body } = request
  if (!(body instanceof Object) || !(Symbol.asyncIterator in body)) throw new RelayFault('bad_message', 'an upload is application/octet-stream')
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > PREFLIGHT_LIMITS.uploadBytes) throw new RelayFault('bad_message', 'the upload is too long')
  }
}
