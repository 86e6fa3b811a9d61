/** What of a frame's colour space decides its conversion to RGB. */
export interface YuvEncoding {
  readonly matrix: string | null
  readonly fullRange: boolean | null
}

/** `rgb = matrix × (yuv − offset)`, all in 0 to 1; the matrix column by column, as WebGL wants it. */
export interface YuvConversion {
  readonly matrix: readonly number[]
  readonly offset: readonly [number, number, number]
}

/** Luma weights of red and blue. @see ITU-R BT.709-6 item 3.2, BT.601-7 section 2.5.1, BT.2020-2 table 4 */
const WEIGHTS: Record<string, readonly [red: number, blue: number]> = {
  bt709: [0.2126, 0.0722],
  bt470bg: [0.299, 0.114],
  smpte170m: [0.299, 0.114],
  'bt2020-ncl': [0.2627, 0.0593],
}

const BT709: readonly [number, number] = [0.2126, 0.0722]

/** The conversion of 8-bit Y′CbCr to R′G′B′; what is not signalled is taken for BT.709 in limited range. */
export function yuvConversion(encoding: YuvEncoding): YuvConversion {
  const [red, blue] = WEIGHTS[encoding.matrix ?? 'bt709'] ?? BT709
  const green = 1 - red - blue
  const isFull = encoding.fullRange === true
  const lumaGain = isFull ? 1 : 255 / 219
  const chromaGain = isFull ? 1 : 255 / 224
  const redFromCr = 2 * (1 - red) * chromaGain
  const blueFromCb = 2 * (1 - blue) * chromaGain
  return {
    matrix: [
      ...[lumaGain, lumaGain, lumaGain],
      ...[0, (-blueFromCb * blue) / green, blueFromCb],
      ...[redFromCr, (-redFromCr * red) / green, 0],
    ],
    offset: [isFull ? 0 : 16 / 255, 128 / 255, 128 / 255],
  }
}
