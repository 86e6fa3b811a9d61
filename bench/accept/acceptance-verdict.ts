import { DIRECTIONS, deliveredRate, lossRatio, offeredRate } from './acceptance-measurement.ts'
import { isKeyframeLoss, isOverloaded } from './line-limit.ts'
import { repairOutlook } from './repair-outlook.ts'
import type { AcceptanceMeasurement, LoadDirection, PathMeasurement, StepResult } from './acceptance-measurement.ts'
import type { RepairOutlook } from './repair-outlook.ts'
import type { Shape } from './traffic-shape.ts'

/** Whether a use can be had on a line, the best first. */
export const ACCEPTANCE_LEVELS = ['go', 'limits', 'no-go'] as const
export type AcceptanceLevel = (typeof ACCEPTANCE_LEVELS)[number]

/** What a line may be wanted for. */
export const USES = ['pyramid', 'whole', 'overview', 'slides'] as const
export type Use = (typeof USES)[number]

/** Why a use is not simply possible. Each has words for the reason and for what to change. */
export type AcceptanceReason = 'capacity' | 'keyframes' | 'burst' | 'residual' | 'repairCost' | 'reordering' | 'queue' | 'slow' | 'mtu' | 'unstable' | 'hours'

/** One reason. */
export interface AcceptanceFinding {
  readonly level: AcceptanceLevel
  readonly direction: LoadDirection
  readonly reason: AcceptanceReason
  /** What is put into the words: bits per second, milliseconds, ratios, hours, by name. */
  readonly put: Readonly<Record<string, number>>
}

/** One use in one direction of a path. */
export interface UseVerdict {
  readonly use: Use
  readonly direction: LoadDirection
  readonly level: AcceptanceLevel
  /** None with `go`. */
  readonly findings: readonly AcceptanceFinding[]
  /** What it has to carry, headroom included, and what it carried at most in this run. */
  readonly neededBitsPerSecond: number
  readonly carriedBitsPerSecond: number
  /** Of slides: for a hundred of them. */
  readonly hoursPerHundred?: number
}

/** One use over all directions that were asked for. */
export interface UseSummary {
  readonly use: Use
  readonly level: AcceptanceLevel
  readonly byDirection: readonly UseVerdict[]
}

/** What somebody who has to decide on a line is told. */
export interface AcceptanceVerdict {
  /** The worst of the uses asked for, on the first path. */
  readonly level: AcceptanceLevel
  readonly paths: readonly { readonly name: string; readonly uses: readonly UseSummary[] }[]
  /** Said on its face. */
  readonly isSimulated: boolean
  /** Some load that decided had fewer packets than its loss bound takes. */
  readonly isFewSamples: boolean
}

/** What is asked of a verdict. */
export interface AcceptanceQuestion {
  readonly uses: readonly Use[]
  /** In which directions pictures and slides flow. */
  readonly directions: readonly LoadDirection[]
  readonly slideBytes: number
}

/** Rate that has to be free beyond what is sent: parity and retransmission take up to a fifth of it. */
export const HEADROOM = 1.2
/** Part of all tiles that one HD viewport at 1:1 takes, with the overview: the goal of the scenario `demand`. */
export const VIEWPORT_SHARE = 0.25
/** Missing at the deadline: beyond the first a picture freezes now and then, beyond the second all the time. As `kenkyo link probe`. */
export const RESIDUAL = { limits: 1e-4, noGo: 1e-2 } as const
/** Round trip under load, as `kenkyo link probe`. @see ITU-T G.114 */
export const ROUND_TRIP_MILLIS = { limits: 150, noGo: 400 } as const
/** A link sends no parity while packets wait for longer than the first on the way; what waits for the second is dropped. @see docs/LINKS.md, "Parity" and `queueDelayMillis` */
export const QUEUE_MILLIS = { limits: 35, noGo: 200 } as const
/** A link waits no longer for what may only have been overtaken. @see relay/links/repair/sequence-tracker.ts */
export const REORDERING_MILLIS = 30
/** A link's packets are never smaller; IPv6 asks for the second. @see docs/LINKS.md, "MTU"; RFC 8200 section 5 */
export const MTU_BYTES = { noGo: 1200, limits: 1280 } as const
/** A night, and a day: slower than that, slides of a day pile up. */
export const HOURS = { limits: 12, noGo: 24 } as const
/** Of what a line carries, what the bulk of a link gets at least. @see bench/README.md, `bulk_share` and `goodput_share` */
const BULK_SHARE = 0.95
/** Windows of a stability run that may be bad; the first is what the class `sinet` promises. */
const BAD_WINDOWS = { limits: 0.001, noGo: 0.05 } as const
/** With none lost of so many packets, less than {@link RESIDUAL} is lost with 95 % confidence: three over the ratio. */
export const ENOUGH_PACKETS = 3 / RESIDUAL.limits
/** Of each load: a 99th percentile then stands on five of them. */
export const ENOUGH_PROBES = 500

