/**
 * The viewer's own account of what it shows, for automated checks: `globalThis.kenkyo`.
 * `docs/VIEWER.md` explains every field; a change here is a change there.
 */
import type { AccessAction, Purpose } from '../../relay/wire/access.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { PublicationId, RenditionId, SessionId, SlideId, StillId } from '../../relay/wire/ids.ts'
import type { Experience, MediaPath, PresentMember, SourceStatus, Speaker, StageHolder } from '../../relay/wire/signaling.ts'
import type { RecordingStatus, ReplayOrigin, ReplayStatus } from '../../relay/wire/recording.ts'
import type { PreflightResult } from '../../relay/wire/preflight.ts'
import type { SlideSummary } from '../../relay/wire/slide.ts'
import type { ImageAnnotation } from '../../relay/wire/pointing.ts'
import type { StillSummary } from '../../relay/wire/still.ts'
import type { Stage, StageState, StageTarget } from '../../relay/wire/stage.ts'
import type { LivePointer, LoggedPointer } from './instruments/pointing-part.ts'
import type { Measurement, MeasureKind } from './measure/measurement.ts'
import type { DrawnInstant } from './picture/draw-log.ts'
import type { Freezes } from './picture/freeze-meter.ts'
import type { PictureState, ShownInstant, UploadPath } from './picture/messages.ts'
import type { Alignment, Truth } from './picture/truth.ts'
import type { Quality } from './quality/connection-quality.ts'
import type { ConnectionState } from './session/standing-session.ts'
import type { InspectedSlide } from './slides/inspected-slide.ts'
import type { WithheldView } from './view/expectation.ts'
import type { ViewMode } from './view/tile-demand.ts'
import type { TileTiming } from './view/tile-timings.ts'
import type { Rect, Size } from './view/viewport.ts'
import type { HeardVoice } from './voice/hearing.ts'
import type { MicrophoneRefusal } from './voice/microphone.ts'
import type { VoiceState } from './voice/voice-part.ts'

/** A part of the image, in image pixels, and its scale in device pixels per image pixel. */
export interface InspectedViewport extends Rect {
  readonly scale: number
}

/** Where the stage is, what it can do, and why the last command was not carried out. */
export interface InspectedStage extends StageState, Pick<Stage, 'objectives' | 'travel'> {
  readonly fault: InspectedFault | null
  readonly holder: StageHolder | null
  readonly isMine: boolean
  readonly stoppedBy: StageHolder | null
  /** The last times from a command to its picture, in milliseconds, oldest first. */
  readonly closedLoopMillis: readonly number[]
}

/** What was measured on the live image. */
export interface InspectedMeasurement extends Pick<Measurement, 'kind' | 'unit'> {
  readonly value: number
}

/** Speaking with the others. */
export interface InspectedVoice {
  readonly state: VoiceState
  /** Why there is no microphone. */
  readonly refusal: MicrophoneRefusal | null
  readonly isMicrophoneOpen: boolean
  readonly isPushToTalk: boolean
  /** Of the own microphone, 0 to 1. */
  readonly level: number
  readonly isBlocked: boolean
  /** Who may speak, this viewer among them. */
  readonly speakers: readonly Speaker[]
  /** What came of the others' voices, by the last reading. */
  readonly received: readonly HeardVoice[]
  /** Readings since the page was opened. */
  readonly readings: number
  readonly fault: InspectedFault | null
}

/** A failure, for programs and for people. */
export interface InspectedFault {
  readonly code: FaultCode
  readonly message: string
}

