import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { t } from 'tap'
import { AccessPolicy } from '../../relay/access/policy/access-policy.ts'
import { matrixCells } from '../../relay/access/policy/matrix.ts'
import { ACCESS_ACTIONS, CONSENT_STATES, LINK_CONDITIONS, PRACTICE_ROLES, PURPOSES } from '../../relay/wire/access.ts'
import { MATRIX_MARKS, matrixText } from './matrix-table.ts'
import { oracleAllows, PERMISSIONS, REFUSALS } from './oracle.ts'

const policy = await AccessPolicy.read()

t.test('the policies answer each of the 1,680 cells as the oracle does', async t => {
  const cells = matrixCells()
  t.equal(cells.length, 1680)
  t.equal(new Set(cells.map(cell => JSON.stringify(cell))).size, 1680)
  t.same(cells.filter(cell => policy.decide(cell).isAllowed !== oracleAllows(cell)), [])
  // Neither could say the same to everything.
  const allowed = cells.filter(oracleAllows).length
  t.ok(allowed > 50 && allowed < 400, `${allowed} are allowed`)
})

t.test('they agree on all other facts, too', async () => {
  const facts = fc.record({
    role: fc.constantFrom(...PRACTICE_ROLES),
    action: fc.constantFrom(...ACCESS_ACTIONS),
    purpose: fc.constantFrom(...PURPOSES),
    consent: fc.constantFrom(...CONSENT_STATES),
    link: fc.constantFrom(...LINK_CONDITIONS),
    headRoomBitsPerSecond: fc.constantFrom(0, 1_999_999, 2_000_000, 19_999_999, 20_000_000, 1e9),
    isParticipant: fc.boolean(),
    isEmergency: fc.boolean(),
  })
  fc.assert(fc.property(facts, each => policy.decide(each).isAllowed === oracleAllows(each)), { numRuns: 4000, seed: 8 })
})

t.test('each rule of the oracle decides something', async t => {
  const cells = PURPOSES.flatMap(purpose =>
    matrixCells().flatMap(cell => [
      { ...cell, purpose },
      { ...cell, purpose, isParticipant: false },
      { ...cell, purpose, headRoomBitsPerSecond: 1e6 },
      { ...cell, purpose, headRoomBitsPerSecond: 1e7 },
    ]),
  )
  const refusedOnlyBy = REFUSALS.filter(rule => !cells.some(cell => rule.applies(cell) && PERMISSIONS.some(each => each.applies(cell)) && !REFUSALS.some(other => other !== rule && other.applies(cell))))
  t.same(refusedOnlyBy.map(({ text }) => text), [])
  t.same(PERMISSIONS.filter(rule => !cells.some(cell => rule.applies(cell) && oracleAllows(cell))).map(({ text }) => text), [])
})

t.test('docs/AUTHORISATION.md says what the policies say', async t => {
  const document = readFileSync(new URL('../../docs/AUTHORISATION.md', import.meta.url), 'utf8')
  const { begin, end } = MATRIX_MARKS
  const published = document.slice(document.indexOf(begin) + begin.length, document.indexOf(end)).trim()
  t.equal(published, matrixText(facts => policy.decide(facts).isAllowed).trim())
})
