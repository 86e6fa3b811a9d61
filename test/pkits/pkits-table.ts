import { KNOWN_FAILURES, NOT_APPLICABLE, PKITS_CASES } from './pkits-cases.ts'
import type { PkitsCase } from './pkits-cases.ts'
import type { PkitsResult } from './pkits-suite.ts'

/** Lines around the generated part of `docs/PKITS.md`. */
export const PKITS_MARKS = { begin: '<!-- begin: node test/pkits/publish-pkits.ts -->', end: '<!-- end -->' } as const

/** What a result counts as. A refusal for another reason than the test is about does not pass. */
export function judge({ tested: { number, expected }, got }: PkitsResult): 'pass' | 'fail' | 'not applicable' {
  if (NOT_APPLICABLE.has(number)) return got === 'valid' ? 'fail' : 'not applicable'
  return got === expected ? 'pass' : 'fail'
}

function settingsOf({ policies, settings }: PkitsCase): string {
  return [...(policies.length > 0 ? [`policy ${policies.map(last => `NIST-${last}`).join(', ')}`] : []), ...settings].join('; ')
}

/** The counts, and a line for each result. Markdown. */
export function pkitsText(results: readonly PkitsResult[]): string {
  const count = (wanted: string): number => results.filter(result => judge(result) === wanted).length
  const wrongly = results.filter(({ tested, got }) => tested.expected !== 'valid' && got === 'valid').length
  const lines = results.map(result => {
    const { tested, got } = result
    const verdict = judge(result)
    const note = NOT_APPLICABLE.get(tested.number) ?? KNOWN_FAILURES.get(tested.number)
    return `| ${tested.number} | ${tested.title} | ${settingsOf(tested)} | ${tested.expected} | ${got} | ${verdict}${note === undefined ? '' : `: ${note}`} |`
  })
  return [
    `${new Set(PKITS_CASES.map(({ title }) => title)).size} tests in ${results.length} settings: **${count('pass')} pass, ${count('fail')} fail, ${count('not applicable')} not applicable**. Invalid paths that were accepted: ${wrongly}.`,
    '',
    '| test | title | settings | expected | got | result |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}
