import { formatValue } from '../report.ts'
import { formatTable } from '../table.ts'
import type { Figure } from '../report.ts'
import type { Comparison, FigureChange } from './compare-reports.ts'

/** The comparison as a table for people, A on the left. @param onlyChanged - Leaves out what is equal or within noise. */
export function formatComparison({ changes, cautions }: Comparison, onlyChanged: boolean): string {
  const shown = onlyChanged ? changes.filter(({ verdict, goal }) => goal !== undefined || (verdict !== 'equal' && verdict !== 'within noise')) : changes
  const rows = shown.map(change => [change.scenario, change.figure, figureText(change.before), figureText(change.after), differenceText(change), [change.verdict, change.goal].filter(part => part !== undefined).join('; ')])
  const counts = Map.groupBy(changes, ({ verdict }) => verdict)
  return [
    ...formatTable(['scenario', 'figure', 'A', 'B', 'B - A', 'verdict'], rows),
    '',
    `${changes.length} figures: ${[...counts].map(([verdict, group]) => `${group.length} ${verdict}`).join(', ')}`,
    'Intervals are of 95 %, from the samples of one run each: what differs between runs is not in them.',
    ...cautions.map(caution => `caution: ${caution}`),
    '',
  ].join('\n')
}

function figureText(figure: Figure | undefined): string {
  if (figure === undefined) return '-'
  const { value, unit, n, interval } = figure
  const spread = interval === undefined ? '' : `, ${formatValue(interval.low, unit)} to ${formatValue(interval.high, unit)}`
  return `${formatValue(value, unit)} (n ${n}${spread})`
}

function differenceText({ before, after, verdict }: FigureChange): string {
  if (before === undefined || after === undefined || verdict === 'units differ') return '-'
  const difference = after.value - before.value
  const share = before.value === 0 ? '' : ` (${difference >= 0 ? '+' : ''}${((100 * difference) / Math.abs(before.value)).toFixed(1)} %)`
  return `${difference > 0 ? '+' : ''}${formatValue(difference, after.unit)}${share}`
}
