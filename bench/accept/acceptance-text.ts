import { inMegabits, inMillis, inPercent } from '../../clients/capture/line-figures.ts'
import { ACCEPTANCE_LEVELS, HOURS } from './acceptance-verdict.ts'
import type { AcceptanceFinding, AcceptanceVerdict, UseSummary, UseVerdict } from './acceptance-verdict.ts'
import type { SayAcceptance } from './acceptance-words.ts'

/** Hours as a person reads them. */
export const inHours = (hours: number): string => (hours >= 100 ? hours.toFixed(0) : hours.toFixed(1))

/** How each number that is put into a reason is written. */
const WRITE: Readonly<Record<string, (value: number) => string>> = {
  carried: inMegabits, needed: inMegabits, rate: inMegabits, loss: inPercent, residual: inPercent, cost: inPercent, run: inMillis,
  cover: value => inMillis(Math.max(0, value)), budget: inMillis, late: inMillis, bound: inMillis, queue: inMillis, roundTrip: inMillis, hours: inHours,
}

/** A finding, and whether it was made in both directions. */
export interface SharedFinding extends AcceptanceFinding {
  readonly isBoth: boolean
}

/** One finding as two sentences: why, and what to change. */
export function findingText({ direction, reason, put, isBoth }: SharedFinding, say: SayAcceptance): { readonly why: string; readonly change: string } {
  const written = Object.fromEntries(Object.entries(put).map(([name, value]) => [name, (WRITE[name] ?? String)(value)]))
  return { why: say(`reason.${reason}`, { ...written, direction: say(isBoth ? 'both' : direction) }), change: say(`change.${reason}`) }
}

/** What is said of a use that has no findings. */
export function fineText({ use, byDirection }: UseSummary, say: SayAcceptance): string {
  const needed = Math.max(0, ...byDirection.map(each => each.neededBitsPerSecond))
  return use === 'slides' ? say('fineSlides', { hours: inHours(longestHours(byDirection)), bound: HOURS.limits }) : say('fine', { needed: inMegabits(needed) })
}

/** Of the slower direction. */
export const longestHours = (byDirection: readonly UseVerdict[]): number => Math.max(0, ...byDirection.map(({ hoursPerHundred = 0 }) => hoursPerHundred))

/** Findings of all directions, each reason once, as the worse direction has it. */
export function sharedFindings({ byDirection }: UseSummary): SharedFinding[] {
  const findings = byDirection.flatMap(each => each.findings).sort((a, b) => ACCEPTANCE_LEVELS.indexOf(b.level) - ACCEPTANCE_LEVELS.indexOf(a.level))
  return [...Map.groupBy(findings, ({ reason }) => reason).values()].flatMap(([worst, ...others]) => (worst === undefined ? [] : [{ ...worst, isBoth: others.length > 0 }]))
}

/** The verdict as lines for a terminal. */
export function verdictLines(verdict: AcceptanceVerdict, slideBytes: number, say: SayAcceptance): string[] {
  const faces = [...(verdict.isSimulated ? [say('simulated')] : []), ...(verdict.isFewSamples ? [say('fewSamples')] : [])]
  const lines = verdict.paths.flatMap(({ name, uses }) => [
    say('path', { path: name }),
    ...uses.flatMap(summary => [
      `  ${say(summary.use)}: ${say(summary.level)}${summary.use === 'slides' ? ` (${slidesText(summary, slideBytes, say)})` : ''}`,
      ...sharedFindings(summary).map(finding => findingText(finding, say)).map(({ why, change }) => `    ${why} ${change}`),
    ]),
  ])
  return [`${say('verdict')}: ${say(verdict.level)}`, ...faces, ...lines]
}

/** How long a hundred slides take. */
export const slidesText = ({ byDirection }: UseSummary, slideBytes: number, say: SayAcceptance): string => say('hoursPerHundred', { hours: inHours(longestHours(byDirection)), gigabytes: slideBytes / 1e9 })
