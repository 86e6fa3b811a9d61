import { RelayFault } from '../relay/wire/fault.ts'
import { systemClock } from '../relay/runtime/clock.ts'
import { nodeTimeMillis } from './capture-clock.ts'
import { pointingHandlers } from './instruments/pointing-handlers.ts'
import { stageHandlers } from './instruments/stage-handlers.ts'
import { RecordingSeat } from './recording/recording-handlers.ts'
import { preflightHandlers } from './preflight/node-preflight.ts'
import { Session } from './session.ts'
import { stillHandlers } from './stills/still-handlers.ts'
import { ViewerExperience } from './viewer-experience.ts'
import { voiceHandlers } from './voice/voice-handlers.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { PublicationId, TransportId } from '../relay/wire/ids.ts'
import type { Flow, MemberProtocol, ReplyData, RequestOf } from '../relay/wire/signaling.ts'
import type { MemberColour } from '../relay/wire/slide-sharing.ts'
import type { Consultation, Notify } from './consultation.ts'
import type { NodeLink } from './links/node-links.ts'
import type { CheckingMember } from './preflight/node-preflight.ts'
import type { PublishedMedia } from './published-media.ts'
import type { Handlers } from './session.ts'
import type { ReceivedMedia, ViewerMedia } from './viewer-media.ts'
import type { DtlsParameters } from 'mediasoup/types'

/** A pathologist's stay, or a technician's, who may ask less: one receiving transport, and the renditions that flow on it. */
export class ViewerSession extends Session {
  /** What it says of the picture at its end. */
  readonly experience = new ViewerExperience()
  readonly #consultation: Consultation
  #media: ViewerMedia | undefined
  #adopted: ReceivedMedia | undefined
  readonly #colour: MemberColour
  #link: NodeLink | undefined
  /** What it does with recordings. */
  readonly #recordings: RecordingSeat
  #checking: CheckingMember | undefined

  constructor(admission: Admission, consultation: Consultation, notify: Notify, colour: MemberColour, protocol?: MemberProtocol) {
    const seat = new RecordingSeat(consultation, admission.memberId, notify)
    super(admission, notification => {
      // Whoever watches a replay hears of the live image when it comes back to it.
      if (notification.type !== 'publicationChanged' || !seat.isReplaying) notify(notification)
    }, protocol)
    this.#recordings = seat
    this.#consultation = consultation
    this.#colour = colour
  }

  override get colour(): MemberColour {
    return this.#colour
  }

  /** Its transport and consumers, once it made them. */
  get media(): ReceivedMedia | undefined {
    return this.#media ?? this.#adopted
  }

  /** Takes over media that another protocol than signaling brought about. */
  adopt(media: ReceivedMedia): void {
    if (this.isClosed) media.close()
    else this.#adopted = media
  }

