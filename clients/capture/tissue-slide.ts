import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { blankPicture } from './specimen.ts'
import { drawTissue } from './tissue.ts'
import type { I420Picture } from './specimen.ts'

/** Lines drawn at a time; even. */
const BAND_LINES = 64
/** The slide's right and lower ends fade into its left and upper ones over so many pixels, so that it repeats without a seam. */
const FADE = 128

/**
 * Draws a slide of stained tissue that repeats in both directions. Takes about a fifth of a second
 * per megapixel and core; other work gets its turn meanwhile.
 *
 * @param onProgress - Called with the share that is done, from 0 to 1.
 */
export async function drawTissueSlide(width: number, height: number, onProgress: (share: number) => void): Promise<I420Picture> {
  const slide = blankPicture(width, height)
  const total = height + FADE
  for (let top = 0; top < total; top += BAND_LINES) {
    const bottom = Math.min(top + BAND_LINES, total)
    const rgb = drawTissue(width + FADE, top, bottom)
    for (let y = top; y < bottom; y += 2) addLines(slide, rgb.subarray((y - top) * (width + FADE) * 3), y)
    onProgress(bottom / total)
    await yieldToEvents()
  }
  return slide
}

/** Converts two lines of RGB to Y'CbCr and lays them on the slide, once around where they are beyond its end. */
function addLines(slide: I420Picture, rgb: Uint8Array, y: number): void {
  const { width, height } = slide
  const stride = (width + FADE) * 3
  const luma = [new Float32Array(width + FADE), new Float32Array(width + FADE)] as const
  const cb = new Float32Array((width + FADE) / 2)
  const cr = new Float32Array((width + FADE) / 2)
  for (let line = 0; line < 2; line++) {
    for (let x = 0, at = line * stride; x < width + FADE; x++, at += 3) {
      const [red, green, blue] = [rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0]
      // Rec. ITU-R BT.709-6 items 3.2, 3.3 and 5.1
      const brightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
      luma[line === 0 ? 0 : 1][x] = 16 + (219 / 255) * brightness
      cb[x >> 1] = (cb[x >> 1] ?? 0) + (224 / 255 / 1.8556) * (blue - brightness) / 4
      cr[x >> 1] = (cr[x >> 1] ?? 0) + (224 / 255 / 1.5748) * (red - brightness) / 4
    }
  }
  for (const [line, values] of luma.entries()) lay(slide.luma, { width, height, fade: FADE, offset: 0 }, values, y + line)
  for (const [plane, values] of [[slide.cb, cb], [slide.cr, cr]] as const) lay(plane, { width: width / 2, height: height / 2, fade: FADE / 2, offset: 128 }, values, y / 2)
}

interface PlaneShape {
  readonly width: number
  readonly height: number
  readonly fade: number
  /** Added to every value. */
  readonly offset: number
}

function lay(plane: Uint8Array, { width, height, fade, offset }: PlaneShape, values: Float32Array, y: number): void {
  for (let x = 0; x < fade; x++) values[x] = mix(values[width + x] ?? 0, values[x] ?? 0, x / fade)
  const row = (y < height ? y : y - height) * width
  // What is beyond the lower end comes last, and fades into what is there.
  const share = y < height ? 0 : (y - height) / fade
  for (let x = 0; x < width; x++) plane[row + x] = Math.round(mix((values[x] ?? 0) + offset, plane[row + x] ?? 0, share))
}

const mix = (from: number, to: number, share: number): number => from + (to - from) * share
