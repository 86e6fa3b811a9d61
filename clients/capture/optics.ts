import type { Objective } from '../../relay/wire/stage.ts'
import type { Rendition } from '../../relay/wire/pyramid.ts'
import type { SpecimenView } from './specimen.ts'
import type { StagePlace } from './stage-model.ts'

/** One objective of a simulated microscope. */
export interface SimulatedObjective {
  readonly name: string
  /** How often the specimen's resolution is halved under it; negative: doubled. */
  readonly level: number
  /** How far from the best focus it still looks sharp. */
  readonly depthMicrometres: number
}

/** What stands between a specimen and its image. */
export interface Optics {
  /** Micrometres per pixel of the specimen at its full resolution. */
  readonly micrometresPerPixel: number
  readonly turret: readonly SimulatedObjective[]
}

/** The greatest defocus, in halvings of the resolution. */
const MOST_BLUR = 3

/** The objectives as they are published. */
export const objectivesOf = ({ micrometresPerPixel, turret }: Optics): Objective[] =>
  turret.map(({ name, level }) => ({ name, micrometresPerPixel: micrometresPerPixel * 2 ** level }))

/** How many halvings of the resolution a defocus costs under an objective. */
export function blurOf({ focus, objective }: Pick<StagePlace, 'focus' | 'objective'>, optics: Optics): number {
  const depths = Math.abs(focus) / objectiveNamed(objective, optics).depthMicrometres
  return depths <= 1 ? 0 : Math.min(MOST_BLUR, Math.ceil(Math.log2(depths)))
}

/**
 * What of the specimen a rendition shows while the stage is at a place. Renditions of less than full
 * resolution stand at the nearest of their own pixels, up to half of one off.
 */
export function viewOf(place: StagePlace, image: { readonly width: number; readonly height: number }, { region, width, height }: Rendition, optics: Optics): SpecimenView {
  const { level } = objectiveNamed(place.objective, optics)
  const micrometresPerPixel = optics.micrometresPerPixel * 2 ** level
  const shrink = 2 ** Math.round(Math.log2(region.width / width))
  const x = Math.round(place.x / micrometresPerPixel) - image.width / 2 + region.x
  const y = Math.round(place.y / micrometresPerPixel) - image.height / 2 + region.y
  return { level: level + Math.log2(shrink), x: Math.round(x / shrink), y: Math.round(y / shrink), width, height, detail: level + blurOf(place, optics) }
}

function objectiveNamed(name: string, { turret }: Optics): SimulatedObjective {
  const entry = turret.find(candidate => candidate.name === name)
  if (entry === undefined) throw new Error(`there is no ${name} objective`)
  return entry
}