  protected override readonly handlers: Handlers<'viewer'> = {
    createTransport: () => this.#createTransport(),
    connectTransport: async ({ transportId, dtlsParameters }) => {
      await this.#transport(transportId).connect(dtlsParameters as DtlsParameters)
      return {}
    },
    restartIce: async ({ transportId }) => {
      const { usernameFragment, password, iceLite } = await this.#transport(transportId).transport.restartIce()
      return { iceParameters: { usernameFragment, password, ...(iceLite === undefined ? {} : { iceLite }) } }
    },
    subscribe: request => this.#subscribe(request),
    watch: request => this.#watch(request),
    moveStage: ({ publicationId, target, rtpTimestamp }) => {
      this.#published(publicationId)
      return { command: this.#consultation.stage.move(this, { target, rtpTimestamp }) }
    },
    ...stageHandlers(() => this.#consultation.stage, this),
    ...pointingHandlers(() => this.#consultation.pointing, this),
    readClock: () => ({ nodeTimeMillis: nodeTimeMillis() }),
    reportExperience: request => this.#reportExperience(request),
    openLink: request => this.#openLink(request),
    pointAtSlide: ({ slideId, at }) => {
      this.#consultation.sharing.point(this, slideId, at)
      return {}
    },
    leadSlide: ({ lead }) => {
      this.#consultation.sharing.lead(this, lead)
      return {}
    },
    ...preflightHandlers(() => this.#consultation.preflight, () => this.#asChecking()),
    ...stillHandlers(() => this.#consultation.stills, this),
    ...voiceHandlers(() => this.#consultation.voice, this, () => this.#consultation.iceServersFor(this)),
    startRecording: request => this.#recordings.handlers.startRecording(request),
    stopRecording: request => this.#recordings.handlers.stopRecording(request),
    openReplay: request => this.#recordings.handlers.openReplay(request),
    controlReplay: request => this.#recordings.handlers.controlReplay(request),
    closeReplay: request => this.#recordings.handlers.closeReplay(request),
  }

  /** The same one each time: what it loads is known by it. */
  #asChecking(): CheckingMember {
    return (this.#checking ??= {
      memberId: this.memberId,
      consultationId: this.#consultation.id,
      openDirectTransport: async () => (await this.#consultation.room()).createDirectTransport(),
      target: transportId => this.#transport(transportId),
      closed: this.closed,
    })
  }

  protected override release(): void {
    this.#recordings.close()
    this.#media?.close()
    this.#adopted?.close()
    this.#link?.close(new RelayFault('unavailable', 'the session closed'))
  }

  /** For whoever measures the line from here. What it carries goes nowhere. */
  #openLink({ paths }: RequestOf<'openLink'>): ReplyData<'openLink'> {
    this.#link?.close(new RelayFault('conflict', 'replaced by a newer link'))
    const { link, reply } = this.#consultation.openLink(this.memberId, this.role, paths)
    this.#link = link
    return reply
  }

  async #createTransport(): Promise<ReplyData<'createTransport'>> {
    this.#media?.close()
    this.#media = undefined
    const room = await this.#consultation.room()
    const media = await room.createViewerMedia(flow => this.#tellFlow(flow), this.granted)
    // The member may have left while the worker was busy.
    if (this.isClosed) {
      media.close()
      throw new RelayFault('wrong_state', 'the session is closed')
    }
    this.#media = media
    return { ...media.describe(), iceServers: this.#consultation.iceServersFor(this) }
  }

  async #subscribe(request: RequestOf<'subscribe'>): Promise<ReplyData<'subscribe'>> {
    const media = this.#transport(request.transportId)
    return media.subscribe(this.#watched(request.publicationId), request.rtpCapabilities)
  }

  async #watch(request: RequestOf<'watch'>): Promise<ReplyData<'watch'>> {
    const media = this.#media
    if (media?.published === undefined || media.published !== this.#watched(request.publicationId)) {
      throw new RelayFault('wrong_state', 'subscribe to that publication first')
    }
    return media.watch(request)
  }

  #reportExperience({ type: _type, requestId: _requestId, ...experience }: RequestOf<'reportExperience'>): ReplyData<'reportExperience'> {
    // What is seen of a replay says nothing of the microscope's line.
    if (this.#recordings.published(experience.publicationId) !== undefined) return {}
    const { linkName: link } = this.#published(experience.publicationId)
    this.experience.report({ ...experience, link }, systemClock.now())
    return {}
  }

  #tellFlow(flow: Flow): void {
    const publicationId = this.#media?.published?.publicationId
    if (publicationId !== undefined) this.notify({ type: 'flowChanged', publicationId, ...flow })
  }

  #transport(transportId: TransportId): ViewerMedia {
    if (this.#media === undefined) throw new RelayFault('wrong_state', 'create a transport first')
    if (this.#media.transport.id !== transportId) throw new RelayFault('not_found', 'that transport is gone')
    if (this.#media.transport.closed) throw new RelayFault('wrong_state', 'that transport is closed')
    return this.#media
  }

  /** The live publication, or the replay of this session. */
  #watched(publicationId: PublicationId): PublishedMedia {
    return this.#recordings.published(publicationId) ?? this.#published(publicationId)
  }

  #published(publicationId: PublicationId): PublishedMedia {
    const published = this.#consultation.published
    if (published?.publicationId !== publicationId) throw new RelayFault('wrong_state', 'that publication is over')
    return published
  }
}
