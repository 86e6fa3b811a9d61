import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { describeCommit } from '../host.ts'
import { FigureSheet } from '../report.ts'
import { writeDocument } from '../write-document.ts'
import { deliveredRate, offeredRate } from './acceptance-measurement.ts'
import { acceptanceReport } from './acceptance-report.ts'
import { verdictLines } from './acceptance-text.ts'
import { ACCEPTANCE_LEVELS, judgeAcceptance } from './acceptance-verdict.ts'
import { acceptanceSpeaker } from './acceptance-words.ts'
import type { Language } from '../../relay/runtime/terminal-language.ts'
import type { Outcome } from '../report.ts'
import type { AcceptanceMeasurement } from './acceptance-measurement.ts'
import type { AcceptanceLevel, AcceptanceQuestion, AcceptanceVerdict } from './acceptance-verdict.ts'

/** For scripts. 2 is wrong usage. */
export const ACCEPTANCE_EXIT_CODES: Readonly<Record<AcceptanceLevel, number>> = { go: 0, limits: 1, 'no-go': 3 }

/** What becomes of a measurement. */
export interface ConclusionOptions {
  readonly question: AcceptanceQuestion
  readonly language: Language
  readonly reportFile: string | undefined
}

/** Judges a whole measurement, and writes its report. @throws {RelayFault} `storage_full`, `unavailable` when that cannot be written: then nothing is said. */
export async function concludeAcceptance(measurement: AcceptanceMeasurement, { question, language, reportFile }: ConclusionOptions): Promise<Outcome> {
  const verdict = judgeAcceptance(measurement, question)
  const { slideBytes } = question
  if (reportFile !== undefined) {
    const origin = `kenkyo ${(await describeCommit(resolve(import.meta.dirname, '../..'))).slice(0, 12)}, ${hostname()}`
    await writeDocument(reportFile, acceptanceReport({ measurement, verdict, slideBytes, language, origin }))
  }
  const sheet = figuresOf(measurement, verdict)
  return {
    parameters: { line: measurement.line, simulated: measurement.isSimulated, uses: question.uses.join(','), publishes: question.directions.join(','), slideBytes },
    figures: sheet.figures, samples: sheet.samples, warnings: [...measurement.warnings, ...(verdict.isSimulated ? ['simulated line'] : []), ...(verdict.isFewSamples ? ['too few samples'] : [])],
    lines: verdictLines(verdict, slideBytes, acceptanceSpeaker(language)),
    details: { verdict, measurement },
    exitCode: ACCEPTANCE_EXIT_CODES[verdict.level],
  }
}

function figuresOf(measurement: AcceptanceMeasurement, verdict: AcceptanceVerdict): FigureSheet {
  const sheet = new FigureSheet()
  for (const [index, { name, uses }] of verdict.paths.entries()) {
    for (const { use, direction, level, carriedBitsPerSecond, hoursPerHundred } of uses.flatMap(({ byDirection }) => byDirection)) {
      const labels = { path: name, use, direction }
      sheet.add({ name: 'acceptance_level', labels, unit: 'level', note: `0 go, 1 go with limits, 2 no-go: ${level}` }, [ACCEPTANCE_LEVELS.indexOf(level)])
      if (hoursPerHundred === undefined) continue
      sheet.add({ name: 'carried_bits_per_second', labels: { path: name, direction }, unit: 'bit/s', note: 'the most that arrived of any load' }, [carriedBitsPerSecond])
      if (Number.isFinite(hoursPerHundred)) sheet.add({ name: 'slides_hours_per_hundred', labels: { path: name, direction }, unit: 'h' }, [hoursPerHundred])
    }
    const path = measurement.paths[index]
    if (path === undefined) continue
    for (const direction of ['out', 'in'] as const) {
      const steps = path.steps.filter(step => step.direction === direction)
      sheet.add({ name: 'delivered_ratio', labels: { path: name, direction }, unit: 'ratio', note: 'by load, the smaller first' }, steps.map(step => deliveredRate(step) / Math.max(1, offeredRate(step))))
    }
  }
  return sheet
}
