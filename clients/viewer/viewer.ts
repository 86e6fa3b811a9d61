import { batch, computed, effect, signal } from '@preact/signals'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import type { EmergencyReason } from '../../relay/wire/access.ts'
import { WHOLE } from '../../relay/wire/ids.ts'
import type { SessionId } from '../../relay/wire/ids.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import type { Experience, Notification, Publication } from '../../relay/wire/signaling.ts'
import type { StageState } from '../../relay/wire/stage.ts'
import { bitsPerSecond, bytes, millis } from '../../relay/wire/units.ts'
import type { Millis, RtpTimestamp } from '../../relay/wire/units.ts'
import { AccessPart } from './access/access-part.ts'
import type { ProofKey } from './access/grant-client.ts'
import type { SignIn } from './access/sign-in.ts'
import { ExperienceMeter } from './experience-meter.ts'
import { chooseLanguage } from './i18n.ts'
import type { Language } from './i18n.ts'
import type { DrawingTool } from './instruments/image-draft.ts'
import { MeasureTool } from './measure/measure-tool.ts'
import type { Calibration } from './measure/measurement.ts'
import { MembersPart } from './instruments/members-part.ts'
import { PointingPart } from './instruments/pointing-part.ts'
import { DrawLog } from './picture/draw-log.ts'
import type { PictureFailure, PictureState } from './picture/messages.ts'
import { Picture } from './picture/picture.ts'
import type { Captured, PictureOptions } from './picture/picture.ts'
import { expectedRate, staleAfter, tellTruth } from './picture/truth.ts'
import type { Truth } from './picture/truth.ts'
import { ConnectionQuality } from './quality/connection-quality.ts'
import type { Quality } from './quality/connection-quality.ts'
import { qualityFacts } from './quality/quality-facts.ts'
import { RecordingPart } from './recording/recording-part.ts'
import { PreflightPart } from './preflight/preflight-part.ts'
import type { ConnectionPart } from './session/connection-part.ts'
import type { Invitation } from './session/invitation-link.ts'
import type { ClockExchange } from './session/node-clock.ts'
import { epochNow } from './session/page-clock.ts'
import type { Reception } from './session/reception.ts'
import { SlideChannel } from './session/slide-channel.ts'
import { StandingSession } from './session/standing-session.ts'
import type { ConnectionListener, ConnectionState } from './session/standing-session.ts'
import { readTraffic, TrafficMeter } from './session/traffic-meter.ts'
import type { Traffic } from './session/traffic-meter.ts'
import type { Joined, LineClaim } from './session/viewer-session.ts'
import { micrometresPerPixel } from './stage/stage-aim.ts'
import { StageControl } from './stage/stage-control.ts'
import { StillsPart } from './stills/stills-part.ts'
import { StageHold } from './stage/stage-hold.ts'
import type { ToldFlow } from './view/expectation.ts'
import type { ViewMode } from './view/tile-demand.ts'
import { TileTimings } from './view/tile-timings.ts'
import { fit, fitScale, imagePoint, pan, scaleAt, settle, zoomAt } from './view/viewport.ts'
import type { Point, Rect, Size, Viewport } from './view/viewport.ts'
import { WatchPlan } from './view/watch-plan.ts'
import { VoicePart } from './voice/voice-part.ts'

const NO_TRAFFIC: Traffic = {
  bitsPerSecondReceived: bitsPerSecond(0),
  bytesReceived: bytes(0),
  roundTripSeconds: null,
  lossRatio: 0,
  decoders: [],
  srtpCipher: null,
  mediaPath: null,
}
const NO_TRUTH: Truth = { kind: 'none', pixels: 'none', factor: 1, staleSeconds: 0 }
const TRUTH_INTERVAL_MS = 100
const TRAFFIC_INTERVAL_MS = 1000
const EXPERIENCE_INTERVAL_MS = 2000

/** Choices that the page's query makes. */
export interface ViewerOptions extends PictureOptions {
  readonly line: LineClaim
  /** Asked for on a platform only. */
  readonly openKey: () => Promise<ProofKey>
  /** How people sign in there. */
  readonly signIn: SignIn
}

