import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { OVERVIEW } from '../../../relay/wire/ids.ts'
import { millis } from '../../../relay/wire/units.ts'
import { viewOf } from '../optics.ts'
import { blankPicture, i420Bytes } from '../specimen.ts'
import type { Clock } from '../../../relay/runtime/clock.ts'
import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import type { SimulatedMicroscope } from '../simulated-microscope.ts'
import type { SpecimenView, VisibleSpecimen } from '../specimen.ts'
import type { StagePlace } from '../stage-model.ts'

/** Lines that are drawn at once: some milliseconds, in which no frame is held up. Even. */
const STRIP_LINES = 64
/** A specimen that has not got all of the view at hand is waited for so long. */
const PATIENCE = millis(30_000)
const LOOK_INTERVAL = millis(25)

/**
 * Draws the whole image at full resolution that a place of the stage shows: every tile that was encoded there is a part of it.
 *
 * @returns I420, eight bits, BT.709, limited range; undefined when the specimen has not got all of it in time.
 */
export async function drawWhole({ specimen, optics }: Pick<SimulatedMicroscope, 'specimen' | 'optics'>, { width, height }: Pick<Pyramid, 'width' | 'height'>, place: StagePlace, clock: Clock): Promise<Uint8Array | undefined> {
  const { luma, cb, cr } = blankPicture(width, height)
  const strip = new Uint8Array(i420Bytes(width, STRIP_LINES))
  const deadline = clock.now() + PATIENCE
  for (let top = 0; top < height; top += STRIP_LINES) {
    const lines = Math.min(STRIP_LINES, height - top)
    const region = { x: 0, y: top, width, height: lines }
    const view = viewOf(place, { width, height }, { id: OVERVIEW, codec: 'H264', bitsPerSecond: 1, region, width, height: lines }, optics)
    if (!(await isAtHand(specimen, view, deadline, clock))) return undefined
    specimen.draw(view, strip)
    const [pixels, quarter] = [width * lines, (width * lines) / 4]
    luma.set(strip.subarray(0, pixels), top * width)
    cb.set(strip.subarray(pixels, pixels + quarter), (top * width) / 4)
    cr.set(strip.subarray(pixels + quarter, pixels + 2 * quarter), (top * width) / 4)
    await yieldToEvents()
  }
  return new Uint8Array(luma.buffer)
}

/** What is drawn right after this is drawn as it is, and no coarser. */
async function isAtHand(specimen: VisibleSpecimen, view: SpecimenView, deadline: number, clock: Clock): Promise<boolean> {
  while (specimen.prepare !== undefined && !specimen.prepare([view])) {
    if (clock.now() > deadline) return false
    await clock.sleep(LOOK_INTERVAL)
  }
  return true
}
