/** Lines of a 4:2:0 picture: two of luma for each of chroma. */
export interface PictureLines {
  readonly width: number
  readonly luma: Uint8Array
  readonly cb: Uint8Array
  readonly cr: Uint8Array
}

/** Fixed point: sixteen bits behind the point. */
const ONE = 65_536
const HALF = ONE / 2
const LUMA = Math.round((ONE * 255) / 219)
const RED_CR = Math.round((ONE * 1.5748 * 255) / 224)
const GREEN_CB = Math.round((ONE * (1.8556 * 0.0722) / 0.7152 * 255) / 224)
const GREEN_CR = Math.round((ONE * (1.5748 * 0.2126) / 0.7152 * 255) / 224)
const BLUE_CB = Math.round((ONE * 1.8556 * 255) / 224)

const clip = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value)

/**
 * Y'CbCr of BT.709 and limited range to R'G'B' of full range, eight bits each; each sample of chroma for its two by two pixels.
 *
 * @param target - Three bytes for each pixel, red first.
 * @see Rec. ITU-R BT.709-6 items 3.2 to 3.5
 */
export function convertLines({ width, luma, cb, cr }: PictureLines, target: Uint8Array): void {
  let at = 0
  for (let pixel = 0, line = 0; pixel < luma.length; line++) {
    const chromaAt = (line >> 1) * (width / 2)
    for (let column = 0; column < width; column++, pixel++) {
      const blue = (cb[chromaAt + (column >> 1)] ?? 128) - 128
      const red = (cr[chromaAt + (column >> 1)] ?? 128) - 128
      const grey = ((luma[pixel] ?? 16) - 16) * LUMA + HALF
      target[at++] = clip((grey + RED_CR * red) >> 16)
      target[at++] = clip((grey - GREEN_CB * blue - GREEN_CR * red) >> 16)
      target[at++] = clip((grey + BLUE_CB * blue) >> 16)
    }
  }
}
