import { formatValue, labelText } from '../report.ts'
import { formatTable } from '../table.ts'
import type { Figure } from '../report.ts'
import type { AllDocument, ScenarioRun } from './all-document.ts'

/** A run of all as a table for people: what became of each scenario, then the goals that were missed. */
export function formatAll({ runs, seconds, leftovers }: Pick<AllDocument, 'runs' | 'seconds' | 'leftovers'>): string {
  const rows = runs.map(run => [run.scenario, run.outcome, run.outcome === 'skipped' ? '-' : run.seconds.toFixed(0), ...goalCounts(run), run.reason ?? ''])
  const missed = runs.flatMap(({ scenario, report }) => (report?.figures ?? []).filter(({ goal }) => goal?.isMet === false).map(figure => `  ${scenario} ${missedText(figure)}`))
  const count = (outcome: ScenarioRun['outcome']): number => runs.filter(run => run.outcome === outcome).length
  return [
    ...formatTable(['scenario', 'outcome', 'seconds', 'figures', 'met', 'missed', 'reason'], rows),
    '',
    `${runs.length} scenarios in ${seconds.toFixed(0)} s: ${count('measured')} measured, ${count('failed')} failed, ${count('skipped')} skipped`,
    ...(missed.length === 0 ? [] : ['goals missed:', ...missed]),
    ...(leftovers.length === 0 ? ['left behind: no process, no namespace, no link, no file'] : ['LEFT BEHIND, and removed:', ...leftovers.map(each => `  ${each}`)]),
    '',
  ].join('\n')
}

function goalCounts({ report }: ScenarioRun): string[] {
  if (report === undefined) return ['-', '-', '-']
  const goals = report.figures.flatMap(({ goal }) => goal ?? [])
  const met = goals.filter(({ isMet }) => isMet).length
  return [String(report.figures.length), String(met), String(goals.length - met)]
}

function missedText({ name, labels, value, unit, goal }: Figure): string {
  const wanted = goal === undefined ? '' : ` (${goal.relation === '>=' ? '≥' : '≤'} ${formatValue(goal.bound, unit)})`
  return `${name}${labelText(labels)} ${formatValue(value, unit)}${wanted}`
}
