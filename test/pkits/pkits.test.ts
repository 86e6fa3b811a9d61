import { readFileSync } from 'node:fs'
import { t } from 'tap'
import { KNOWN_FAILURES, PKITS_CASES } from './pkits-cases.ts'
import { hasPkits, runPkits, unusedFiles } from './pkits-suite.ts'
import { judge, PKITS_MARKS, pkitsText } from './pkits-table.ts'

t.test('validates paths as NIST wants, but for what docs/PKITS.md names', { skip: hasPkits() ? false : 'python3-cryptography-vectors, which carries NIST\'s files, is not installed' }, async t => {
  const results = await runPkits()
  t.equal(results.length, PKITS_CASES.length)
  t.same(await unusedFiles(), [], 'every test that NIST delivers is run')
  const numbered = (wanted: string): string[] => results.filter(result => judge(result) === wanted).map(({ tested }) => tested.number)
  t.same(numbered('fail'), [...KNOWN_FAILURES.keys()])
  t.same(results.filter(({ tested, got }) => tested.expected !== 'valid' && got === 'valid').map(({ tested }) => tested.number), [], 'no invalid path is accepted')
  const document = readFileSync(new URL('../../docs/PKITS.md', import.meta.url), 'utf8')
  const { begin, end } = PKITS_MARKS
  t.equal(document.slice(document.indexOf(begin) + begin.length, document.indexOf(end)).trim(), pkitsText(results), 'docs/PKITS.md says what came of it')
})
