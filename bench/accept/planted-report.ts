import { RelayFault } from '../../relay/wire/fault.ts'
import { FigureSheet } from '../report.ts'
import { PLANTED_LINES } from './planted-lines.ts'
import { plantedRow, runPlanted } from './planted-run.ts'
import type { Outcome } from '../report.ts'
import type { AcceptancePlan } from './acceptance-plan.ts'
import type { PlantedOutcome } from './planted-run.ts'

/** Measures planted lines, and counts how many verdicts are those that arithmetic demands. Fails the exit code when one differs. */
export async function measurePlanted(plan: AcceptancePlan, only: readonly string[], say: (line: string) => void, signal: AbortSignal): Promise<Outcome> {
  const names = PLANTED_LINES.map(({ profile }) => profile.name)
  const unknown = only.find(name => !names.includes(name))
  if (unknown !== undefined) throw new RelayFault('bad_config', `no planted line is called that; there are ${names.join(', ')}`)
  const outcomes: PlantedOutcome[] = []
  for await (const outcome of runPlanted(plan, only, say, signal)) outcomes.push(outcome)
  const matched = outcomes.filter(({ isMatched }) => isMatched).length
  const sheet = new FigureSheet()
  sheet.add({ name: 'verdicts_matched', unit: 'lines', goal: { relation: '>=', bound: outcomes.length } }, [matched])
  sheet.add({ name: 'verdicts_total', unit: 'lines' }, [outcomes.length])
  return {
    parameters: { planted: true, stepMillis: plan.stepMillis },
    figures: sheet.figures, samples: sheet.samples, warnings: ['simulated lines: they show how kenkyo judges'],
    lines: outcomes.flatMap(outcome => [plantedRow(outcome), `    ${outcome.planted.because}`]),
    details: { lines: outcomes.map(({ planted, got, isMatched, measurement, verdict }) => ({ name: planted.profile.name, because: planted.because, expected: planted.expected, got, isMatched, verdict, measurement })) },
    exitCode: matched === outcomes.length ? 0 : 3,
  }
}
