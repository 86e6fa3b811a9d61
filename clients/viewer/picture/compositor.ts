import { OVERVIEW, WHOLE } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import type { Millis, RtpTimestamp } from '../../../relay/wire/units.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Rect, Size, Viewport } from '../view/viewport.ts'
import type { CanvasContext } from './canvas-context.ts'
import { Composition } from './composition.ts'
import type { DrawnComposition } from './composition.ts'
import { FrameHold } from './frame-hold.ts'
import type { HeldFrame } from './frame-hold.ts'
import { FreezeMeter } from './freeze-meter.ts'
import { InstantAligner } from './instant-aligner.ts'
import type { AlignedInstant } from './instant-aligner.ts'
import type { PictureState, PictureView, UploadPath } from './messages.ts'
import type { Minimap } from './minimap.ts'
import { Painter } from './painter.ts'
import { RateMeter } from './rate-meter.ts'
import type { Alignment } from './truth.ts'

const NOTHING_DRAWN: DrawnComposition = { shown: null, sharpness: { kind: 'none', factor: 1 }, nativePixelRatio: 0 }

/** From decoded frames to a picture: aligns, uploads, draws and keeps the books. Reads no clock. */
export class Compositor {
  readonly #context: CanvasContext
  readonly #minimap: Minimap
  readonly #painter: Painter
  readonly #hold = new FrameHold()
  readonly #aligner = new InstantAligner<HeldFrame>(frame => this.#hold.release(frame))
  readonly #freezes = new FreezeMeter()
  readonly #drawRate = new RateMeter()
  #upload: UploadPath
  #canvas: Size = { width: 1, height: 1 }
  #viewport: Viewport | undefined
  #drawable: ReadonlySet<RenditionId> = new Set()
  #expected: ReadonlySet<RenditionId> = new Set()
  /** Of the tracks connected now. */
  #composition: Composition | undefined
  /** The last picture of earlier tracks, drawn until the new ones deliver. */
  #previous: Composition | undefined
  /** Decided but not drawn yet. */
  #next: AlignedInstant<HeldFrame> | undefined
  #drawn = NOTHING_DRAWN
  #heldOut: readonly RenditionId[] = []
  #drawnAt: Millis | undefined
  #instantDrawnAt: Millis | undefined
  #framesDrawn = 0
  #framesLate = 0
  #wholeFrames = 0

  constructor(context: CanvasContext, minimap: Minimap, upload: UploadPath) {
    this.#context = context
    this.#minimap = minimap
    this.#upload = upload
    this.#painter = new Painter(context.gl)
  }

  /** New tracks, or none. The picture stays until they deliver, unless the image is another one. */
  setPublication(pyramid: Pyramid | null, alignment: Alignment): void {
    this.#aligner.reset()
    if (pyramid !== null) this.#aligner.expectInterval(millis(1000 / pyramid.framesPerSecond))
    this.#dropNext()
    this.#heldOut = []
    if (this.#composition !== undefined && !this.#composition.isEmpty) {
      this.#previous?.dispose()
      this.#previous = this.#composition
    } else {
      this.#composition?.dispose()
    }
    this.#composition = pyramid === null ? undefined : new Composition(pyramid, alignment, this.#context.gl, this.#hold)
    const last = this.#previous?.pyramid
    if (pyramid !== null && last !== undefined && (pyramid.width !== last.width || pyramid.height !== last.height)) this.#dropPrevious()
  }

  /** Keeps nothing of what was drawn, not even as the last picture. */
  forget(): void {
    this.setPublication(null, 'approximate')
    this.#dropPrevious()
    this.#minimap.clear()
    this.#drawn = NOTHING_DRAWN
    this.#instantDrawnAt = undefined
  }

  setView({ canvas, viewport, drawable, expected }: PictureView): void {
    this.#canvas = canvas
    this.#viewport = viewport
    this.#drawable = new Set(drawable)
    this.#expected = new Set(expected)
    this.#aligner.watch(drawable, expected)
    this.#composition?.keepOnly(this.#drawable)
    this.#heldOut = this.#heldOut.filter(id => this.#expected.has(id))
  }

  /** The page was hidden for a while. */
  forgiveFreeze(): void {
    this.#freezes.forgive()
  }

  /** Takes over a decoded frame. `current` says whether its track still counts once the frame is copied. */
  async receive(id: RenditionId, rtpTimestamp: RtpTimestamp, frame: VideoFrame, clock: { now(): Millis; isCurrent(): boolean }): Promise<void> {
    if (id === OVERVIEW) this.#minimap.see(frame, clock.now())
    if (id === WHOLE) this.#wholeFrames++
    if (!this.#aligner.admits(id, rtpTimestamp, clock.now())) {
      frame.close()
      return
    }
    const held = await this.#hold.hold(frame, this.#upload === 'planes')
    if (clock.isCurrent()) this.#aligner.arrive(id, rtpTimestamp, held, clock.now())
    else this.#hold.release(held)
  }

