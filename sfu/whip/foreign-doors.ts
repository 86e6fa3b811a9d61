import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { ForeignSession } from './foreign-session.ts'
import { readForeignOffer } from './foreign-offer.ts'
import { WhepViewing } from './whep-viewing.ts'
import { WhipPublication } from './whip-publication.ts'
import { RENDITION_CODECS } from '../../relay/wire/pyramid.ts'
import type { Possession } from '../../relay/access/grants/proof-of-possession.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { RenditionId, SessionId } from '../../relay/wire/ids.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { IceServer } from '../../relay/wire/webrtc.ts'
import type { AccessRecord } from '../access/recorded-member.ts'
import type { Consultation } from '../consultation.ts'
import type { ConsultationRegistry } from '../consultation-registry.ts'
import type { MicroscopeSession } from '../microscope-session.ts'
import type { Session } from '../session.ts'
import type { ForeignOffer } from './foreign-offer.ts'
import type { ForeignMetrics } from './foreign-metrics.ts'
import type { ForeignProtocol } from './foreign-session.ts'
import type { WhipMedia } from './whip-publication.ts'

/** Where it is recorded who comes and goes. */
export interface ForeignRecorder extends AccessRecord {
  left(member: Admission, sessionId: SessionId): void
}

/** What the doors need of the node. */
export interface ForeignDoorsOptions {
  /** @throws {RelayFault} `invitation_refused` or `invitation_expired`. */
  verify(token: string, possession: Possession): Promise<Admission>
  readonly consultations: Pick<ConsultationRegistry, 'find' | 'open'>
  /** Without it nothing is recorded. */
  readonly recorder?: ForeignRecorder | undefined
  /** Without it nothing is counted. */
  readonly metrics?: ForeignMetrics | undefined
  readonly log: Logger
}

/** What is asked for by each door. */
const ACTIONS = { whip: 'publish_live', whep: 'view_live' } as const
/** Who may come by which. */
const ROLES: Readonly<Record<ForeignProtocol, Role>> = { whip: 'microscope', whep: 'viewer' }

/** A session that was opened, and what its client is told. */
export interface OpenedForeignSession {
  readonly session: ForeignSession
  readonly answer: string
  /** Relays that the client may use. */
  readonly iceServers: readonly IceServer[]
}

/** Lets clients in that speak WHIP or WHEP, and keeps what of theirs is open. */
export class ForeignDoors {
  readonly #options: ForeignDoorsOptions
  readonly #sessions = new Map<string, ForeignSession>()

  constructor(options: ForeignDoorsOptions) {
    this.#options = options
  }