const levelOf = (value: number, bounds: { readonly limits: number; readonly noGo: number }): AcceptanceLevel => (value > bounds.noGo ? 'no-go' : value > bounds.limits ? 'limits' : 'go')

/** The worst of some levels. */
export const worstOf = (levels: readonly AcceptanceLevel[]): AcceptanceLevel => ACCEPTANCE_LEVELS.findLast(level => levels.includes(level)) ?? 'go'

/** Judges a whole measurement. Does no I/O. */
export function judgeAcceptance(measurement: AcceptanceMeasurement, question: AcceptanceQuestion): AcceptanceVerdict {
  const paths = measurement.paths.map(path => ({ name: path.name, uses: question.uses.map(use => judgeUse(use, path, measurement.recorded, question)) }))
  const [first] = measurement.paths
  return {
    level: worstOf(paths[0]?.uses.map(({ level }) => level) ?? ['no-go']),
    paths,
    isSimulated: measurement.isSimulated,
    isFewSamples: first === undefined || hasFewSamples(first),
  }
}

function hasFewSamples({ steps }: PathMeasurement): boolean {
  const sentIn = (direction: LoadDirection): number => steps.filter(step => step.direction === direction && !isOverloaded(step, steps)).reduce((sum, { departure }) => sum + departure.sent, 0)
  return steps.some(({ probes }) => probes.sent < ENOUGH_PROBES) || DIRECTIONS.some(direction => sentIn(direction) < ENOUGH_PACKETS)
}

function judgeUse(use: Use, path: PathMeasurement, recorded: AcceptanceMeasurement['recorded'], { directions, slideBytes }: AcceptanceQuestion): UseSummary {
  const byDirection = directions.map(direction => (use === 'slides' ? judgeSlides(path, direction, slideBytes) : judgeLive(use, path, direction, recorded)))
  return { use, level: worstOf(byDirection.map(({ level }) => level)), byDirection }
}

/** What a use needs in full, and with what it is still of use. */
function needsOf(use: Exclude<Use, 'slides'>, { overview, pyramid, whole }: AcceptanceMeasurement['recorded']): { readonly shape: Shape; readonly full: number; readonly least: number } {
  switch (use) {
    case 'pyramid':
      return { shape: 'pyramid', full: HEADROOM * pyramid, least: HEADROOM * VIEWPORT_SHARE * pyramid }
    case 'whole':
      return { shape: 'whole', full: HEADROOM * whole, least: whole }
    case 'overview':
      return { shape: 'pyramid', full: HEADROOM * overview, least: HEADROOM * overview }
    default:
      return use satisfies never
  }
}

function judgeLive(use: Exclude<Use, 'slides'>, path: PathMeasurement, direction: LoadDirection, recorded: AcceptanceMeasurement['recorded']): UseVerdict {
  const { shape, full, least } = needsOf(use, recorded)
  const steps = path.steps.filter(step => step.direction === direction)
  const outlook = repairOutlook(steps.filter(step => !isOverloaded(step, steps) && !isKeyframeLoss(step, steps)))
  const line = [...judgeRepair(outlook, direction), ...judgePath(path, direction)]
  const withLeast = [...line, ...judgeRate(steps, shape, least, direction)]
  const isOutOfQuestion = withLeast.some(({ level }) => level === 'no-go')
  // What does without full rate is limited by it, not ruled out.
  const withFull = judgeRate(steps, shape, full, direction).map(finding => (finding.level === 'no-go' ? { ...finding, level: 'limits' as const } : finding))
  const findings = worstFirst(isOutOfQuestion ? withLeast : [...withLeast, ...withFull])
  return { use, direction, level: worstOf(findings.map(({ level }) => level)), findings, neededBitsPerSecond: full, carriedBitsPerSecond: carried(steps) }
}

/** What the line as such does to packets, whatever the rate. */
function judgeRepair(outlook: RepairOutlook, direction: LoadDirection): AcceptanceFinding[] {
  const { lossRatio: lost, residualRatio, uncoveredRatio, longestRunMillis, coverMillis, budgetMillis, parityRatio, reorderedMillis } = outlook
  const reason = uncoveredRatio > residualRatio / 2 ? 'burst' : 'residual'
  const cost = lost + parityRatio
  return [
    { level: levelOf(residualRatio, RESIDUAL), direction, reason, put: { residual: residualRatio, loss: lost, run: longestRunMillis, cover: coverMillis, budget: budgetMillis } },
    { level: cost > HEADROOM - 1 ? 'limits' : 'go', direction, reason: 'repairCost', put: { cost, loss: lost } },
    { level: reorderedMillis > REORDERING_MILLIS ? 'limits' : 'go', direction, reason: 'reordering', put: { late: reorderedMillis, bound: REORDERING_MILLIS } },
  ]
}

