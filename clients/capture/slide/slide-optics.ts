import { RelayFault } from '../../../relay/wire/fault.ts'
import type { Optics, SimulatedObjective } from '../optics.ts'
import type { OpenedSlide } from './block-worker.ts'

/** Magnifications below this are an overview's. */
const LEAST_POWER = 2.5
const MOST_OBJECTIVES = 6
/** Pixels are square where both sides agree so far. */
const SQUARE_TOLERANCE = 0.01
/** 40x of a scanner is 0.25 µm to the pixel. */
const POWER_MICROMETRES = 10
/** How deep it is sharp: with the square of the magnification, 2 µm for 20x. */
const DEPTH_MICROMETRES = 800
const LEAST_DEPTH_MICROMETRES = 0.5

/**
 * The objectives that a slide can be seen through: the one that it was scanned with, and each of half the magnification.
 * None shows more than was scanned.
 *
 * @returns Strongest first. @throws {RelayFault} `unsupported_slide` for a slide that does not say how large its pixels are, or whose pixels are not square.
 */
export function slideOptics({ micronsPerPixel, objectivePower }: Pick<OpenedSlide, 'micronsPerPixel' | 'objectivePower'>): Optics {
  if (micronsPerPixel === undefined) throw new RelayFault('unsupported_slide', 'the slide does not say how large its pixels are')
  const { x, y } = micronsPerPixel
  if (Math.abs(x - y) > SQUARE_TOLERANCE * x) throw new RelayFault('unsupported_slide', 'the pixels of the slide are not square')
  const isKnown = objectivePower !== undefined && objectivePower >= 1 && objectivePower < 1000
  const power = isKnown ? objectivePower : Math.min(999, Math.max(1, Math.round(POWER_MICROMETRES / x)))
  const turret: SimulatedObjective[] = []
  for (let level = 0; level < MOST_OBJECTIVES && (level === 0 || power / 2 ** level >= LEAST_POWER); level++) {
    const magnification = Number((power / 2 ** level).toFixed(2))
    turret.push({ name: `${magnification}x`, level, depthMicrometres: Math.max(LEAST_DEPTH_MICROMETRES, DEPTH_MICROMETRES / magnification ** 2) })
  }
  return { micrometresPerPixel: x, turret }
}
