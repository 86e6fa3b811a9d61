import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { RelayFault } from '../../relay/wire/fault.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'

/** One whole frame of one rendition, as RTP payloads. */
export interface EncodedFrame {
  readonly renditionId: RenditionId
  /** Media time since the first frame of this run of the source, in RTP ticks. Equal in all renditions of one image. */
  readonly mediaTicks: number
  readonly isKeyFrame: boolean
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

/** A running supply of frames. */
export interface FrameSource extends AsyncDisposable {
  /** Settles once, with the reason. Never rejects. */
  readonly closed: Promise<SourceEnd>
  /** Idempotent. Never rejects. */
  close(): Promise<void>
}

/** A source that was looked at and can be opened, again and again. */
export interface SourcePlan {
  readonly pyramid: Pyramid
  /** Names the kind of source for log lines: never a path. */
  readonly kind: string
  /** @throws {RelayFault} when it cannot start now. */
  open(onFrame: (frame: EncodedFrame) => void, signal: AbortSignal): Promise<FrameSource>
}
