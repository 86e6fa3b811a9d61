import type { TileEncoding } from '../../../relay/wire/slide.ts'

/** What is known of decoded samples. */
export interface SampleShape {
  readonly width: number
  readonly height: number
  readonly bitsPerSample: number
  readonly components: number
  readonly photometric: TileEncoding['photometric']
}

/**
 * Interleaved samples of 8 bits to RGBA. YCbCr as JFIF has it. @see ITU-T T.871 section 7
 *
 * @throws {RangeError} For other depths, numbers of components or too few samples.
 */
export function toRgba(samples: Uint8Array, { width, height, bitsPerSample, components, photometric }: SampleShape): Uint8ClampedArray<ArrayBuffer> {
  const isKnown = bitsPerSample === 8 && components === (photometric === 'grey' ? 1 : 3) && samples.length >= width * height * components
  if (!isKnown) throw new RangeError('samples of another kind')
  const rgba = new Uint8ClampedArray(width * height * 4)
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [a, b, c] = components === 1 ? [samples[pixel] ?? 0, samples[pixel] ?? 0, samples[pixel] ?? 0] : [samples[3 * pixel] ?? 0, samples[3 * pixel + 1] ?? 0, samples[3 * pixel + 2] ?? 0]
    const isYcc = photometric === 'ycbcr'
    rgba[4 * pixel] = isYcc ? a + 1.402 * (c - 128) : a
    rgba[4 * pixel + 1] = isYcc ? a - 0.344136 * (b - 128) - 0.714136 * (c - 128) : b
    rgba[4 * pixel + 2] = isYcc ? a + 1.772 * (b - 128) : c
    rgba[4 * pixel + 3] = 255
  }
  return rgba
}