function judgePath({ idle, mtuBytes, stability }: PathMeasurement, direction: LoadDirection): AcceptanceFinding[] {
  const mtu = mtuBytes ?? 0
  const windows = stability.filter(window => window.direction === direction)
  const bad = windows.filter(window => repairOutlook([window]).residualRatio > RESIDUAL.noGo || (window.queue?.p95 ?? Infinity) > QUEUE_MILLIS.noGo)
  const share = windows.length === 0 ? 0 : bad.length / windows.length
  return [
    { level: levelOf(idle.roundTrip.p50, ROUND_TRIP_MILLIS), direction, reason: 'slow', put: { roundTrip: idle.roundTrip.p50 } },
    { level: mtu < MTU_BYTES.noGo ? 'no-go' : mtu < MTU_BYTES.limits ? 'limits' : 'go', direction, reason: 'mtu', put: { mtu } },
    { level: levelOf(share, BAD_WINDOWS), direction, reason: 'unstable', put: { bad: bad.length, windows: windows.length } },
  ]
}

/**
 * Whether a rate fits: by the smallest load of that shape which is not below it. A pyramid that is smaller than what a
 * line carries fits even if that load was more than the line carries; then the load below tells how it fares.
 */
function judgeRate(steps: readonly StepResult[], shape: Shape, needed: number, direction: LoadDirection): AcceptanceFinding[] {
  const loads = steps.filter(each => each.shape === shape).sort((a, b) => a.targetBitsPerSecond - b.targetBitsPerSecond)
  const above = loads.find(each => each.targetBitsPerSecond >= needed)
  const isBetween = shape === 'pyramid' && above !== undefined && isOverloaded(above, steps) && carried(steps) >= needed
  const step = isBetween ? loads.findLast(each => each.targetBitsPerSecond < needed && !isOverloaded(each, steps)) : above
  const capacity = (level: AcceptanceLevel): AcceptanceFinding => ({ level, direction, reason: 'capacity', put: { carried: carried(steps), needed } })
  if (step === undefined) return [capacity('no-go')]
  const lost = lossRatio(step)
  const loaded = step.queue === null || step.roundTrip === null ? undefined : { queue: step.queue.p95, roundTrip: step.roundTrip.p95 }
  const findings: AcceptanceFinding[] = []
  // A link holds a keyframe back until the line takes it: it comes late, once a second.
  if (isKeyframeLoss(step, steps)) findings.push({ level: 'limits', direction, reason: 'keyframes', put: { loss: lost, rate: step.targetBitsPerSecond } })
  else if (isOverloaded(step, steps)) findings.push(capacity(levelOf(lost, RESIDUAL)))
  if (loaded === undefined) findings.push(capacity('no-go'))
  else {
    findings.push({ level: levelOf(loaded.queue, QUEUE_MILLIS), direction, reason: 'queue', put: { queue: loaded.queue, rate: offeredRate(step), bound: QUEUE_MILLIS.limits } })
    // What the queue adds to the round trip was said of the queue.
    const roundTrip = Math.max(0, loaded.roundTrip - loaded.queue)
    findings.push({ level: levelOf(roundTrip, ROUND_TRIP_MILLIS), direction, reason: 'slow', put: { roundTrip } })
  }
  return findings
}

function judgeSlides(path: PathMeasurement, direction: LoadDirection, slideBytes: number): UseVerdict {
  const rate = BULK_SHARE * carried(path.steps.filter(step => step.direction === direction))
  const hours = rate === 0 ? Infinity : (100 * slideBytes * 8) / rate / 3600
  const needed = (100 * slideBytes * 8) / (HOURS.limits * 3600) / BULK_SHARE
  const mtu = judgePath(path, direction).filter(({ reason }) => reason === 'mtu')
  const findings = worstFirst([...mtu, { level: levelOf(hours, HOURS), direction, reason: 'hours', put: { hours, carried: rate / BULK_SHARE, needed } }])
  return { use: 'slides', direction, level: worstOf(findings.map(({ level }) => level)), findings, neededBitsPerSecond: needed, carriedBitsPerSecond: rate / BULK_SHARE, hoursPerHundred: hours }
}

/** The most that arrived. */
const carried = (steps: readonly StepResult[]): number => Math.max(0, ...steps.map(step => Math.min(deliveredRate(step), offeredRate(step))))

/** Without what is good, each reason once, the worst first. */
function worstFirst(findings: readonly AcceptanceFinding[]): AcceptanceFinding[] {
  const rank = ({ level }: AcceptanceFinding): number => ACCEPTANCE_LEVELS.indexOf(level)
  const sorted = findings.filter(({ level }) => level !== 'go').sort((a, b) => rank(b) - rank(a))
  return sorted.filter((finding, index) => sorted.findIndex(({ reason }) => reason === finding.reason) === index)
}
