import { lumaPicture } from './slide-position.ts'
import type { BrowserViewer } from '../chromium.ts'
import type { FoundPosition, ReferenceSlide } from './slide-position.ts'

/** Side of the square in the middle of the canvas that is looked for on the slide, in canvas pixels. */
const PATCH = 256
/** A line or a busy machine may withhold the tile for a while; in milliseconds. */
const PATIENCE = 10_000

/** What a viewer's pixels say of where the stage is. */
export interface ShownPosition extends FoundPosition {
  /** Of the picture that was read. */
  readonly rtpTimestamp: number
}

/**
 * Reads from a viewer's pixels which pixel of the slide is at the centre of the microscope's image, at one canvas
 * pixel per image pixel.
 *
 * @param scale - Pixels of the slide for one of the image, in each direction: 1 under the objective of its scan.
 * @param expected - Where it should be, in pixels of the image under that objective; it is looked for around there.
 * @param notBefore - RTP timestamp of the first picture that counts.
 * @returns Undefined when for ten seconds no picture was native, or none was found on the slide.
 */
export async function readShownPosition(viewer: BrowserViewer, reference: ReferenceSlide, expected: { readonly x: number; readonly y: number }, notBefore: number, scale = 1): Promise<ShownPosition | undefined> {
  const { image, canvas } = await viewer.inspect()
  if (image === null) return undefined
  const area = { x: Math.round((canvas.width - PATCH) / 2), y: Math.round((canvas.height - PATCH) / 2), width: PATCH, height: PATCH }
  for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
    const { data, drawnViewport, shown, truth, width, height } = await viewer.capturePixels(area)
    if (shown === null || drawnViewport?.scale !== 1 || truth.pixels !== 'native' || ((shown.rtpTimestamp - notBefore) | 0) < 0) continue
    // From the centre of the image to the corner of what was read.
    const [dx, dy] = [drawnViewport.x + area.x - image.width / 2, drawnViewport.y + area.y - image.height / 2]
    const found = await reference.find(lumaPicture(data, width, height), { x: Math.round(expected.x + dx), y: Math.round(expected.y + dy) }, scale)
    if (found !== undefined) return { x: found.x - dx, y: found.y - dy, correlation: found.correlation, rtpTimestamp: shown.rtpTimestamp }
  }
  return undefined
}
