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
import type { ShownInstant } from './messages.ts'
import type { Painter } from './painter.ts'
import { covers, sharpnessOf } from './truth.ts'
import type { Sharpness } from './truth.ts'

/** What came out of one drawing. */
export interface DrawnComposition {
  readonly shown: ShownInstant | null
  readonly sharpness: Sharpness
}

/** The textures of one publication, and which of them make up the instant on the canvas. */
export class Composition {
  readonly pyramid: Pyramid
  readonly #gl: WebGL2RenderingContext
  readonly #hold: FrameHold
  readonly #textures = new Map<RenditionId, FrameTexture>()
  #instant: { readonly rtpTimestamp: RtpTimestamp; readonly renditions: ReadonlySet<RenditionId> } | undefined

  constructor(pyramid: Pyramid, gl: WebGL2RenderingContext, hold: FrameHold) {
    this.pyramid = pyramid
    this.#gl = gl
    this.#hold = hold
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

  /** Drops the textures of renditions that are no longer watched; the overview stays as an underlay. */
  keepOnly(watched: ReadonlySet<RenditionId>): void {
    for (const [id, texture] of this.#textures) {
      if (watched.has(id) || id === OVERVIEW) continue
      texture.dispose()
      this.#textures.delete(id)
    }
  }

  /** Draws the instant: tiles where there are some, the overview underneath where there are none. */
  draw(painter: Painter, canvas: Size, viewport: Viewport): DrawnComposition {
    painter.begin(canvas, viewport)
    const visible = visibleRect(viewport, this.pyramid, canvas)
    const isCurrent = (rendition: Rendition): boolean =>
      this.#textures.has(rendition.id) && this.#instant?.renditions.has(rendition.id) === true
    const current = this.pyramid.renditions.filter(isCurrent)
    const tiles = current.filter(rendition => rendition.id !== OVERVIEW && overlaps(rendition.region, visible))
    const overview = this.pyramid.renditions.find(rendition => rendition.id === OVERVIEW && this.#textures.has(OVERVIEW))
    const underlay = covers(tiles, visible) ? undefined : overview
    for (const rendition of underlay === undefined ? tiles : [underlay, ...tiles]) {
      const texture = this.#textures.get(rendition.id)
      if (texture !== undefined) painter.paint(texture, rendition.region)
    }
    const sharpness = sharpnessOf({ scale: viewport.scale, visible, current, underlay })
    return { shown: this.#describe(tiles, underlay), sharpness }
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

  #describe(tiles: readonly Rendition[], underlay: Rendition | undefined): ShownInstant | null {
    if (this.#instant === undefined) return null
    const { rtpTimestamp } = this.#instant
    return {
      rtpTimestamp,
      overviewRtpTimestamp: underlay === undefined ? null : (this.#textures.get(OVERVIEW)?.rtpTimestamp ?? null),
      tiles: tiles.map(({ id, region }) => ({ renditionId: id, rtpTimestamp, region })),
    }
  }
}
