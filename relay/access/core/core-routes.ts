import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { ConsultationEntry } from '../consultations/consultation-entry.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FacilityId, NodeId } from '../../wire/access.ts'
import type { CoreDesk } from './core-desk.ts'
import type { CoreMessage } from './core-stream.ts'

/** A node that has more than this unread is let go. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024

/** Who asks the core, by the certificate of the connection and the registry. */
export interface CorePeer {
  readonly nodeId: NodeId
  readonly facilityId: FacilityId
  readonly kind: 'node' | 'agent'
}

/** What the routes of the core stand on. */
export interface CoreRoutesOptions {
  readonly desk: CoreDesk
  /** @throws {RelayFault} `certificate_refused`, `registry_refused` or `access_revoked`. */
  readonly authenticate: (request: FastifyRequest) => CorePeer
}

/** What nodes ask of the core: its stream, and to be told of new cases. */
export class CoreRoutes {
  readonly #options: CoreRoutesOptions

  constructor(options: CoreRoutesOptions) {
    this.#options = options
  }

  addTo(app: FastifyInstance): void {
    const { desk, authenticate } = this.#options
    app.get('/core/stream', (request, reply) => {
      const peer = authenticate(request)
      this.#requireNode(peer)
      stream(desk, peer.nodeId, reply)
    })
    app.get('/core/consultations', request => {
      const { facilityId } = authenticate(request)
      return { consultations: desk.store.consultations().filter(({ hostFacilityId, participants }) => hostFacilityId === facilityId || participants.includes(facilityId)) }
    })
    app.get('/core/consents', request => {
      const { facilityId } = authenticate(request)
      return { consents: desk.store.consents().filter(({ consultationId }) => desk.store.consultation(consultationId)?.hostFacilityId === facilityId) }
    })
    app.put<{ Params: { consultationId: string } }>('/core/consultations/:consultationId', (request, reply) => {
      const peer = authenticate(request)
      const entry = ConsultationEntry.safeParse(request.body)
      if (!entry.success || entry.data.consultationId !== request.params.consultationId) throw new RelayFault('bad_message', entry.success ? 'the body names another consultation' : z.prettifyError(entry.error))
      const known = desk.store.consultation(entry.data.consultationId)
      const owner = known?.hostFacilityId ?? entry.data.hostFacilityId
      if (owner !== peer.facilityId || entry.data.hostFacilityId !== peer.facilityId) throw new RelayFault('policy_refused', 'a consultation is opened by the facility where the patient is')
      desk.putConsultation(entry.data)
      return reply.code(204).send()
    })
  }

  #requireNode({ kind }: CorePeer): void {
    if (kind !== 'node') throw new RelayFault('policy_refused', 'only nodes hear the core')
  }
}

function stream(desk: CoreDesk, nodeId: NodeId, reply: FastifyReply): void {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  const tell = (message: CoreMessage): boolean => {
    raw.write(`${JSON.stringify(message)}\n`)
    return raw.writableLength < MAX_UNREAD_BYTES
  }
  const leave = desk.attend({ nodeId, tell, close: () => raw.destroy() })
  raw.once('close', leave)
}
