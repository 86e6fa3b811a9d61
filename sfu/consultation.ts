import { systemClock } from '../relay/runtime/clock.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { PlaceHistory } from '../relay/wire/place-history.ts'
import { captureOnNodeClock, nodeTimeMillis } from './capture-clock.ts'
import { FrameClock } from './instruments/frame-clock.ts'
import { MembersDesk } from './instruments/members-desk.ts'
import { PointingDesk } from './instruments/pointing-desk.ts'
import { StageDesk } from './instruments/stage-desk.ts'
import { MediaRoom } from './media-room.ts'
import { MicroscopeSession } from './microscope-session.ts'
import { PublishedMedia } from './published-media.ts'
import { ScannerSession } from './scanner-session.ts'
import { nextColour, SlideSharing } from './slide-sharing.ts'
import { ViewerSession } from './viewer-session.ts'
import { VoiceDesk } from './voice/voice-desk.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { ConsultationId, MemberId, PublicationId, RecordingId } from '../relay/wire/ids.ts'
import type { PathContract } from '../relay/wire/link.ts'
import type { MemberProtocol, Notification, Publication, Role, SourceStatus } from '../relay/wire/signaling.ts'
import type { SlideAnnotations } from '../relay/wire/slide-annotations.ts'
import type { RtpTimestamp } from '../relay/wire/units.ts'
import type { IceServer } from '../relay/wire/webrtc.ts'
import type { OpenedLink } from './links/node-links.ts'
import type { IngestedMedia, PublishedSubject } from './published-media.ts'
import type { NodePreflight } from './preflight/node-preflight.ts'
import type { Session } from './session.ts'
import type { SlideNews } from './slide-sharing.ts'
import type { ChunkSink } from './slides/link-receiver.ts'
import type { RecordingDesk, RecordedScene } from './recording/recording-desk.ts'
import type { Replay, ReplayListener, ReplayRoom } from './recording/replay/replay.ts'
import type { StillDesk, StillScene } from './stills/still-desk.ts'
import type { RelayUser } from './turn/turn-relays.ts'
import type { MediaWorker } from './worker-pool.ts'

/** How a session reaches its member. */
export type Notify = (notification: Notification) => void

/** What a consultation needs of the node it runs on. */
export interface ConsultationHost {
  /** @throws {RelayFault} `unavailable` while no worker runs. */
  leastLoaded(): MediaWorker
  /** @throws {RelayFault} `unavailable` without links; `overloaded`; `conflict` when this link is in use; `bad_message` for paths of one name. */
  openLink(member: MemberId, role: Role, paths: readonly PathContract[]): OpenedLink
  /** Without it there are no slides. */
  readonly slides?: SlideNews | undefined
  /** Without it no stills are kept. */
  readonly stills?: { desk(scene: StillScene): StillDesk; closed(id: ConsultationId, desk: StillDesk): void } | undefined
  /** Without it nothing is recorded. */
  readonly recordings?: RecordingHost | undefined
  /** The check before the case. Without it nothing can be checked. */
  readonly preflight?: NodePreflight | undefined
  /** Relays that a member may use. */
  readonly relays: { iceServersFor(user: RelayUser, nowMillis: number): IceServer[] }
  /** Where chunks of a scanner go. Without it no scanner is admitted. */
  readonly chunkSink?: ((admission: Admission) => ChunkSink) | undefined
}

/** Where recordings are kept and replayed. */
export interface RecordingHost {
  desk(scene: RecordedScene): RecordingDesk
  closed(id: ConsultationId, desk: RecordingDesk): void
  replay(id: ConsultationId, recordingId: RecordingId, room: ReplayRoom, listener: ReplayListener): Promise<Replay>
}

/** Scanners in one consultation. One slide after the other comes by each. */
const MAX_SCANNERS = 16

/** What a consultation may be told. */
export interface ConsultationOptions {
  readonly maxViewers: number
}