  /**
   * Who asks. What it gives is to be released, or handed to {@link openWhip} or {@link openWhep}.
   *
   * @param authorization - The header's value. @see RFC 6750 section 2.1, RFC 9449 section 7.1
   * @throws {RelayFault} `invitation_refused`, `invitation_expired`, `token_refused`; `wrong_role`; `policy_refused`.
   */
  async admit(authorization: string | undefined, protocol: ForeignProtocol, possession: Possession): Promise<Admission> {
    const token = /^(?:Bearer|DPoP) ([\w.-]{1,4096})$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) throw new RelayFault('invitation_refused', 'an invitation is needed')
    const admission = await this.#options.verify(token, possession)
    if (admission.role === ROLES[protocol] && admission.allows(ACTIONS[protocol])) return admission
    admission.release()
    if (admission.role === ROLES[protocol]) admission.require(ACTIONS[protocol])
    throw new RelayFault('wrong_role', `an invitation of a ${ROLES[protocol]} is needed`)
  }

  /** A session of whoever asks. @throws {RelayFault} `not_found`; `grant_refused` for somebody else's. */
  session(id: string, protocol: ForeignProtocol, admission: Admission): ForeignSession {
    const session = this.#sessions.get(id)
    if (session?.protocol !== protocol) throw new RelayFault('not_found', 'there is no such session')
    if (!session.belongsTo(admission)) throw new RelayFault('grant_refused', 'this session is of another member')
    return session
  }

  /**
   * Takes a microscope's offer.
   *
   * @throws {RelayFault} `bad_message`, `unsupported_media`; `conflict` while another microscope is present; `overloaded`, `unavailable`, `invitation_expired`.
   */
  openWhip(admission: Admission, sdp: string): Promise<OpenedForeignSession> {
    return this.#owning(admission, 'publish', async () => {
      const offer = readForeignOffer(sdp, 'send', RENDITION_CODECS)
      if (this.#options.recorder !== undefined) await this.#record(this.#options.recorder, admission, 'publish')
      const consultation = this.#options.consultations.open(admission)
      try {
        consultation.requireMicroscope(admission)
        // Whoever publishes now is replaced only by what can be received.
        const media = await WhipPublication.receive(await consultation.room(), offer)
        return await this.#settleWhip(consultation, admission, offer, media)
      } finally {
        consultation.closeIfEmpty()
      }
    })
  }

  async #settleWhip(consultation: Consultation, admission: Admission, offer: ForeignOffer, media: WhipMedia): Promise<OpenedForeignSession> {
    const { transport } = media
    const member = this.#admitWhip(consultation, admission, transport)
    return this.#settling(member, async () => {
      void member.closed.then(() => transport.close())
      const { answer } = await WhipPublication.begin(consultation, member, offer, media, this.#options.log)
      return { session: this.#keep({ protocol: 'whip', admission, member, offer, transport }), answer, iceServers: consultation.iceServersFor(member) }
    })
  }

  /** Gives a WHIP client its place, or closes what it would have sent by. */
  #admitWhip(consultation: Consultation, admission: Admission, transport: { close(): void }): MicroscopeSession {
    try {
      admission.expired.throwIfAborted()
      // Everybody else may have left meanwhile, and the consultation with them.
      if (consultation.isOver) throw new RelayFault('unavailable', 'the consultation ended meanwhile')
      // WHIP has no word for stills: whoever asks for one hears so at once.
      return consultation.admitMicroscope(admission, notification => {
        if (notification.type === 'stillWanted') consultation.stills?.report(notification.stillId, 'unsupported_media')
      }, 'whip')
    } catch (error) {
      transport.close()
      throw error
    }
  }

  /**
   * Takes a viewer's offer.
   *
   * @throws {RelayFault} `bad_message`, `unsupported_media`; `wrong_state` while nothing is published; `not_found` for a rendition that there is not; `overloaded`, `unavailable`, `invitation_expired`.
   */
  openWhep(admission: Admission, sdp: string, renditionId: RenditionId = OVERVIEW): Promise<OpenedForeignSession> {
    return this.#owning(admission, 'view_live', async () => {
      if (this.#options.recorder !== undefined) await this.#record(this.#options.recorder, admission, 'view_live')
      const consultation = this.#options.consultations.find(admission.consultationId)
      const { offer, published } = this.#readWatching(consultation, sdp, renditionId)
      if (consultation === undefined) throw new Error('nothing is published where there is no consultation')
      const member = consultation.admitViewer(admission, () => undefined, 'whep')
      return this.#settling(member, async () => {
        const viewing = await WhepViewing.open(await consultation.room(), published, renditionId, offer, admission.media)
        member.adopt(viewing)
        // Whoever left meanwhile shall not be counted among those that something flows to.
        if (member.isClosed) throw await member.closed
        void published.closed.then(reason => member.close(reason))
        await viewing.start()
        return { session: this.#keep({ protocol: 'whep', admission, member, offer, transport: viewing.transport }), answer: viewing.answer(offer), iceServers: consultation.iceServersFor(member) }
      })
    })
  }

  /** Before it is done. @throws {RelayFault} `not_recorded`. */
  async #record(recorder: ForeignRecorder, admission: Admission, access: 'publish' | 'view_live'): Promise<void> {
    await Promise.all([recorder.doing(admission, 'join'), recorder.doing(admission, access)])
    admission.expired.throwIfAborted()
  }

  #readWatching(consultation: Consultation | undefined, sdp: string, renditionId: RenditionId): { readonly offer: ForeignOffer; readonly published: NonNullable<Consultation['published']> } {
    const published = consultation?.published
    if (published === undefined) throw new RelayFault('wrong_state', 'nothing is published')
    const rendition = published.pyramid.renditions.find(({ id }) => id === renditionId)
    if (rendition === undefined) throw new RelayFault('not_found', 'there is no such rendition')
    return { published, offer: readForeignOffer(sdp, 'receive', [rendition.codec]) }
  }

  #keep(parts: ConstructorParameters<typeof ForeignSession>[0]): ForeignSession {
    const session = new ForeignSession(parts)
    const { protocol, member } = parts
    const log = this.#options.log.child({ sessionId: member.sessionId })
    log.info({ protocol }, 'foreign session opened')
    this.#sessions.set(session.id, session)
    this.#options.metrics?.sessions.inc({ protocol })
    void member.closed.then(({ code }) => {
      this.#options.recorder?.left(parts.admission, member.sessionId)
      this.#sessions.delete(session.id)
      this.#options.metrics?.sessions.dec({ protocol })
      log.info({ protocol, code }, 'foreign session closed')
    })
    return session
  }

  /** Releases the admission unless a member took it over. */
  async #owning<Value>(admission: Admission, access: 'publish' | 'view_live', open: () => Promise<Value>): Promise<Value> {
    const count = (outcome: string): void => this.#options.metrics?.opened.inc({ protocol: access === 'publish' ? 'whip' : 'whep', outcome })
    try {
      const opened = await open()
      count('ok')
      return opened
    } catch (error) {
      count(toFault(error).code)
      this.#options.recorder?.failed(admission, access, error)
      admission.release()
      throw error
    }
  }

  /** Ends the member's stay when what it came for does not come about. */
  async #settling<Value>(member: Session, open: () => Promise<Value>): Promise<Value> {
    try {
      return await open()
    } catch (error) {
      member.close(error instanceof RelayFault ? error : new RelayFault('internal', 'the session could not be opened'))
      throw error
    }
  }
}
