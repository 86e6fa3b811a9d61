import { objectivesOf } from '../optics.ts'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { SimulatedStage } from '../simulated-stage.ts'
import { BLOCK_SIDE, blockKey } from './block-grid.ts'
import { SlideBlocks } from './slide-blocks.ts'
import { slideOptics } from './slide-optics.ts'
import { SlideSpecimen } from './slide-specimen.ts'
import type { Logger } from '../../../relay/runtime/log.ts'
import type { Stage } from '../../../relay/wire/stage.ts'
import type { Optics } from '../optics.ts'
import type { SimulatedMicroscope } from '../simulated-microscope.ts'
import type { SlideExtent } from './block-grid.ts'
import type { OpenedSlide, SlidePlace } from './block-worker.ts'

/** All of a level stays in memory from where the slide is no larger than this, in pixels. */
const PINNED_SIDE = 2 * BLOCK_SIDE
/** Halvings from the image to the coarsest overview. */
const MOST_OVERVIEW_HALVINGS = 3
const FOCUS_TRAVEL_MICROMETRES = 100

/** A microscope with a whole slide under it. */
export interface SlideMicroscope extends SimulatedMicroscope, AsyncDisposable {}

/**
 * Opens a slide and puts it under a stage at its centre, with the objective that it was scanned with. What of it is looked at is decoded on a thread of its own.
 *
 * @throws {RelayFault} `unsupported_slide` for one that does not say its resolution, or has no JPEG tiles; as `SlideBlocks.open`.
 */
export async function openSlideMicroscope(place: SlidePlace, log: Logger): Promise<SlideMicroscope> {
  await using scope = new AsyncDisposableStack()
  const blocks = scope.use(await SlideBlocks.open(place, log))
  const optics = slideOptics(blocks.slide)
  const { extent, pinnedFrom } = extentOf(blocks.slide, optics)
  const specimen = new SlideSpecimen(extent, blocks, pinnedFrom)
  await layFoundation(specimen, blocks)
  const travel = travelOf(extent, optics)
  const [objective] = optics.turret
  if (objective === undefined) throw new Error('a slide has the objective that it was scanned with')
  const start = { x: travel.x.max / 2, y: travel.y.max / 2, focus: 0, objective: objective.name }
  const stage = new SimulatedStage({ objectives: objectivesOf(optics), travel, start })
  const opened = scope.move()
  return { specimen, optics, stage, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Waits until the coarsest levels are there. */
async function layFoundation(specimen: SlideSpecimen, blocks: SlideBlocks): Promise<void> {
  const { foundation } = specimen
  const missing = new Set(foundation.map(blockKey))
  const complete = Promise.withResolvers<undefined>()
  blocks.listen({
    onBlock: (address, block) => {
      specimen.add(address, block)
      if (missing.delete(blockKey(address)) && missing.size === 0) complete.resolve(undefined)
    },
    onMissed: code => complete.reject(new RelayFault(code, 'the slide cannot be read')),
  })
  blocks.want(foundation)
  await complete.promise
}

function extentOf({ levels }: OpenedSlide, { turret }: Optics): { readonly extent: SlideExtent; readonly pinnedFrom: number } {
  const [finest] = levels
  if (finest === undefined) throw new RelayFault('bad_slide', 'a slide without levels')
  const { width, height } = finest
  const pinnedFrom = Math.max(0, Math.ceil(Math.log2(Math.max(width, height) / PINNED_SIDE)))
  const coarsest = Math.max(pinnedFrom, (turret.at(-1)?.level ?? 0) + MOST_OVERVIEW_HALVINGS)
  return { extent: { width, height, coarsest }, pinnedFrom }
}

/** The area of the slide, in whole pixels of the weakest objective, so that its ends are whole pixels of all. */
function travelOf({ width, height }: SlideExtent, { micrometresPerPixel, turret }: Optics): Stage['travel'] {
  const step = 2 ** (turret.at(-1)?.level ?? 0)
  const end = (pixels: number): number => Math.max(1, Math.floor(pixels / step)) * step * micrometresPerPixel
  return { x: { min: 0, max: end(width) }, y: { min: 0, max: end(height) }, focus: { min: -FOCUS_TRAVEL_MICROMETRES, max: FOCUS_TRAVEL_MICROMETRES } }
}