/** The room of one live case: one microscope, many viewers, technicians among them, and scanners that send its slides. Owns its media room and its sessions. */
export class Consultation {
  readonly id: ConsultationId
  readonly #host: ConsultationHost
  readonly #options: ConsultationOptions
  readonly #log: Logger
  readonly #viewers = new Set<ViewerSession>()
  readonly #scanners = new Set<ScannerSession>()
  /** Viewers that have to do with slides: a technician has not. */
  readonly #readers = new Set<ViewerSession>()
  /** What viewers show each other on slides. */
  readonly sharing: SlideSharing
  readonly #members = new MembersDesk()
  /** Who speaks with whom. */
  readonly voice: VoiceDesk
  /** Where stills are asked for; undefined where none are kept. */
  readonly stills: StillDesk | undefined
  /** Where the consultation is recorded; undefined where nothing is. */
  readonly recordings: RecordingDesk | undefined
  /** How far the microscope's RTP clock has come. */
  readonly #frames = new FrameClock()
  /** Who holds the microscope's stage, and what it is told. */
  readonly stage: StageDesk
  /** What members show each other on the live image. */
  readonly pointing: PointingDesk
  #microscope: MicroscopeSession | undefined
  #room: Promise<MediaRoom> | undefined
  #published: PublishedMedia | undefined
  #source: SourceStatus = { state: 'interrupted', framesPerSecond: 0 }
  readonly #onEmpty: () => void
  #isOver = false

