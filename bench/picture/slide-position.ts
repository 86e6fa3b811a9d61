import sharp from 'sharp'

/** Brightness of a rectangle, rows from the top, 0 to 255. */
export interface LumaPicture {
  readonly width: number
  readonly height: number
  readonly luma: Float32Array
}

/** Where on the slide a picture was found. */
export interface FoundPosition {
  /** Of the picture's upper left corner, in pixels of the picture. */
  readonly x: number
  readonly y: number
  /** Normalised cross-correlation of the picture with the slide there; 1 is the same but for brightness and contrast. */
  readonly correlation: number
}

/** First it is looked at so much smaller, so far around, in pixels. */
const COARSE = 8
const REACH = 256
/** Then exactly, around what was found. */
const FINE_REACH = 12
/** A wrong place correlates less, the right one more, whatever the encoder did. */
const LEAST_CORRELATION = 0.9
/** Below this standard deviation a picture is empty glass, which is the same everywhere. */
const LEAST_CONTRAST = 8
const GLASS = 255

/** BT.709 brightness of RGB or RGBA pixels. */
export function lumaPicture(data: Uint8Array, width: number, height: number): LumaPicture {
  const stride = data.length / (width * height)
  const luma = new Float32Array(width * height)
  for (let pixel = 0, at = 0; pixel < luma.length; pixel++, at += stride) luma[pixel] = 0.2126 * (data[at] ?? 0) + 0.7152 * (data[at + 1] ?? 0) + 0.0722 * (data[at + 2] ?? 0)
  return { width, height, luma }
}

/** Whether there is enough in a picture to find it by. @param contrast - Least standard deviation of its brightness. */
export function isTelling({ luma }: LumaPicture, contrast = LEAST_CONTRAST): boolean {
  const mean = luma.reduce((sum, value) => sum + value, 0) / luma.length
  return luma.reduce((sum, value) => sum + (value - mean) ** 2, 0) / luma.length >= contrast ** 2
}

/** A slide as libvips decodes it: none of this project's own readers has a part in it. */
export class ReferenceSlide {
  readonly #path: string
  readonly width: number
  readonly height: number

  private constructor(path: string, width: number, height: number) {
    this.#path = path
    this.width = width
    this.height = height
  }

  /** @throws {Error} when libvips does not read it. */
  static async open(path: string): Promise<ReferenceSlide> {
    const { width, height } = await sharp(path, { limitInputPixels: false }).metadata()
    return new ReferenceSlide(path, width, height)
  }

  /** A rectangle of the finest level; white where it is beyond the slide. */
  async cut(x: number, y: number, width: number, height: number): Promise<LumaPicture> {
    const [left, top] = [Math.max(0, x), Math.max(0, y)]
    const [right, bottom] = [Math.min(this.width, x + width), Math.min(this.height, y + height)]
    const picture: LumaPicture = { width, height, luma: new Float32Array(width * height).fill(GLASS) }
    if (right <= left || bottom <= top) return picture
    const part = { left, top, width: right - left, height: bottom - top }
    const data = await sharp(this.#path, { limitInputPixels: false }).extract(part).toColourspace('srgb').removeAlpha().raw().toBuffer()
    const { luma } = lumaPicture(data, part.width, part.height)
    for (let line = 0; line < part.height; line++) picture.luma.set(luma.subarray(line * part.width, (line + 1) * part.width), (line + top - y) * width + left - x)
    return picture
  }

  /**
   * Finds a picture near where it should be. Undefined when it is not there, or nothing can be told from it.
   *
   * @param scale - Pixels of the slide's finest level that one of the picture stands for, in each direction.
   */
  async find(picture: LumaPicture, expected: { readonly x: number; readonly y: number }, scale = 1): Promise<FoundPosition | undefined> {
    if (!isTelling(picture)) return undefined
    const { width, height } = picture
    const [left, top] = [expected.x - REACH, expected.y - REACH]
    const around = shrink(await this.cut(left * scale, top * scale, (width + 2 * REACH) * scale, (height + 2 * REACH) * scale), scale)
    const rough = bestMatch(shrink(picture, COARSE), shrink(around, COARSE), { x: 0, y: 0, reach: 2 * REACH / COARSE })
    const fine = bestMatch(picture, around, { x: rough.x * COARSE - FINE_REACH, y: rough.y * COARSE - FINE_REACH, reach: 2 * FINE_REACH })
    return fine.correlation < LEAST_CORRELATION ? undefined : { x: left + fine.x, y: top + fine.y, correlation: fine.correlation }
  }
}

/** Means of so many by so many pixels. */
function shrink(picture: LumaPicture, factor: number): LumaPicture {
  if (factor === 1) return picture
  const { width, height, luma } = picture
  const small: LumaPicture = { width: Math.floor(width / factor), height: Math.floor(height / factor), luma: new Float32Array(Math.floor(width / factor) * Math.floor(height / factor)) }
  for (let y = 0; y < small.height * factor; y++) {
    for (let x = 0; x < small.width * factor; x++) {
      const at = Math.floor(y / factor) * small.width + Math.floor(x / factor)
      small.luma[at] = (small.luma[at] ?? 0) + (luma[y * width + x] ?? 0) / factor ** 2
    }
  }
  return small
}

/** The place in `around` that correlates best with a picture, from a corner on as far as `reach`. */
function bestMatch(picture: LumaPicture, around: LumaPicture, from: { readonly x: number; readonly y: number; readonly reach: number }): FoundPosition {
  let best: FoundPosition = { x: 0, y: 0, correlation: -1 }
  for (let y = Math.max(0, from.y); y <= Math.min(from.y + from.reach, around.height - picture.height); y++) {
    for (let x = Math.max(0, from.x); x <= Math.min(from.x + from.reach, around.width - picture.width); x++) {
      const correlation = correlate(picture, around, x, y)
      if (correlation > best.correlation) best = { x, y, correlation }
    }
  }
  return best
}

/** Pearson's correlation of a picture with the part of another that begins at `x`, `y`. */
function correlate(picture: LumaPicture, around: LumaPicture, x: number, y: number): number {
  const { width, height, luma } = picture
  const count = width * height
  let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0]
  for (let line = 0; line < height; line++) {
    let other = (y + line) * around.width + x
    for (let at = line * width; at < (line + 1) * width; at++, other++) {
      const [p, q] = [luma[at] ?? 0, around.luma[other] ?? 0]
      a += p
      b += q
      aa += p * p
      bb += q * q
      ab += p * q
    }
  }
  const spread = Math.sqrt((aa - (a * a) / count) * (bb - (b * b) / count))
  return spread === 0 ? 0 : (ab - (a * b) / count) / spread
}
