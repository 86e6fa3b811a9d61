import { RelayFault } from '../relay/wire/fault.ts'
import { systemClock } from '../relay/runtime/clock.ts'
import { decodeClientRequest, SIGNALING_LIMITS } from '../relay/wire/signaling.ts'
import { bitsPerSecond, rtpTimestamp } from '../relay/wire/units.ts'
import { openLinkIngest } from './links/link-ingest.ts'
import { openSdpIngest } from './sdp-ingest.ts'
import { Session } from './session.ts'
import { TokenBucket } from './signaling/token-bucket.ts'
import { stillSourceHandlers } from './stills/still-handlers.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { PublicationId } from '../relay/wire/ids.ts'
import type { TrafficClass } from '../relay/wire/link.ts'
import type { MemberProtocol, ReplyData, RequestOf } from '../relay/wire/signaling.ts'
import type { Consultation, Notify } from './consultation.ts'
import type { LinkIngest } from './links/link-ingest.ts'
import type { NodeLink } from './links/node-links.ts'
import type { PublishedMedia } from './published-media.ts'
import type { Handlers, SessionRequest } from './session.ts'

/** Notifications that are carried by the link where there is one: they concern what flows on it. */
const BY_LINK: ReadonlySet<string> = new Set(['demandChanged', 'stageCommanded', 'stageStopped'])
/** Requests that may come by the link, and get no reply there. */
const FROM_LINK: ReadonlySet<string> = new Set(['reportStage', 'reportCapture', 'reportUplink'])

/** What comes by a link and what became of it. */
interface ControlMessages {
  readonly rate: TokenBucket
  refused: number
}

/** A capture agent's stay: it publishes, and says how its source is doing. */
export class MicroscopeSession extends Session {
  readonly #consultation: Consultation
  readonly #way: { link: NodeLink | undefined }
  readonly #log: Logger
  #ingest: LinkIngest | undefined

  constructor(admission: Admission, consultation: Consultation, notify: Notify, log: Logger, protocol?: MemberProtocol) {
    const way: { link: NodeLink | undefined } = { link: undefined }
    super(admission, notification => {
      const isSent = way.link !== undefined && BY_LINK.has(notification.type) && way.link.sendControl(Buffer.from(JSON.stringify(notification)))
      // A stop goes by every way there is: the one that comes first stops.
      if (!isSent || notification.type === 'stageStopped') notify(notification)
    }, protocol)
    this.#consultation = consultation
    this.#way = way
    this.#log = log.child({ sessionId: this.sessionId })
  }

  protected override readonly handlers: Handlers<'microscope'> = {
    readIceServers: () => ({ iceServers: this.#consultation.iceServersFor(this) }),
    publish: request => this.#publish(request),
    openLink: request => this.#openLink(request),
    publishLink: request => this.#publishLink(request),
    reportSource: request => this.#reportSource(request),
    reportUplink: request => {
      this.#requirePublication(request.publicationId).flow.uplinkEstimated(bitsPerSecond(request.bitsPerSecond))
      return {}
    },
    reportStage: request => {
      this.#requirePublication(request.publicationId)
      this.#consultation.stage.report(request.state)
      this.#consultation.recordings?.note(segment => ({ type: 'stage', segment, state: request.state }))
      return {}
    },
    reportCapture: request => {
      this.#requirePublication(request.publicationId)
      this.#consultation.reportCapture(rtpTimestamp(request.rtpTimestamp), request.capturedAtMillis)
      return {}
    },
    reportDigests: request => {
      const { sentDigests } = this.#requirePublication(request.publicationId)
      for (const window of request.windows) sentDigests.push(window)
      return {}
    },
    ...stillSourceHandlers(() => this.#consultation.stills),
  }

  protected override release(): void {
    // Its publication belongs to the consultation, which ends it when this session closes.
    this.#way.link?.close(new RelayFault('unavailable', 'the session closed'))
  }

  async #publish(request: RequestOf<'publish'>): Promise<ReplyData<'publish'>> {
    let sdp = ''
    const { publicationId } = await this.#consultation.publish(this, request, async room => {
      const { media, answer } = await openSdpIngest(await room.createWebRtcTransport(), request)
      sdp = answer
      return media
    })
    return { publicationId, sdp }
  }

  #openLink({ paths }: RequestOf<'openLink'>): ReplyData<'openLink'> {
    this.#way.link?.close(new RelayFault('conflict', 'replaced by a newer link'))
    const { link, reply } = this.#consultation.openLink(this.memberId, this.role, paths)
    this.#way.link = link
    const messages: ControlMessages = { rate: new TokenBucket(SIGNALING_LIMITS.requestsPerSecond, SIGNALING_LIMITS.requestBurst, systemClock.now()), refused: 0 }
    link.listen({ onLive: (flow, packet) => this.#ingest?.take(flow, packet), onMessage: (id, body) => void this.#receive(id, body, messages) })
    void link.lost.then(({ code }) => {
      this.#log.info({ link: link.contract.name, code, refusedMessages: messages.refused }, 'link closed')
      if (this.#way.link === link) this.#way.link = undefined
    })
    return reply
  }

  async #publishLink(request: RequestOf<'publishLink'>): Promise<ReplyData<'publishLink'>> {
    const { link } = this.#way
    if (link === undefined) throw new RelayFault('wrong_state', 'open a link first')
    if (!link.contract.allowedClasses.includes('live')) throw new RelayFault('unavailable', 'this link may not carry live tracks')
    const { publicationId } = await this.#consultation.publish(this, request, async room => {
      const ingest = await openLinkIngest(await room.createPlainTransport(), request)
      this.#ingest = ingest
      const { transport, producers, digests } = ingest
      return { transport, producers, digests, linkName: link.contract.name, clockOffset: () => link.clockOffset, lost: link.lost }
    })
    return { publicationId }
  }

  /** What comes by the link is worth as much as what comes by signaling; there is nobody to tell of a mistake. */
  async #receive(id: TrafficClass, body: Buffer, messages: ControlMessages): Promise<void> {
    if (id !== 'control') return
    if (!messages.rate.take(systemClock.now())) {
      messages.refused++
      return
    }
    try {
      const request = decodeClientRequest(body.toString('utf8'))
      if (FROM_LINK.has(request.type)) await this.handle(request as SessionRequest)
    } catch (error) {
      messages.refused++
      // A fault is of an earlier publication, or nonsense.
      if (!(error instanceof RelayFault)) this.#log.error({ err: error }, 'a message of a link could not be handled')
    }
  }

  #reportSource(request: RequestOf<'reportSource'>): ReplyData<'reportSource'> {
    this.#requirePublication(request.publicationId)
    this.#consultation.reportSource(request.source)
    return {}
  }

  /** @throws {RelayFault} `wrong_state` when it is not the current one. */
  #requirePublication(publicationId: PublicationId): PublishedMedia {
    const published = this.#consultation.published
    if (published?.publicationId !== publicationId) throw new RelayFault('wrong_state', 'that publication is over')
    return published
  }
}
