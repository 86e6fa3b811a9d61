/** One 4:2:0 picture, eight bits, BT.709, limited range. */
export interface I420Picture {
  readonly width: number
  readonly height: number
  readonly luma: Uint8Array
  readonly cb: Uint8Array
  readonly cr: Uint8Array
}

/** A rectangle of a slide at one resolution. */
export interface SpecimenView {
  /** How often the slide's resolution is halved; negative: doubled. */
  readonly level: number
  /** Position of the top left pixel, in pixels of that level; any whole number, the slide repeats. */
  readonly x: number
  readonly y: number
  /** Size in pixels of that level; even. */
  readonly width: number
  readonly height: number
  /** Show no more detail than this level has. */
  readonly detail: number
}

/** What lies under an objective. */
export interface VisibleSpecimen {
  /**
   * Gets ready to draw these views, where that takes time.
   *
   * @param soon - Views that will be drawn once the stage is where it is going.
   * @returns Whether {@link draw} shows all of `views` in full detail now; it may be called in any case.
   */
  prepare?(views: readonly SpecimenView[], soon?: readonly SpecimenView[]): boolean
  /** Draws a view into `target` as one I420 picture. Never waits. */
  draw(view: SpecimenView, target: Uint8Array): void
}

/** Levels that a slide is kept in, besides the full one. */
export const COARSEST_LEVEL = 5

/** Sizes of slides are multiples of this, so that chroma can be halved down to the coarsest level. */
export const SLIDE_MULTIPLE = 2 ** (COARSEST_LEVEL + 1)

/** Pixels of one component, rows from the top. */
export interface Plane {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/** Bytes of one I420 picture. */
export const i420Bytes = (width: number, height: number): number => (width * height * 3) / 2

/** An empty picture in one piece of memory. */
export function blankPicture(width: number, height: number): I420Picture {
  const pixels = new Uint8Array(i420Bytes(width, height))
  const [luma, chroma] = [width * height, (width * height) / 4]
  return { width, height, luma: pixels.subarray(0, luma), cb: pixels.subarray(luma, luma + chroma), cr: pixels.subarray(luma + chroma) }
}

const planesOf = ({ width, height, luma, cb, cr }: I420Picture): readonly Plane[] => [
  { width, height, pixels: luma },
  { width: width / 2, height: height / 2, pixels: cb },
  { width: width / 2, height: height / 2, pixels: cr },
]

/**
 * A slide in memory at every resolution, repeating itself in both directions.
 *
 * Views finer than the slide, and views out of focus, are drawn from the coarser level by linear
 * interpolation: a defocus has as many strengths as there are levels, and costs no convolution.
 * Chroma of a view at an odd position is half a pixel off.
 */
export class Specimen implements VisibleSpecimen {
  readonly width: number
  readonly height: number
  readonly #levels: readonly (readonly Plane[])[]

  /** @param slide - Kept, not copied. Its sides are multiples of {@link SLIDE_MULTIPLE}. */
  constructor(slide: I420Picture) {
    if (slide.width % SLIDE_MULTIPLE !== 0 || slide.height % SLIDE_MULTIPLE !== 0) throw new Error(`a slide of ${slide.width}x${slide.height} cannot be halved ${COARSEST_LEVEL} times`)
    this.width = slide.width
    this.height = slide.height
    const levels = [planesOf(slide)]
    for (let level = 1; level <= COARSEST_LEVEL; level++) levels.push((levels[level - 1] ?? []).map(halve))
    this.#levels = levels
  }

  /** Draws a view into `target` as one I420 picture. */
  draw(view: SpecimenView, target: Uint8Array): void {
    const { level, width, height } = view
    if (target.length < i420Bytes(width, height)) throw new Error('the target is too small for the view')
    const from = Math.min(COARSEST_LEVEL, Math.max(0, level, view.detail))
    if (from < level) throw new Error(`level ${level} is coarser than the slide is kept in`)
    let at = 0
    for (const [index, plane] of (this.#levels[from] ?? []).entries()) {
      const shrink = index === 0 ? 1 : 2
      const window: PlaneWindow = { x: Math.floor(view.x / shrink), y: Math.floor(view.y / shrink), width: width / shrink, height: height / shrink }
      const part = target.subarray(at, at + window.width * window.height)
      if (from === level) copyWrapped(plane, window, part)
      else enlarge(plane, window, from - level, part)
      at += part.length
    }
  }
}

/** A rectangle of a plane. */
export interface PlaneWindow {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const modulo = (value: number, divisor: number): number => ((value % divisor) + divisor) % divisor

/** Half the resolution: means of two by two. */
function halve({ width, height, pixels }: Plane): Plane {
  const half = new Uint8Array((width / 2) * (height / 2))
  let at = 0
  for (let y = 0; y < height; y += 2) {
    for (let above = y * width; above < (y + 1) * width; above += 2) {
      const below = above + width
      half[at++] = ((pixels[above] ?? 0) + (pixels[above + 1] ?? 0) + (pixels[below] ?? 0) + (pixels[below + 1] ?? 0) + 2) >> 2
    }
  }
  return { width: width / 2, height: height / 2, pixels: half }
}

function copyWrapped(plane: Plane, window: PlaneWindow, target: Uint8Array): void {
  for (let line = 0; line < window.height; line++) {
    const row = modulo(window.y + line, plane.height) * plane.width
    let column = modulo(window.x, plane.width)
    for (let done = 0; done < window.width;) {
      const run = Math.min(window.width - done, plane.width - column)
      target.set(plane.pixels.subarray(row + column, row + column + run), line * window.width + done)
      done += run
      column = 0
    }
  }
}

/**
 * Draws a window of a plane at 2^`doublings` times its resolution.
 *
 * The centre of enlarged pixel X lies at (2X + 1 - f) / 2f pixels of the plane, f being 2^doublings;
 * whole part and fraction of that are bits of one integer.
 */
export function enlarge(plane: Plane, window: PlaneWindow, doublings: number, target: Uint8Array): void {
  const factor = 1 << doublings
  const bits = doublings + 1
  const mask = 2 * factor - 1
  const firstColumn = (2 * window.x + 1 - factor) >> bits
  const columns = ((2 * (window.x + window.width - 1) + 1 - factor) >> bits) - firstColumn + 2
  const blended = new Int32Array(columns)
  const { width, pixels } = plane
  const round = 1 << (2 * bits - 1)
  for (let line = 0; line < window.height; line++) {
    const place = 2 * (window.y + line) + 1 - factor
    const weight = place & mask
    const above = modulo(place >> bits, plane.height) * width
    const below = modulo((place >> bits) + 1, plane.height) * width
    for (let index = 0, column = modulo(firstColumn, width); index < columns; index++) {
      blended[index] = (pixels[above + column] ?? 0) * (2 * factor - weight) + (pixels[below + column] ?? 0) * weight
      column = column + 1 === width ? 0 : column + 1
    }
    const start = line * window.width
    for (let x = 0, across = 2 * window.x + 1 - factor; x < window.width; x++, across += 2) {
      const index = (across >> bits) - firstColumn
      const share = across & mask
      target[start + x] = ((blended[index] ?? 0) * (2 * factor - share) + (blended[index + 1] ?? 0) * share + round) >> (2 * bits)
    }
  }
}
