import { millis } from '../../relay/wire/units.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { CELL_HEIGHT, CELL_WIDTH } from './calibration-layout.ts'
import { drawCalibrationSlide } from './calibration-slide.ts'
import { objectivesOf } from './optics.ts'
import { SimulatedStage } from './simulated-stage.ts'
import { Specimen } from './specimen.ts'
import { drawTissueSlide } from './tissue-slide.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { Stage } from '../../relay/wire/stage.ts'
import type { Optics } from './optics.ts'
import type { VisibleSpecimen } from './specimen.ts'

/** Micrometres of the slide per pixel of the specimen at its full resolution. */
export const SPECIMEN_MICROMETRES_PER_PIXEL = 0.25

const OPTICS: Optics = {
  micrometresPerPixel: SPECIMEN_MICROMETRES_PER_PIXEL,
  turret: [
    { name: '5x', level: 2, depthMicrometres: 24 },
    { name: '10x', level: 1, depthMicrometres: 8 },
    { name: '20x', level: 0, depthMicrometres: 2 },
    { name: '40x', level: -1, depthMicrometres: 1 },
  ],
}
const START_OBJECTIVE = '20x'
const FOCUS_TRAVEL = 100
/** An overview of the coarsest objective must not be coarser than the slide is kept in. */
const MOST_OVERVIEW_SHRINK = 8
/** The slide is larger than the image by this. */
const SLIDE_MARGIN = 1.25
/** Tissue repeats itself so often in each direction; a calibration slide does not, so that each position says a number of its own. */
const TISSUE_PERIODS = 10
const PROGRESS_INTERVAL = millis(2000)

/** A specimen under a stage, seen through objectives. */
export interface SimulatedMicroscope {
  readonly specimen: VisibleSpecimen
  readonly optics: Optics
  readonly stage: SimulatedStage
}

/** What {@link openMicroscope} needs. */
export interface MicroscopeOptions {
  /** Size of the image, in pixels. */
  readonly width: number
  readonly height: number
  readonly kind: 'tissue' | 'calibration'
  readonly clock: Clock
  readonly log: Logger
}

/** Draws the specimen, which takes seconds if it is tissue, and puts it under a stage at its centre. */
export async function openMicroscope(options: MicroscopeOptions): Promise<SimulatedMicroscope> {
  const { kind } = options
  // Multiples of a calibration cell are multiples of what a specimen needs.
  const width = CELL_WIDTH * Math.ceil((options.width * SLIDE_MARGIN) / CELL_WIDTH)
  const height = CELL_HEIGHT * Math.ceil((options.height * SLIDE_MARGIN) / CELL_HEIGHT)
  const slide = kind === 'calibration' ? drawCalibrationSlide(width, height) : await drawTissueSlide(width, height, progressLogger(options))
  const periods = kind === 'calibration' ? 1 : TISSUE_PERIODS
  const travel: Stage['travel'] = {
    x: { min: 0, max: periods * width * SPECIMEN_MICROMETRES_PER_PIXEL },
    y: { min: 0, max: periods * height * SPECIMEN_MICROMETRES_PER_PIXEL },
    focus: { min: -FOCUS_TRAVEL, max: FOCUS_TRAVEL },
  }
  const start = { x: travel.x.max / 2, y: travel.y.max / 2, focus: 0, objective: START_OBJECTIVE }
  return { specimen: new Specimen(slide), optics: OPTICS, stage: new SimulatedStage({ objectives: objectivesOf(OPTICS), travel, start }) }
}

function progressLogger({ clock, log }: MicroscopeOptions): (share: number) => void {
  let nextAt: number = clock.now() + PROGRESS_INTERVAL
  return share => {
    if (clock.now() < nextAt && share < 1) return
    nextAt = clock.now() + PROGRESS_INTERVAL
    log.info({ percent: Math.round(share * 100) }, 'drawing the specimen')
  }
}

/**
 * How many image pixels one of the overview stands for: a power of two, which the specimen has a level for.
 *
 * @param most - The widest the overview may be, in pixels.
 * @throws {RelayFault} `bad_config` when the image cannot be halved so often.
 */
export function overviewShrink(width: number, height: number, most: number): number {
  let shrink = 1
  while (width / shrink > most && shrink < MOST_OVERVIEW_SHRINK) shrink *= 2
  if (width % (2 * shrink) !== 0 || height % (2 * shrink) !== 0) {
    throw new RelayFault('bad_config', `a simulated image of ${width}x${height} has no overview of a ${shrink}th of its size: use multiples of ${2 * shrink}`)
  }
  return shrink
}
