import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Demand } from '../../relay/wire/signaling.ts'
import type { Stage, StageState, StageTarget } from '../../relay/wire/stage.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { RelayFault } from '../../relay/wire/fault.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { StillPlace } from '../../relay/wire/still.ts'

/** One whole frame of one rendition, as RTP payloads. */
export interface EncodedFrame {
  readonly renditionId: RenditionId
  /** Media time since the first frame of this run of the source, in RTP ticks. Equal in all renditions of one image. */
  readonly mediaTicks: number
  readonly isKeyFrame: boolean
  /** The image is coarse somewhere; equal in all renditions of it. Given where the pyramid `marksCoarse`. */
  readonly isCoarse?: boolean | undefined
  /** In order; the last one carries the marker. */
  readonly payloads: readonly Buffer[]
}

/** An {@link EncodedFrame} with its place on the RTP clock that all renditions share. */
export interface StampedFrame extends EncodedFrame {
  readonly timestamp: RtpTimestamp
}

/** Why a source stopped. */
export type SourceEnd =
  | { readonly code: 'done' }
  /** It has nothing more to show: the end of a file that is not looped. */
  | { readonly code: 'ended' }
  | { readonly code: 'failed'; readonly fault: RelayFault }

/** One image as its source had it, held until it is disposed of. */
export interface SourceImage extends Disposable {
  /** I420, eight bits, BT.709, limited range: Y, Cb and Cr one after the other, without padding. */
  readonly planes: Uint8Array
  /** Where the stage was; null where there is none, or it is not known. */
  readonly place: StillPlace | null
}

/** A running supply of frames. */
export interface FrameSource extends AsyncDisposable {
  /** Settles once, with the reason. Never rejects. */
  readonly closed: Promise<SourceEnd>
  /**
   * Only these renditions need to be made from now on; those that are woken begin with a keyframe at once.
   * Absent where one encoder makes all of them, whether wanted or not: then only sending is saved.
   */
  demand?(demand: Demand): void
  /**
   * The image at a media time as it was before it was encoded; undefined when the source has it no more, or never had.
   * Absent where it never has.
   */
  imageAt?(mediaTicks: number): Promise<SourceImage | undefined>
  /** Idempotent. Never rejects. */
  close(): Promise<void>
}

/** Where a stage is, and the image that shows it. */
export interface StagePosition {
  readonly state: Omit<StageState, 'rtpTimestamp' | 'obeyed'>
  /** Of the first image taken there; undefined before there is one. */
  readonly mediaTicks: number | undefined
  /** The last command taken, and the first image taken since; undefined before there is one. */
  readonly obeyed: { readonly command: number; readonly mediaTicks: number | undefined } | undefined
}

/** A microscope that obeys. */
export interface StageControl {
  /** What it can do; the position in it is that of the last {@link onPosition}. */
  readonly stage: Stage
  /**
   * Goes there as fast as it can; a later command replaces an earlier one. Values are within its travel.
   *
   * @param command - Its number, which grows; {@link onPosition} says at once that it was taken.
   */
  command(target: StageTarget, command: number): void
  /** Stands still at once, wherever it is; a command as well. */
  stop(command: number): void
  /** Called whenever the position changed, and after every command. One listener; a later one replaces it. */
  onPosition(listener: (position: StagePosition) => void): void
}

/** A source that was looked at and can be opened, again and again. */
export interface SourcePlan {
  readonly pyramid: Pyramid
  /** Names the kind of source for log lines: never a path. */
  readonly kind: string
  /** By which its frames can be decoded again, if by any. */
  readonly ffmpegPath?: string | undefined
  /** For sources that can be steered. */
  readonly stage?: StageControl
  /** @throws {RelayFault} when it cannot start now. */
  open(onFrame: (frame: EncodedFrame) => void, signal: AbortSignal): Promise<FrameSource>
  /** Gives back what the plan holds. After its last source has ended. */
  close?(): Promise<void>
}