/** The viewer as a whole: what it knows (signals) and what can be done with it. */
export class Viewer implements ConnectionListener {
  readonly connection = signal<ConnectionState>('connecting')
  readonly sessionId = signal<SessionId | null>(null)
  readonly publication = signal<Publication | null>(null)
  /** Size of the image in pixels; kept while the microscope is away. */
  readonly image = signal<Size | null>(null)
  /** In device pixels. */
  readonly canvas = signal<Size>({ width: 1, height: 1 })
  readonly devicePixelRatio = signal(1)
  readonly viewport = signal<Viewport | null>(null)
  readonly mode = signal<ViewMode>('pyramid')
  readonly drawn = signal<PictureState | null>(null)
  readonly truth = signal<Truth>(NO_TRUTH)
  readonly traffic = signal<Traffic>(NO_TRAFFIC)
  /** What was reported last of this publication. */
  readonly experience = signal<Experience | null>(null)
  readonly joinSeconds = signal<number | null>(null)
  /** The quickest answer that the node gave to a question of this session: what the way to it takes without a relay. */
  readonly signalingRoundTrip = signal<Millis | null>(null)
  /** What a relay adds to the round trip of media; null without one, or before both are known. */
  readonly relayCost = computed(() => {
    const { mediaPath, roundTripSeconds } = this.traffic.value
    if (mediaPath?.startsWith('relay') !== true || roundTripSeconds === null || this.signalingRoundTrip.value === null) return null
    return millis(Math.max(0, roundTripSeconds * 1000 - this.signalingRoundTrip.value))
  })
  readonly lastFault = signal<RelayFault | null>(null)
  readonly failure = signal<PictureFailure | RelayFault | null>(null)
  readonly language = signal<Language>(chooseLanguage(navigator.languages))
  readonly hasWhole = computed(() => this.publication.value?.pyramid.renditions.some(({ id }) => id === WHOLE) === true)
  readonly plan = new WatchPlan({ pyramid: computed(() => this.publication.value?.pyramid), viewport: this.viewport, canvas: this.canvas, mode: this.mode })
  /** The tile under the pointer is drawn at full resolution. */
  readonly pointerIsNative = computed(() => {
    const id = this.plan.pointerRendition.value
    const { drawn: { value: drawn } } = this
    return id !== null && tilePosition(id) !== undefined && drawn?.sharpness.kind !== 'coarse' && drawn?.shown?.tiles.some(tile => tile.renditionId === id) === true
  })
  readonly quality = signal<Quality>({ level: 'fair', reason: 'connecting', n: null })
  /** Where the image lies on the slide; null where the microscope does not tell. */
  readonly calibration = computed((): Calibration | null => {
    const stage = this.stage.stage.value
    return stage === null ? null : { x: stage.state.x, y: stage.state.y, micrometresPerPixel: micrometresPerPixel(stage) }
  })
  readonly measure = new MeasureTool({ image: this.image, calibration: this.calibration, viewport: this.viewport })
  readonly timings = new TileTimings()
  readonly drawLog = new DrawLog()
  readonly stage = new StageControl({
    send: async target => (await this.#session.askOfPublication('moveStage', { target, rtpTimestamp: this.drawn.value?.shown?.rtpTimestamp ?? null })).command,
    isHeld: () => this.stageHold.isMine.value,
    drawn: () => this.drawLog.entries,
  })
  /** What members show each other on the live image. */
  readonly pointing: PointingPart
  /** What is drawn with; null while the pointer moves the picture. */
  readonly tool = signal<DrawingTool | null>(null)
  /** Who holds the stage. */
  readonly stageHold: StageHold
  readonly members = new MembersPart()
  /** How this page is let in, and what it may do. */
  readonly access: AccessPart
  /** Speaking with the others. */
  readonly voice: VoicePart
  /** What is heard and said about slides. */
  readonly slides: SlideChannel
  readonly stills: StillsPart
  /** Recording, and watching what was recorded. */
  readonly recording: RecordingPart
  /** The check before the case. */
  readonly preflight: PreflightPart
  readonly picture: Picture
  /** What has its own matters with the node. */
  readonly #parts: readonly ConnectionPart[]
  readonly #session: StandingSession
  readonly #meter = new TrafficMeter()
  readonly #quality = new ConnectionQuality()
  readonly #experience = new ExperienceMeter()
  /** The whole field is shown, and stays shown when the window changes its size. */
  #isFitted = true

  constructor(invitation: Invitation, canvases: { main: HTMLCanvasElement; minimap: HTMLCanvasElement }, options: ViewerOptions) {
    this.picture = new Picture(canvases.main, canvases.minimap, options, {
      drawn: state => this.#pictureDrawn(state),
      failed: reason => this.#pictureFailed(reason),
    })
    const { signalingUrl, token, purpose } = invitation
    this.access = new AccessPart({ origin: location.origin, invitation: token, purpose, openKey: options.openKey, signIn: options.signIn })
    const { session: access, allowance } = this.access
    this.#session = new StandingSession({ signalingUrl, access, may: type => allowance.mayAsk(type), listener: this, line: options.line })
    this.slides = new SlideChannel(this.#session, fault => this.faulted(fault))
    this.stageHold = new StageHold(this.#session, fault => (this.stage.fault.value = fault))
    this.pointing = new PointingPart(this.#session, () => this.drawn.value?.shown?.rtpTimestamp, fault => this.faulted(fault))
    this.stills = new StillsPart(this.#session, access.authorizedFetch)
    this.recording = new RecordingPart(this.#session, access.authorizedFetch)
    this.voice = new VoicePart(this.#session, options.line.iceTransportPolicy === 'relay')
    this.#parts = [this.access, this.members, this.stageHold, this.pointing, this.slides, this.stills, this.recording, this.voice]
    // One tool is in hand.
    effect(() => {
      if (this.tool.value !== null) this.measure.take(null)
    })
    effect(() => {
      if (this.measure.kind.value !== null) this.tool.value = null
    })
    this.preflight = new PreflightPart(this.#session, { signalingUrl, entry: () => access.entry() }, access.authorizedFetch)
    effect(() => this.#updatePicture())
    effect(() => this.#updateDemand())
    effect(() => {
      if (this.stageHold.isMine.value) this.stage.fault.value = null
      else this.stage.stopped()
    })
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const truthTimer = setInterval(() => this.#updateTruth(), TRUTH_INTERVAL_MS)
    const trafficTimer = setInterval(() => void this.#updateTraffic(), TRAFFIC_INTERVAL_MS)
    const experienceTimer = setInterval(() => void this.#reportExperience(), EXPERIENCE_INTERVAL_MS)
    const restart = (): void => {
      this.#quality.restart()
      this.#experience.restart(epochNow())
    }
    document.addEventListener('visibilitychange', restart, { signal })
    try {
      await this.#session.run(signal)
    } finally {
      this.access.session.close()
      clearInterval(trafficTimer)
      clearInterval(experienceTimer)
      if (signal.aborted) clearInterval(truthTimer)
    }
  }

  /** What is true of the picture at this moment. */
  currentTruth(): Truth {
    const drawn = this.drawn.value
    if (drawn === null) return NO_TRUTH
    return this.truthOf(drawn, epochNow())
  }

  /** What was true of a drawn picture at a time, in milliseconds since the epoch. */
  truthOf(drawn: PictureState, atMs: number): Truth {
    const publication = this.publication.value
    const rate = publication === null ? Infinity : expectedRate(publication.source, publication.pyramid.framesPerSecond)
    const age = drawn.instantDrawnAtMs === null ? undefined : millis(Math.max(0, atMs - drawn.instantDrawnAtMs))
    return tellTruth(drawn.sharpness, age, this.recording.staleAfter(publication) ?? staleAfter(rate))
  }

  /** How old the instant on the canvas was when it was drawn; undefined where that cannot be known exactly. */
  captureToGlass(): Millis | undefined {
    const drawn = this.drawn.value
    return drawn === null ? undefined : this.#experience.captureToGlass(drawn)
  }

  /** The canvas has another size. */
  resize(canvas: Size, devicePixelRatio: number): void {
    this.devicePixelRatio.value = devicePixelRatio
    this.canvas.value = canvas
    this.#settle()
  }

  fit(): void {
    const image = this.image.value
    if (image === null) return
    this.#isFitted = true
    this.#goTo(fit(image, this.canvas.value))
  }

  /** Puts an image point at the centre of the canvas. */
  view(to: Viewport): void {
    const image = this.image.value
    if (image === null || this.viewport.value === null) return
    const viewport = settle(to, image, this.canvas.value)
    this.#isFitted = viewport.scale === fitScale(image, this.canvas.value)
    this.#goTo(viewport)
  }

  /** Where the pointer is on the canvas, in device pixels; undefined while it is elsewhere. */
  pointAt(at: Point | undefined): void {
    this.plan.pointer.value = at
    this.pointing.pointAt(this.#imagePlace(at))
  }

  /** Takes a drawing tool in hand, or puts it away. */
  takeTool(tool: DrawingTool | null): void {
    if (tool !== null && !this.access.allowance.mayAsk('annotateImage')) return
    this.tool.value = this.tool.value === tool ? null : tool
  }

  /** Zooms by a factor about a canvas point, in device pixels. */
  zoom(factor: number, at: Point = this.#centre()): void {
    this.#change((viewport, image, canvas) => zoomAt(viewport, image, canvas, { factor, at }))
  }

  /** Zooms to a scale about a canvas point, in device pixels. */
  zoomTo(scale: number, at: Point = this.#centre()): void {
    this.#change((viewport, image, canvas) => scaleAt(viewport, image, canvas, { scale, at }))
  }

  /** Moves the picture by device pixels. */
  pan(by: Point): void {
    this.#change((viewport, image, canvas) => pan(viewport, image, canvas, by))
  }

  /** Keeps the frame that is on the canvas. */
  keepStill(): void {
    // Elsewhere the frames' RTP timestamps are not to be relied on.
    void this.stills.keep(this.picture.alignment === 'exact' ? this.drawn.value?.shown?.rtpTimestamp : undefined)
  }

  setMode(mode: ViewMode): void {
    if (mode === 'pyramid' || this.hasWhole.value) this.mode.value = mode
  }

  /** A slide lies over the picture, or does no longer. Tiles that nobody sees are not asked for meanwhile. */
  setCovered(isCovered: boolean): void {
    if (this.plan.isCovered.value === isCovered) return
    this.plan.isCovered.value = isCovered
    this.#quality.restart()
    this.#experience.restart(epochNow())
  }

  /** Asks for emergency access, and goes on by it. */
  async breakGlass(reason: EmergencyReason): Promise<void> {
    if (!(await this.access.breakGlass(reason))) return
    this.failure.value = null
    this.#session.rejoin()
  }

  setLanguage(language: Language): void {
    this.language.value = language
  }

  /** Reads back a part of the canvas, in device pixels; parts outside of it are cut off. */
  capture(area: Rect): Promise<Captured> {
    const { width, height } = this.canvas.value
    const x = Math.min(width - 1, Math.max(0, Math.round(area.x)))
    const y = Math.min(height - 1, Math.max(0, Math.round(area.y)))
    return this.picture.capture({
      x,
      y,
      width: Math.max(1, Math.min(width - x, Math.round(area.width))),
      height: Math.max(1, Math.min(height - y, Math.round(area.height))),
    })
  }

  connectionChanged(state: ConnectionState): void {
    this.connection.value = state
    if (state !== 'joined') {
      this.sessionId.value = null
      for (const part of this.#parts) part.lost?.()
    }
    if (state === 'refused') this.failure.value = this.lastFault.value
    this.#judge()
  }

  accessEnded(fault: RelayFault): void {
    this.access.lostAccess(fault)
    this.failure.value = fault
    this.publicationChanged(null)
    this.picture.forget()
    this.drawn.value = null
    this.slides.slides.value = []
    void this.stills.show(null)
  }

  joined(as: Joined): void {
    if (this.failure.value === this.access.ended.value) this.failure.value = null
    this.sessionId.value = as.sessionId
    this.signalingRoundTrip.value = null
    for (const part of this.#parts) part.joined?.(as)
    this.#experience.joined()
  }

  heard(notification: Notification): void {
    for (const part of this.#parts) part.heard?.(notification)
  }

  publicationChanged(publication: Publication | null): void {
    this.picture.setPublication(publication?.pyramid ?? null)
    this.#meter.newConnection()
    this.#experience.publicationChanged(epochNow())
    this.#quality.restart()
    this.experience.value = null
    this.plan.told.value = undefined
    this.stage.setStage(publication?.stage ?? null)
    for (const part of this.#parts) part.publicationChanged?.(publication)
    this.publication.value = publication
    this.#judge()
    if (publication === null) return
    const { width, height } = publication.pyramid
    const { value: image } = this.image
    if (image?.width === width && image.height === height) return
    this.image.value = { width, height }
    this.fit()
  }

  sourceChanged(source: Publication['source']): void {
    const publication = this.publication.value
    if (publication !== null) this.publication.value = { ...publication, source }
  }

  stageChanged(state: StageState): void {
    this.stage.setState(state)
    this.pointing.stageChanged(state)
  }

  captured(rtpTimestamp: RtpTimestamp, capturedAtMillis: number): void {
    // Elsewhere the frames' RTP timestamps are not to be relied on.
    if (this.picture.alignment === 'exact') this.#experience.captured(rtpTimestamp, capturedAtMillis)
  }

  clockRead(exchange: ClockExchange): void {
    this.#experience.clockRead(exchange)
    const took = exchange.receivedAtMillis - exchange.sentAtMillis
    if (took >= 0) this.signalingRoundTrip.value = millis(Math.min(took, this.signalingRoundTrip.value ?? Infinity))
  }

  flowChanged(flow: ToldFlow): void {
    this.plan.told.value = flow
  }

  receiving(reception: Reception): void {
    this.joinSeconds.value = reception.joinSeconds
    this.picture.setTracks(reception.tracks)
    if (this.failure.value instanceof RelayFault) this.failure.value = null
  }

  faulted(fault: RelayFault): void {
    this.lastFault.value = fault
    this.access.faulted(fault)
    if (fault.code === 'unsupported_media') this.failure.value = fault
  }

  #pictureFailed(reason: PictureFailure): void {
    if (reason === 'no_webgl2' || reason === 'worker_failed') this.failure.value = reason
    else this.lastFault.value = new RelayFault('internal', reason)
  }

  /** The place in the image under a canvas point; undefined outside of it. */
  #imagePlace(at: Point | undefined): Point | undefined {
    const [viewport, image] = [this.viewport.value, this.image.value]
    if (at === undefined || viewport === null || image === null) return undefined
    const { x, y } = imagePoint(viewport, this.canvas.value, at)
    return x >= 0 && y >= 0 && x <= image.width && y <= image.height ? { x, y } : undefined
  }

  #centre(): Point {
    const { width, height } = this.canvas.value
    return { x: width / 2, y: height / 2 }
  }

  #change(next: (viewport: Viewport, image: Size, canvas: Size) => Viewport): void {
    const [viewport, image, canvas] = [this.viewport.value, this.image.value, this.canvas.value]
    if (viewport === null || image === null) return
    const changed = next(viewport, image, canvas)
    this.#isFitted = changed.scale === fitScale(image, canvas)
    batch(() => {
      this.viewport.value = changed
      this.plan.moved(changed)
    })
  }

  #goTo(viewport: Viewport): void {
    batch(() => {
      this.viewport.value = viewport
      this.plan.jumped(viewport)
    })
  }

  #settle(): void {
    if (this.#isFitted) this.fit()
    else this.#change((viewport, image, canvas) => settle(viewport, image, canvas))
  }

  /** Tells the worker whenever viewport, canvas or what is expected changed. */
  #updatePicture(): void {
    const [viewport, canvas, { drawable, expected }] = [this.viewport.value, this.canvas.value, this.plan.expectation.value]
    if (viewport !== null) this.picture.setView({ canvas, viewport, drawable, expected })
  }

  /** Tells the node whenever what is wanted changed. */
  #updateDemand(): void {
    const demand = this.plan.demand.value
    this.timings.wanted(demand.renditions, epochNow())
    this.#session.watch(demand)
  }

  #pictureDrawn(state: PictureState): void {
    this.drawLog.take(state)
    this.#experience.take(state)
    this.stage.drawn()
    if (state.drawnAtMs !== null && state.sharpness.kind !== 'coarse') this.timings.drawn(state.shown?.tiles.map(({ renditionId }) => renditionId) ?? [], state.drawnAtMs)
    this.drawn.value = state
    this.#updateTruth()
  }

  #updateTruth(): void {
    const [before, now] = [this.truth.peek(), this.currentTruth()]
    const isSame = before.kind === now.kind && before.factor === now.factor && Math.abs(before.staleSeconds - now.staleSeconds) < 0.1
    if (!isSame) this.truth.value = now
  }

  /** Nobody looks at a hidden page, or at what is covered. */
  async #reportExperience(): Promise<void> {
    if (document.hidden || this.plan.isCovered.value || this.publication.value === null) return
    const experience = this.#experience.report(epochNow())
    if (experience === undefined) return
    this.experience.value = experience
    const { mediaPath } = this.traffic.value
    try {
      await this.#session.askOfPublication('reportExperience', { ...experience, ...(mediaPath === null ? {} : { mediaPath }) })
    } catch (error) {
      const fault = toFault(error)
      // The publication is over, or the socket is: news of that comes by another way.
      if (fault.code !== 'wrong_state' && fault.code !== 'unavailable') this.faulted(fault)
    }
  }

  #judge(): void {
    this.quality.value = this.#quality.step(qualityFacts(this), millis(performance.now()))
  }

  async #updateTraffic(): Promise<void> {
    const publication = this.publication.value?.publicationId
    // A connection that closes while it is being read has nothing to say.
    const report = await this.#session.getStats()?.catch(() => undefined)
    if (publication !== this.publication.value?.publicationId) return
    if (report !== undefined) this.traffic.value = this.#meter.take(readTraffic(report.values()), millis(performance.now()))
    else this.traffic.value = { ...this.traffic.value, bitsPerSecondReceived: bitsPerSecond(0) }
    this.#judge()
  }
}
