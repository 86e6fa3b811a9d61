import { OVERVIEW, WHOLE } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { Pyramid, Rendition } from '../../../relay/wire/pyramid.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import { overlaps } from '../view/tile-demand.ts'
import { visibleRect } from '../view/viewport.ts'
import type { Size, Viewport } from '../view/viewport.ts'
import type { FrameHold, HeldFrame } from './frame-hold.ts'
import { FrameTexture } from './frame-texture.ts'
import type { AlignedInstant } from './instant-aligner.ts'
import { layersOf } from './layers.ts'
import type { ShownInstant } from './messages.ts'
import type { Painter } from './painter.ts'
import { isShownCoarse, sharpnessOf } from './truth.ts'
import type { Alignment, Sharpness } from './truth.ts'

/** What came out of one drawing. */
export interface DrawnComposition {
  readonly shown: ShownInstant | null
  readonly sharpness: Sharpness
  /** Part of the visible image, 0 to 1, that shows all the detail that the zoom has room for: a native pixel, or one for every device pixel. */
  readonly nativePixelRatio: number
}

/** The textures of one publication, and which of them make up the instant on the canvas. */
export class Composition {
  readonly pyramid: Pyramid
  readonly #gl: WebGL2RenderingContext
  readonly #hold: FrameHold
  readonly #alignment: Alignment
  readonly #textures = new Map<RenditionId, FrameTexture>()
  #instant: { readonly rtpTimestamp: RtpTimestamp; readonly renditions: ReadonlySet<RenditionId> } | undefined

  constructor(pyramid: Pyramid, alignment: Alignment, gl: WebGL2RenderingContext, hold: FrameHold) {
    this.pyramid = pyramid
    this.#gl = gl
    this.#hold = hold
    this.#alignment = alignment
  }

  get isEmpty(): boolean {
    return this.#instant === undefined
  }

  /** The instant it draws. */
  get rtpTimestamp(): RtpTimestamp | undefined {
    return this.#instant?.rtpTimestamp
  }

  /** Makes an instant the one to draw, or adds to it what is of the same one, and owns the frames. */
  take(instant: AlignedInstant<HeldFrame>): void {
    for (const [id, frame] of instant.frames) {
      let texture = this.#textures.get(id)
      if (texture === undefined) {
        texture = new FrameTexture(this.#gl, this.#hold, instant.rtpTimestamp)
        this.#textures.set(id, texture)
      }
      texture.put(frame, instant.rtpTimestamp)
    }
    const earlier = this.#instant?.rtpTimestamp === instant.rtpTimestamp ? this.#instant.renditions : []
    this.#instant = { rtpTimestamp: instant.rtpTimestamp, renditions: new Set([...earlier, ...instant.frames.keys()]) }
  }

  /** Drops the textures of renditions that may no longer be drawn; the overview stays as an underlay. */
  keepOnly(drawable: ReadonlySet<RenditionId>): void {
    for (const [id, texture] of this.#textures) {
      if (drawable.has(id) || id === OVERVIEW) continue
      texture.dispose()
      this.#textures.delete(id)
    }
  }

  /**
   * Draws the instant: native tiles on top of middle tiles, those on top of the overview. The overview may be
   * of an earlier instant, where that of this one is missing; tiles never are.
   */
  draw(painter: Painter, canvas: Size, viewport: Viewport): DrawnComposition {
    painter.begin(canvas, viewport)
    const visible = visibleRect(viewport, this.pyramid, canvas)
    const isDrawable = ({ id, region }: Rendition): boolean =>
      this.#textures.has(id) && (id === OVERVIEW || (this.#instant?.renditions.has(id) === true && overlaps(region, visible)))
    const { painted, worstDensity, denseRatio } = layersOf(visible, this.pyramid.renditions.filter(isDrawable), Math.min(1, viewport.scale))
    for (const { id, region } of painted) {
      const texture = this.#textures.get(id)
      if (texture !== undefined) painter.paint(texture, region)
    }
    const timestamps = painted.flatMap(({ id }) => this.#textures.get(id)?.rtpTimestamp ?? [])
    const isCoarse = isShownCoarse(this.pyramid, timestamps, this.#alignment)
    return { shown: this.#describe(painted), sharpness: sharpnessOf(viewport.scale, worstDensity, isCoarse), nativePixelRatio: isCoarse ? 0 : denseRatio }
  }

  /** The size of the `whole` rendition's last frame. */
  get wholeSize(): Size | undefined {
    return this.#textures.get(WHOLE)
  }

  dispose(): void {
    for (const texture of this.#textures.values()) texture.dispose()
    this.#textures.clear()
    this.#instant = undefined
  }

  #describe(painted: readonly Rendition[]): ShownInstant | null {
    if (this.#instant === undefined) return null
    const { rtpTimestamp } = this.#instant
    const hasOverview = painted.some(({ id }) => id === OVERVIEW)
    const tiles = painted.filter(({ id }) => id !== OVERVIEW)
    return {
      rtpTimestamp,
      overviewRtpTimestamp: hasOverview ? (this.#textures.get(OVERVIEW)?.rtpTimestamp ?? null) : null,
      tiles: tiles.map(({ id, region }) => ({ renditionId: id, rtpTimestamp, region })),
    }
  }
}