/** What the viewer knows of itself now. Plain data. */
export interface Inspection {
  readonly version: 2
  readonly connection: ConnectionState
  readonly sessionId: SessionId | null
  readonly publicationId: PublicationId | null
  readonly image: Size | null
  /** In device pixels. */
  readonly canvas: Size
  readonly devicePixelRatio: number
  /** As asked for; `drawnViewport` is what is on the canvas. */
  readonly viewport: InspectedViewport | null
  readonly drawnViewport: InspectedViewport | null
  readonly truth: Truth
  readonly source: SourceStatus | null
  readonly mode: ViewMode
  readonly shown: ShownInstant | null
  readonly heldOut: readonly RenditionId[]
  readonly watching: readonly RenditionId[]
  readonly prefetching: readonly RenditionId[]
  readonly flowing: readonly RenditionId[]
  readonly withheld: readonly WithheldView[]
  readonly pointerRendition: RenditionId | null
  readonly pointerIsNative: boolean
  readonly tileTimings: readonly TileTiming[]
  readonly tilesAbandoned: number
  readonly tilesPending: number
  readonly drawLog: readonly DrawnInstant[]
  readonly stage: InspectedStage | null
  /** How old the instant on the canvas was when it was drawn; null where a clock is unknown. */
  readonly captureToGlassMillis: number | null
  /** What was reported last of this publication. */
  readonly experience: Experience | null
  readonly framesPerSecond: number
  readonly framesDrawn: number
  readonly framesLate: number
  readonly bitsPerSecondReceived: number
  readonly bytesReceived: number
  readonly roundTripSeconds: number | null
  readonly lossRatio: number
  readonly freezes: Freezes
  readonly decoders: readonly string[]
  readonly srtpCipher: string | null
  /** By which way media comes; null before there is one. */
  readonly mediaPath: MediaPath | null
  /** What a relay adds to the round trip; null without one. */
  readonly relayCostMillis: number | null
  readonly upload: UploadPath | null
  readonly renderer: string | null
  readonly alignment: Alignment
  readonly alignmentWaitMs: number
  readonly joinSeconds: number | null
  readonly whole: PictureState['whole']
  readonly lastFault: InspectedFault | null
  readonly pointing: {
    readonly pointers: readonly LivePointer[]
    readonly annotations: readonly ImageAnnotation[]
    /** Pointers of the others that were heard of last, oldest first. */
    readonly log: readonly LoggedPointer[]
  }
  /** What this viewer may do, by what, and what there is to tell of it. */
  readonly access: {
    readonly mode: 'alone' | 'platform'
    readonly actions: readonly AccessAction[]
    readonly purpose: Purpose | null
    /** In milliseconds since the epoch on the page's clock; null without a grant. */
    readonly validUntilMillis: number | null
    /** Null without an emergency. */
    readonly emergencyUntilMillis: number | null
    /** The core cannot be heard. */
    readonly isCoreLost: boolean
    /** Why there is no access after there was; null while there is. */
    readonly ended: FaultCode | null
    /** Why there is less than there was, until it was read. */
    readonly loss: FaultCode | null
  }
  /** How good the connection is, and why it is bad. */
  readonly quality: Quality
  /** What is measured now, and what was: in micrometres or pixels, or their squares. */
  readonly measuring: MeasureKind | null
  readonly measurements: readonly InspectedMeasurement[]
  /** The check before the case: what it is at now, and what it found last. */
  readonly preflight: { readonly step: string | null; readonly results: readonly PreflightResult[] | null }
  readonly voice: InspectedVoice
  /** Who is in the consultation, in the order of joining. */
  readonly members: readonly PresentMember[]
  /** Whether the consultation is recorded; null before the node said anything of it. */
  readonly recording: RecordingStatus | null
  /** The recording that is watched in place of the live image, and how that is doing; null while the live image is. */
  readonly replay: (ReplayOrigin & { readonly status: ReplayStatus | null }) | null
  /** Of the consultation, oldest first. */
  readonly slides: readonly SlideSummary[]
  /** Of the consultation, oldest first. */
  readonly stills: readonly StillSummary[]
  /** What this viewer kept last, the one that is open, and why nothing came of the last thing that was asked. */
  readonly still: { readonly last: StillId | null; readonly open: StillId | null; readonly fault: InspectedFault | null }
  /** The slide that is open; null while the live image is shown. */
  readonly slide: InspectedSlide | null
}

/** Pixels of the canvas together with what was on it when they were drawn. */
export interface CapturedPixels {
  readonly width: number
  readonly height: number
  /** Base64 of RGBA bytes, rows from the top left corner. */
  readonly data: string
  readonly shown: ShownInstant | null
  readonly drawnViewport: InspectedViewport | null
  readonly truth: Truth
}

/** `globalThis.kenkyo`. */
export interface KenkyoHandle {
  /** Everything the viewer knows of itself now. Synchronous. */
  inspect(): Inspection
  /** Puts an image point at the centre of the canvas, at `scale` device pixels per image pixel. */
  view(to: { readonly x: number; readonly y: number; readonly scale: number }): void
  /** The whole field. */
  fit(): void
  mode(mode: ViewMode): void
  /** Takes the stage. Settles when the node has answered; what of it, `inspect().stage` says. */
  claimStage(): Promise<void>
  /** Sends the stage there, unclamped; nothing where there is none. What comes of it, `inspect().stage` says. */
  moveStage(target: StageTarget): void
  /** Opens a slide of the consultation in place of the live image; null goes back. Settles when its structure is here, or cannot be had. */
  openSlide(slideId: SlideId | null): Promise<void>
  /** Puts a point of the open slide, in pixels of level 0, at the centre of the canvas. */
  viewSlide(to: { readonly x: number; readonly y: number; readonly scale: number }): void
  /** Reads back a part of the canvas, in canvas pixels; parts outside of it are cut off. */
  capturePixels(area: Rect): Promise<CapturedPixels>
}
