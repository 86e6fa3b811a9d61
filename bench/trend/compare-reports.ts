import { labelText } from '../report.ts'
import type { Figure, Report } from '../report.ts'
import type { ReportSet } from './compared-documents.ts'

/** What can be said of the difference between two figures. */
export type ChangeVerdict =
  /** The 95 % intervals do not overlap. */
  | 'beyond noise'
  /** They do. */
  | 'within noise'
  /** At least one of them has no interval: too few samples, or a value whose noise its samples do not tell. */
  | 'noise unknown'
  | 'equal'
  | 'only in A'
  | 'only in B'
  /** Not the same thing under the same name. */
  | 'units differ'

/** One figure in two documents; at least one has it. */
export interface FigureChange {
  readonly scenario: string
  /** With its labels. */
  readonly figure: string
  readonly before: Figure | undefined
  readonly after: Figure | undefined
  readonly verdict: ChangeVerdict
  /** Set when one run met the goal and the other did not. */
  readonly goal: 'met in B' | 'missed in B' | undefined
}

/** Everything that two documents differ in. */
export interface Comparison {
  readonly changes: readonly FigureChange[]
  /** What makes figures incomparable: hosts, parameters, scenarios that one of them lacks. */
  readonly cautions: readonly string[]
}

/** Compares the figures of two documents, A the earlier one. Reads nothing but them. */
export function compareReports(a: ReportSet, b: ReportSet): Comparison {
  const scenarios = [...new Set([...a.keys(), ...b.keys()])]
  const cautions = new Set<string>()
  const changes = scenarios.flatMap(scenario => {
    const [before, after] = [a.get(scenario), b.get(scenario)]
    if (before === undefined || after === undefined) {
      cautions.add(`${scenario} is only in ${before === undefined ? 'B' : 'A'}`)
      return []
    }
    for (const caution of cautionsOf(before, after)) cautions.add(caution)
    return compareFigures(scenario, before.figures, after.figures)
  })
  return { changes, cautions: [...cautions] }
}

function cautionsOf(before: Report, after: Report): string[] {
  const hostKeys = Object.keys(before.host) as (keyof Report['host'])[]
  const hosts = hostKeys.filter(key => before.host[key] !== after.host[key]).map(key => `hosts differ in ${key}: ${String(before.host[key])} and ${String(after.host[key])}`)
  const keys = [...new Set([...Object.keys(before.parameters), ...Object.keys(after.parameters)])]
  const parameters = keys.filter(key => before.parameters[key] !== after.parameters[key])
  const said = parameters.map(key => `${before.scenario} was run with another ${key}: ${String(before.parameters[key])} and ${String(after.parameters[key])}`)
  const dirty = ([['A', before], ['B', after]] as const).filter(([, { commit }]) => commit.endsWith('-dirty')).map(([name]) => `${name} was measured with changes that are in no commit`)
  return [...hosts, ...said, ...dirty]
}

const keyOf = ({ name, labels }: Figure): string => `${name}${labelText(Object.fromEntries(Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))))}`

function compareFigures(scenario: string, before: readonly Figure[], after: readonly Figure[]): FigureChange[] {
  const [olds, news] = [before, after].map(figures => new Map(figures.map(figure => [keyOf(figure), figure]))) as [Map<string, Figure>, Map<string, Figure>]
  return [...new Set([...olds.keys(), ...news.keys()])].map(figure => {
    const [old, recent] = [olds.get(figure), news.get(figure)]
    return { scenario, figure, before: old, after: recent, verdict: judge(old, recent), goal: goalChange(old, recent) }
  })
}

function judge(before: Figure | undefined, after: Figure | undefined): ChangeVerdict {
  if (before === undefined) return 'only in B'
  if (after === undefined) return 'only in A'
  if (before.unit !== after.unit) return 'units differ'
  if (before.value === after.value) return 'equal'
  const [one, other] = [before.interval, after.interval]
  if (one === undefined || other === undefined) return 'noise unknown'
  return one.high < other.low || other.high < one.low ? 'beyond noise' : 'within noise'
}

function goalChange(before: Figure | undefined, after: Figure | undefined): FigureChange['goal'] {
  if (before?.goal === undefined || after?.goal === undefined || before.goal.isMet === after.goal.isMet) return undefined
  return after.goal.isMet ? 'met in B' : 'missed in B'
}