  /** Takes over a frame that can only be uploaded as it is. */
  receiveOpaque(id: RenditionId, rtpTimestamp: RtpTimestamp, frame: VideoFrame | ImageBitmap, now: Millis): void {
    if (id === OVERVIEW) this.#minimap.see(frame, now)
    this.#aligner.arrive(id, rtpTimestamp, this.#hold.holdOpaque(frame), now)
  }

  /** Decides; true when there is something new to draw. `wakeAt` says when to ask again. */
  step(now: Millis): { readonly isNew: boolean; readonly wakeAt: Millis | undefined } {
    const { show, wakeAt } = this.#aligner.step(now)
    this.#framesLate += this.#aligner.takeLate()
    if (show !== undefined && show.rtpTimestamp === this.#next?.rtpTimestamp) {
      this.#next = { ...show, frames: new Map([...this.#next.frames, ...show.frames]) }
    } else if (show !== undefined) {
      this.#dropNext()
      this.#next = show
    }
    return { isNew: show !== undefined, wakeAt }
  }

  /** Draws the newest decided instant in the current view. What was drawn is dated by when its commands were issued. */
  draw(clock: { now(): Millis }): void {
    if (this.#viewport === undefined) return
    this.#resize()
    const isNew = this.#next !== undefined && this.#composition !== undefined && this.#next.rtpTimestamp !== this.#composition.rtpTimestamp
    try {
      this.#takeNext(clock.now())
      this.#drawn = this.#drawComposition(this.#viewport)
    } catch (error) {
      // A driver that cannot take a video frame as a texture may still take its planes.
      if (this.#upload === 'planes') throw error
      this.#upload = 'planes'
    }
    this.#drawnAt = clock.now()
    if (!isNew) return
    this.#freezes.drawn(this.#drawnAt)
    this.#instantDrawnAt = this.#drawnAt
    this.#framesDrawn++
  }

  /** Pixels of what was just drawn: RGBA, rows from the top. */
  read(area: Rect): Uint8Array<ArrayBuffer> {
    return this.#painter.read(area)
  }

  state(now: Millis, timeOriginMs: number): PictureState {
    const whole = this.#composition?.wholeSize
    return {
      atMs: timeOriginMs + now,
      canvas: this.#canvas,
      viewport: this.#viewport ?? null,
      ...this.#drawn,
      drawnAtMs: this.#drawnAt === undefined ? null : timeOriginMs + this.#drawnAt,
      instantDrawnAtMs: this.#instantDrawnAt === undefined ? null : timeOriginMs + this.#instantDrawnAt,
      heldOut: this.#heldOut,
      framesPerSecond: this.#drawRate.perSecond(now),
      framesDrawn: this.#framesDrawn,
      freezes: this.#freezes.freezes,
      upload: this.#upload,
      renderer: this.#context.renderer,
      maxTextureSize: this.#context.maxTextureSize,
      alignmentWaitMs: this.#drawRate.median(now),
      framesLate: this.#framesLate,
      whole: whole === undefined ? null : { framesDecoded: this.#wholeFrames, width: whole.width, height: whole.height },
    }
  }

  #drawComposition(viewport: Viewport): DrawnComposition {
    const composition = this.#composition?.isEmpty === false ? this.#composition : this.#previous
    if (composition !== undefined) return composition.draw(this.#painter, this.#canvas, viewport)
    this.#painter.begin(this.#canvas, viewport)
    return NOTHING_DRAWN
  }

  /** In the task that draws, because resizing empties the canvas. */
  #resize(): void {
    const { canvas } = this.#context.gl
    if (canvas.width !== this.#canvas.width) canvas.width = this.#canvas.width
    if (canvas.height !== this.#canvas.height) canvas.height = this.#canvas.height
  }

  #takeNext(now: Millis): void {
    const next = this.#next
    if (next === undefined || this.#composition === undefined) return
    this.#next = undefined
    const isNew = next.rtpTimestamp !== this.#composition.rtpTimestamp
    this.#composition.take(next)
    this.#composition.keepOnly(this.#drawable)
    this.#heldOut = next.heldOut.filter(id => this.#expected.has(id))
    if (isNew) this.#drawRate.count(now, next.waited)
    this.#dropPrevious()
  }

  #dropNext(): void {
    for (const frame of this.#next?.frames.values() ?? []) this.#hold.release(frame)
    this.#next = undefined
  }

  #dropPrevious(): void {
    this.#previous?.dispose()
    this.#previous = undefined
  }
}

/** The worker's monotonic clock. */
export const monotonicNow = (): Millis => millis(performance.now())