  constructor(id: ConsultationId, host: ConsultationHost, options: ConsultationOptions, log: Logger, onEmpty: () => void) {
    this.id = id
    this.#host = host
    this.#options = options
    this.#log = log.child({ consultationId: id })
    this.#onEmpty = onEmpty
    this.sharing = new SlideSharing(id, host.slides, this.#readers, systemClock)
    this.stills = host.stills?.desk(this)
    this.recordings = host.recordings?.desk(this)
    const common = { members: this.#viewers, published: () => this.#published, frames: this.#frames, places: new PlaceHistory(), clock: systemClock }
    this.stage = new StageDesk({ ...common, tell: notification => this.#microscope?.notify(notification) })
    this.pointing = new PointingDesk(common)
    this.voice = new VoiceDesk({ room: async () => (await this.room()).voices(), clock: systemClock, log })
  }

  /** Viewers that are present, technicians among them. */
  get viewers(): ReadonlySet<ViewerSession> {
    return this.#viewers
  }

  /** Scanners that are present. */
  get scanners(): ReadonlySet<ScannerSession> {
    return this.#scanners
  }

  /** The microscope, if it is present. */
  get microscope(): MicroscopeSession | undefined {
    return this.#microscope
  }

  /** The media of the current publication, if there is one. */
  get published(): PublishedMedia | undefined {
    return this.#published
  }

  /** The current publication as viewers are told of it. */
  get publication(): Publication | null {
    if (this.#published === undefined) return null
    const { publicationId, pyramid, stage } = this.#published
    return { publicationId, pyramid, source: this.#source, stage }
  }

  /** @throws {RelayFault} `overloaded` when the consultation is full; `conflict` while another microscope is present; `unavailable` for a scanner where there are no slides. */
  admit(admission: Admission, notify: Notify): Session {
    switch (admission.role) {
      case 'viewer':
      case 'technician':
        return this.admitViewer(admission, notify)
      case 'microscope':
        return this.admitMicroscope(admission, notify)
      case 'scanner':
        return this.admitScanner(admission, notify)
    }
  }

  /** @throws {RelayFault} `overloaded` when the consultation is full. */
  admitViewer(admission: Admission, notify: Notify, protocol?: MemberProtocol): ViewerSession {
    if (this.#viewers.size >= this.#options.maxViewers) throw new RelayFault('overloaded', 'this consultation is full')
    const session = new ViewerSession(admission, this, notify, nextColour([...this.#viewers].map(({ colour }) => colour)), protocol)
    this.#viewers.add(session)
    this.#members.joined(session)
    this.stage.welcome(session)
    this.pointing.welcome(session)
    if (session.role === 'viewer') {
      this.#readers.add(session)
      this.sharing.welcome(session)
    }
    void this.stills?.welcome(session)
    this.voice.welcome(session)
    this.recordings?.welcome(session)
    void session.closed.then(reason => {
      this.#viewers.delete(session)
      this.#readers.delete(session)
      this.recordings?.left(reason)
      this.#members.left(session)
      this.stage.left(session)
      this.pointing.left(session)
      this.sharing.left(session)
      this.voice.left(session)
      this.closeIfEmpty()
    })
    return session
  }

  /** @throws {RelayFault} `overloaded` when the consultation is full; `unavailable` where there are no slides. */
  admitScanner(admission: Admission, notify: Notify): ScannerSession {
    const { chunkSink } = this.#host
    if (chunkSink === undefined) throw new RelayFault('unavailable', 'this node takes no slides')
    if (this.#scanners.size >= MAX_SCANNERS) throw new RelayFault('overloaded', 'this consultation has as many scanners as it may')
    const session = new ScannerSession(admission, { chunkSink, openLink: this.openLink.bind(this) }, notify, this.#log)
    this.#scanners.add(session)
    this.#members.joined(session)
    void session.closed.then(() => {
      this.#members.left(session)
      this.#scanners.delete(session)
      this.closeIfEmpty()
    })
    return session
  }

  /**
   * The same microscope coming back replaces its older session, which may be a connection that died unnoticed.
   *
   * @throws {RelayFault} `conflict` while another microscope is present.
   */
  admitMicroscope(admission: Admission, notify: Notify, protocol?: MemberProtocol): MicroscopeSession {
    this.requireMicroscope(admission)
    const present = this.#microscope
    const session = new MicroscopeSession(admission, this, notify, this.#log, protocol)
    this.#microscope = session
    present?.close(new RelayFault('conflict', 'the same microscope joined again'))
    this.#members.joined(session)
    this.recordings?.welcome(session)
    void session.closed.then(reason => {
      this.#members.left(session)
      if (this.#microscope !== session) return
      this.#microscope = undefined
      this.recordings?.left(reason)
      this.stills?.microscopeLeft()
      this.#published?.close(reason)
      this.closeIfEmpty()
    })
    return session
  }

  /** @throws {RelayFault} `conflict` while the microscope of another member is present. */
  requireMicroscope({ memberId }: Admission): void {
    if (this.#microscope !== undefined && this.#microscope.memberId !== memberId) throw new RelayFault('conflict', 'another microscope is in this consultation')
  }

  /** The check before the case. @throws {RelayFault} `unavailable` where there is none. */
  get preflight(): NodePreflight {
    if (this.#host.preflight === undefined) throw new RelayFault('unavailable', 'nothing can be checked here')
    return this.#host.preflight
  }

  /** Relays that this member may use, with credentials; none where there are none. */
  iceServersFor({ memberId, validUntilMillis }: Session): IceServer[] {
    return this.#host.relays.iceServersFor({ consultationId: this.id, memberId, validUntilMillis }, Date.now())
  }

  /** A link for a member. @throws {RelayFault} `unavailable`, `overloaded`, `conflict` or `bad_message`. */
  openLink(member: MemberId, role: Role, paths: readonly PathContract[]): OpenedLink {
    return this.#host.openLink(member, role, paths)
  }

  /** A recording of this consultation, for one member. @throws {RelayFault} `unavailable`, `not_found`, `wrong_state`, `bad_recording` or `overloaded`. */
  replay(recordingId: RecordingId, room: ReplayRoom, listener: ReplayListener): Promise<Replay> {
    if (this.#host.recordings === undefined) throw new RelayFault('unavailable', 'this node records nothing')
    return this.#host.recordings.replay(this.id, recordingId, room, listener)
  }

  /** The media room, made on first use and made anew after its worker died. */
  room(): Promise<MediaRoom> {
    if (this.#room === undefined) {
      const room = this.#openRoom()
      const forget = (): void => {
        if (this.#room === room) this.#room = undefined
      }
      void room.then(({ closed }) => closed.then(forget), forget)
      this.#room = room
    }
    return this.#room
  }

  /**
   * Publishes anew; whatever was published before ends.
   *
   * @param ingest - Brings the media in, by its carrier.
   * @throws {RelayFault} `bad_message`, `unsupported_media`, `unavailable`; then the earlier publication goes on.
   */
  async publish(by: MicroscopeSession, subject: PublishedSubject, ingest: (room: MediaRoom) => Promise<IngestedMedia>): Promise<PublishedMedia> {
    const media = await ingest(await this.room())
    const published = new PublishedMedia(subject, media, demand => by.notify({ type: 'demandChanged', publicationId: published.publicationId, demand }), by.granted)
    if (this.#microscope !== by) {
      published.close(new RelayFault('conflict', 'this microscope has left'))
      throw new RelayFault('conflict', 'this microscope has left')
    }
    const previous = this.#published
    this.#published = published
    this.#source = { state: 'live', framesPerSecond: subject.pyramid.framesPerSecond }
    previous?.close(new RelayFault('conflict', 'replaced by a newer publication'))
    this.#publicationBegins()
    void published.closed.then(reason => this.#publicationClosed(published, reason))
    this.#log.info({ publicationId: published.publicationId, renditions: published.producers.size }, 'publication opened')
    this.#announce({ type: 'publicationChanged', publication: this.publication })
    this.recordings?.publicationChanged()
    published.flow.open()
    return published
  }

  /** Takes the microscope's word on its source and passes it on when it changed. */
  reportSource(source: SourceStatus): void {
    const published = this.#published
    if (published === undefined) return
    const known = this.#source
    const isNews = source.state !== known.state || source.fault !== known.fault || source.framesPerSecond !== known.framesPerSecond
    this.#source = source
    if (isNews) this.recordings?.note(() => ({ type: 'source', source }))
    if (isNews) this.#announce({ type: 'sourceChanged', publicationId: published.publicationId, source })
  }

  /** What is drawn on a frame, as GeoJSON in its pixels; undefined for another publication. */
  annotationsOf(publicationId: PublicationId, timestamp: number): SlideAnnotations | undefined {
    return this.pointing.annotationsAt(publicationId, timestamp)
  }

  /** Takes the microscope's word on when an image was captured, and tells viewers where its clock is known. */
  reportCapture(rtpTimestamp: RtpTimestamp, capturedAtAgentMillis: number): void {
    const published = this.#published
    if (published === undefined) return
    this.#frames.heard(published.publicationId, rtpTimestamp, systemClock.now())
    const capturedAtMillis = captureOnNodeClock(capturedAtAgentMillis, published.clockOffset(), nodeTimeMillis())
    if (capturedAtMillis === undefined) return
    const { publicationId } = published
    this.recordings?.note(segment => ({ type: 'captured', segment, rtpTimestamp, capturedAtMillis }))
    for (const viewer of this.#viewers) viewer.notify({ type: 'captureClock', publicationId, rtpTimestamp, capturedAtMillis })
  }

  /** Ends every session with the given reason. */
  close(reason: RelayFault): void {
    this.#microscope?.close(reason)
    for (const session of [...this.#viewers, ...this.#scanners]) session.close(reason)
    void this.#closeRoom(reason)
  }

  #publicationClosed(published: PublishedMedia, reason: RelayFault): void {
    if (this.#published !== published) return
    this.#published = undefined
    this.#publicationBegins()
    this.#log.info({ publicationId: published.publicationId, code: reason.code }, 'publication closed')
    this.#announce({ type: 'publicationChanged', publication: null })
    this.recordings?.publicationChanged()
  }

  /** The published media are others than before: what was said of the last ones is over. */
  #publicationBegins(): void {
    this.stage.publicationChanged()
    this.pointing.publicationChanged()
  }

  /** To every viewer, and to the microscope, which publishes again when it learns that its publication is gone. */
  #announce(notification: Notification): void {
    for (const viewer of this.#viewers) viewer.notify(notification)
    this.#microscope?.notify(notification)
  }

  async #openRoom(): Promise<MediaRoom> {
    const room = await MediaRoom.open(this.#host.leastLoaded())
    void room.closed.then(reason => this.#published?.close(reason))
    return room
  }

  /** Nobody is in it any more, and nobody may enter it. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Ends a consultation that nobody is in: whoever opened it may have been refused, or have left. Idempotent. */
  closeIfEmpty(): void {
    if (this.#isOver || this.#viewers.size > 0 || this.#scanners.size > 0 || this.#microscope !== undefined) return
    this.#isOver = true
    void this.#closeRoom(new RelayFault('unavailable', 'everybody left'))
    this.sharing[Symbol.dispose]()
    this.#members[Symbol.dispose]()
    this.voice[Symbol.dispose]()
    if (this.stills !== undefined) this.#host.stills?.closed(this.id, this.stills)
    if (this.recordings !== undefined) this.#host.recordings?.closed(this.id, this.recordings)
    this.stage[Symbol.dispose]()
    this.#onEmpty()
  }

  async #closeRoom(reason: RelayFault): Promise<void> {
    const opening = this.#room
    this.#room = undefined
    const room = await opening?.catch(() => undefined)
    room?.close(reason)
  }
}
