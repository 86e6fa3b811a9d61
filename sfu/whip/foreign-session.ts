import { randomBytes, randomUUID } from 'node:crypto'
import { RelayFault } from '../../relay/wire/fault.ts'
import { connectionLost } from '../sdp-ingest.ts'
import { writeIceFragment } from './ice-fragment.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { Session } from '../session.ts'
import type { ForeignOffer } from './foreign-offer.ts'
import type { IceFragment } from './ice-fragment.ts'
import type { WebRtcTransport } from 'mediasoup/types'

/** The two protocols, which are also the paths of their endpoints. */
export type ForeignProtocol = 'whip' | 'whep'

/** A client that is not connected so long after its offer, or its ICE restart, does not come, in milliseconds. */
const CONNECT_WITHIN_MILLIS = 30_000

/** What a session is made from. */
export interface ForeignSessionParts {
  readonly protocol: ForeignProtocol
  readonly admission: Admission
  readonly member: Session
  readonly offer: ForeignOffer
  readonly transport: WebRtcTransport
}

/** What a PATCH did. */
export type PatchOutcome = { readonly isRestarted: false } | { readonly isRestarted: true; readonly fragment: string }

/** The HTTP side of one WHIP or WHEP session, with its ICE session. It ends with its member's stay, and the other way round. */
export class ForeignSession {
  readonly id = randomUUID()
  readonly protocol: ForeignProtocol
  readonly member: Session
  readonly #admission: Admission
  readonly #offer: ForeignOffer
  readonly #transport: WebRtcTransport
  #iceUfrag: string
  #etag = newEntityTag()
  #timer: NodeJS.Timeout | undefined

  constructor({ protocol, admission, member, offer, transport }: ForeignSessionParts) {
    this.protocol = protocol
    this.member = member
    this.#admission = admission
    this.#offer = offer
    this.#transport = transport
    this.#iceUfrag = offer.iceUfrag
    this.#awaitConnection()
    const observer: Pick<WebRtcTransport['observer'], 'once'> = transport.observer
    observer.once('close', () => member.close(new RelayFault('unavailable', 'the media transport closed')))
    void connectionLost(transport).then(reason => member.close(reason))
    void member.closed.then(() => {
      clearTimeout(this.#timer)
      transport.close()
    })
  }

  /** Strong entity tag of the present ICE session. @see RFC 9725 section 4.3.1 */
  get etag(): string {
    return this.#etag
  }

  /** Whether a later request comes from whom the session belongs to. */
  belongsTo({ consultationId, memberId, role }: Admission): boolean {
    const own = this.#admission
    return own.consultationId === consultationId && own.memberId === memberId && own.role === role
  }

  /** Whether an `If-Match` means the present ICE session. */
  matches(ifMatch: string): boolean {
    return ifMatch.trim() === '*' || ifMatch.split(',').some(tag => tag.trim() === this.#etag)
  }

  /**
   * Takes a fragment: candidates are for nothing here, other credentials are an ICE restart.
   *
   * @throws {RelayFault} `bad_message` for half of the credentials; `unavailable` when it cannot be done. The session goes on.
   */
  async patch({ iceUfrag, hasPassword }: IceFragment): Promise<PatchOutcome> {
    if (iceUfrag === undefined || iceUfrag === this.#iceUfrag) return { isRestarted: false }
    if (!hasPassword) throw new RelayFault('bad_message', 'an ICE restart needs a password')
    try {
      const iceParameters = await this.#transport.restartIce()
      this.#iceUfrag = iceUfrag
      this.#etag = newEntityTag()
      this.#awaitConnection()
      return { isRestarted: true, fragment: writeIceFragment(this.#offer, { iceParameters, iceCandidates: this.#transport.iceCandidates }) }
    } catch (cause) {
      throw new RelayFault('unavailable', 'ICE cannot be restarted', { cause })
    }
  }

  #awaitConnection(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!['connected', 'completed'].includes(this.#transport.iceState)) this.member.close(new RelayFault('timeout', 'the client did not connect'))
    }, CONNECT_WITHIN_MILLIS).unref()
  }
}

const newEntityTag = (): string => `"${randomBytes(9).toString('base64url')}"`
