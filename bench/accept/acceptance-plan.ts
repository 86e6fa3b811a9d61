import { SHAPES } from './traffic-shape.ts'
import type { LoadDirection } from './acceptance-measurement.ts'
import type { Shape } from './traffic-shape.ts'

/** Rates that a line is asked to carry, bits per second of IP packets. The first is an overview with headroom. */
export const STEP_RATES = [7e6, 20e6, 50e6, 80e6, 100e6, 120e6] as const
/** A whole stream has one rate: it is tried with it, and with headroom. */
const WHOLE_FROM = 100e6
/** One window of a stability run, each direction in turn. */
const WINDOW_MILLIS = 30_000
const HOUR_MILLIS = 3_600_000
/** Between two loads: what is on its way arrives. */
export const DRAIN_MILLIS = 500

/** One load of a plan. */
export interface PlannedLoad {
  readonly direction: LoadDirection
  readonly shape: Shape
  readonly bitsPerSecond: number
}

/** What is going to be done to a line. */
export interface AcceptancePlan {
  readonly idleMillis: number
  readonly stepMillis: number
  /** The smaller before the larger. */
  readonly loads: readonly PlannedLoad[]
  /** Windows at the largest rate that passed; 0 without a stability run. */
  readonly windows: number
  readonly windowMillis: number
}

/** @param hours - Of stability, after the steps. @param stepSeconds - Instead of 15. */
export function planAcceptance({ isQuick, hours, stepSeconds }: { readonly isQuick: boolean; readonly hours: number; readonly stepSeconds?: number | undefined }): AcceptancePlan {
  const loads = STEP_RATES.flatMap(bitsPerSecond =>
    SHAPES.filter(shape => shape === 'pyramid' || bitsPerSecond >= WHOLE_FROM).flatMap(shape => (['out', 'in'] as const).map(direction => ({ direction, shape, bitsPerSecond }))),
  )
  return {
    idleMillis: isQuick ? 1500 : 10_000,
    stepMillis: 1000 * (stepSeconds ?? (isQuick ? 1 : 15)),
    loads,
    windows: Math.round((hours * HOUR_MILLIS) / WINDOW_MILLIS),
    windowMillis: WINDOW_MILLIS,
  }
}

/** What a plan puts on a line at most, for whoever is asked. @param paths - Measured one after the other. */
export function plannedLoad(plan: AcceptancePlan, paths: number): { readonly seconds: number; readonly mostBitsPerSecond: number; readonly bytesEachWay: number } {
  const most = Math.max(...plan.loads.map(({ bitsPerSecond }) => bitsPerSecond))
  const outgoing = plan.loads.filter(({ direction }) => direction === 'out')
  const ofSteps = outgoing.reduce((sum, { bitsPerSecond }) => sum + (bitsPerSecond * plan.stepMillis) / 8000, 0)
  const ofWindows = (plan.windows / 2) * ((most * plan.windowMillis) / 8000)
  const millisOfPath = plan.idleMillis + plan.loads.length * (plan.stepMillis + DRAIN_MILLIS)
  return {
    seconds: (paths * millisOfPath + plan.windows * (plan.windowMillis + DRAIN_MILLIS)) / 1000,
    mostBitsPerSecond: most,
    bytesEachWay: paths * ofSteps + ofWindows,
  }
}
