/**
 * A microscope that can be steered remotely: where its stage is, and where it shall go.
 *
 * Positions are those of the slide point at the centre of the image, in micrometres from the slide's
 * origin, x to the right and y downwards as the image shows them.
 */
import { z } from 'zod'
import { RelayFault } from './fault.ts'

const micrometres = z.number().min(-1e6).max(1e6)
const range = z
  .strictObject({ min: micrometres, max: micrometres })
  .refine(({ min, max }) => min <= max, 'min is above max')

/** The name of an objective, as engraved: its magnification. */
export const ObjectiveName = z.string().regex(/^[0-9]{1,3}(\.[0-9]{1,2})?x$/, 'expected a magnification such as "20x"')
export type ObjectiveName = z.infer<typeof ObjectiveName>

/** One objective of the turret. */
export const Objective = z.strictObject({
  name: ObjectiveName,
  /** Slide micrometres per image pixel. */
  micrometresPerPixel: z.number().gt(0).max(1000),
})
export type Objective = z.infer<typeof Objective>

/** Where the stage is. */
export const StageState = z.strictObject({
  x: micrometres,
  y: micrometres,
  /** Distance from the plane of best focus of the simulated or calibrated slide; 0 is sharp where the slide is flat. */
  focus: micrometres,
  objective: ObjectiveName,
  isMoving: z.boolean(),
  /** RTP timestamp of the first image that was taken there; null before there is one. */
  rtpTimestamp: z.uint32().nullable(),
  /** The last command that the stage took, and the first image that was taken with the stage obeying it; null before there is one. */
  obeyed: z.strictObject({ command: z.uint32(), rtpTimestamp: z.uint32().nullable() }).nullable(),
})
export type StageState = z.infer<typeof StageState>

/** What a stage can do, and where it is. */
export const Stage = z
  .strictObject({
    objectives: z.array(Objective).min(1).max(12),
    travel: z.strictObject({ x: range, y: range, focus: range }),
    state: StageState,
  })
  .refine(({ objectives, state }) => objectives.some(({ name }) => name === state.objective), 'the objective in place is none of the turret')
export type Stage = z.infer<typeof Stage>

/** Where a stage shall go; what is not named stays as it is. */
export const StageTarget = z
  .strictObject({
    x: micrometres.optional(),
    y: micrometres.optional(),
    focus: micrometres.optional(),
    objective: ObjectiveName.optional(),
  })
  .refine(target => Object.keys(target).length > 0, 'nothing is to be moved')
export type StageTarget = z.infer<typeof StageTarget>

/**
 * Checks that a stage can go there.
 *
 * @throws {RelayFault} `out_of_range` naming what is beyond its travel, or an objective it has not.
 */
export function checkStageTarget({ objectives, travel }: Stage, target: StageTarget): void {
  for (const axis of ['x', 'y', 'focus'] as const) {
    const value = target[axis]
    if (value === undefined) continue
    if (value < travel[axis].min || value > travel[axis].max) {
      throw new RelayFault('out_of_range', `${axis} is outside ${travel[axis].min} to ${travel[axis].max} µm`)
    }
  }
  if (target.objective !== undefined && !objectives.some(({ name }) => name === target.objective)) {
    throw new RelayFault('out_of_range', `this microscope has no ${target.objective} objective`)
  }
}
