import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { Rect, Size, Viewport } from '../view/viewport.ts'
import type { Freezes } from './freeze-meter.ts'
import type { Alignment, Sharpness } from './truth.ts'

/** How decoded frames get into textures: as colour planes through memory, or directly on the GPU. */
export type UploadPath = 'planes' | 'texture'

/** What shall be on the canvas. */
export interface PictureView {
  /** In device pixels. */
  readonly canvas: Size
  readonly viewport: Viewport
  /** Frames of these may be drawn; all others are dropped. */
  readonly drawable: readonly RenditionId[]
  /** Of these, an instant waits for those that keep pace. */
  readonly expected: readonly RenditionId[]
}

/** What the page tells the worker that draws. */
export type ToPicture =
  | { readonly type: 'start'; readonly canvas: OffscreenCanvas; readonly minimap: OffscreenCanvas; readonly upload: UploadPath | undefined }
  /** The renditions to come are those of this pyramid; all tracks so far are over. Null: there is no microscope. */
  | { readonly type: 'publication'; readonly pyramid: Pyramid | null; readonly alignment: Alignment }
  /** Nothing of what was drawn is to be seen any more. */
  | { readonly type: 'forget' }
  | { readonly type: 'tracks'; readonly tracks: readonly { readonly renditionId: RenditionId; readonly readable: ReadableStream<VideoFrame> }[] }
  /** One frame, where the browser gives no streams of them. */
  | { readonly type: 'frame'; readonly renditionId: RenditionId; readonly rtpTimestamp: RtpTimestamp; readonly frame: VideoFrame | ImageBitmap }
  | { readonly type: 'view'; readonly view: PictureView }
  | { readonly type: 'visibility'; readonly isVisible: boolean }
  | { readonly type: 'capture'; readonly captureId: number; readonly area: Rect }

/** One tile, of either resolution, or `whole`, of which something is to be seen on the canvas. */
export interface ShownTile {
  readonly renditionId: RenditionId
  readonly rtpTimestamp: RtpTimestamp
  /** In image pixels. */
  readonly region: Rect
}

/** The instant on the canvas. */
export interface ShownInstant {
  readonly rtpTimestamp: RtpTimestamp
  /** Of the overview drawn underneath; null when tiles cover everything visible. */
  readonly overviewRtpTimestamp: RtpTimestamp | null
  readonly tiles: readonly ShownTile[]
}

/** What was drawn last. */
export interface PictureState {
  /** When this was written, in milliseconds since the epoch on the page's monotonic clock. */
  readonly atMs: number
  readonly canvas: Size
  readonly viewport: Viewport | null
  readonly shown: ShownInstant | null
  readonly sharpness: Sharpness
  /** Part of the visible image, 0 to 1, that shows all the detail that the zoom has room for. */
  readonly nativePixelRatio: number
  /** When the last drawing had been issued, on the same clock. */
  readonly drawnAtMs: number | null
  /** When the first drawing of the shown instant had been issued, on the same clock. */
  readonly instantDrawnAtMs: number | null
  readonly heldOut: readonly RenditionId[]
  readonly framesPerSecond: number
  /** Instants drawn since the page was opened. */
  readonly framesDrawn: number
  readonly freezes: Freezes
  readonly upload: UploadPath
  readonly renderer: string
  readonly maxTextureSize: number
  /** From the first frame of an instant to its drawing decision: median of the last second. */
  readonly alignmentWaitMs: number
  /** Frames that came too late for their instant. */
  readonly framesLate: number
  readonly whole: { readonly framesDecoded: number; readonly width: number; readonly height: number } | null
}

/** What can go wrong where the picture is drawn. `no_webgl2` and `worker_failed` are final. */
export type PictureFailure = 'no_webgl2' | 'context_lost' | 'unreadable_frame' | 'worker_failed'

/** What the drawing worker tells the page. */
export type FromPicture =
  | { readonly type: 'state'; readonly state: PictureState }
  | { readonly type: 'captured'; readonly captureId: number; readonly pixels: Uint8Array<ArrayBuffer>; readonly area: Rect; readonly state: PictureState }
  | { readonly type: 'failed'; readonly reason: PictureFailure }
