import { t } from 'tap'
import { FAULT_CODES } from '../../../relay/wire/fault.ts'
import { millis } from '../../../relay/wire/units.ts'
import { GrantTerm, recoveryOf } from './grant-term.ts'

const FIVE_MINUTES = millis(300_000)
const term = (lifetime = FIVE_MINUTES) => new GrantTerm(lifetime, millis(0), () => 1)

t.test('renews a grant at half of its time, once', async t => {
  const grant = term()
  t.same(grant.step(millis(149_999)), { isToRenew: false, wakeAt: 150_000 })
  t.same(grant.step(millis(150_000)), { isToRenew: true, wakeAt: undefined })
  t.same(grant.step(millis(150_001)), { isToRenew: false, wakeAt: undefined }, 'one renewal is under way')
  grant.renewed(FIVE_MINUTES, millis(151_000))
  t.equal(grant.endsAt, 451_000)
  t.same(grant.step(millis(151_000)), { isToRenew: false, wakeAt: 301_000 })
})

t.test('tries again while the core cannot be heard, until the grant has run out', async t => {
  const grant = term()
  let now = 150_000
  let attempts = 0
  for (;;) {
    const { isToRenew, wakeAt } = grant.step(millis(now))
    if (isToRenew) {
      attempts++
      if (!grant.failed('core_unreachable', millis(now))) break
    } else if (wakeAt === undefined) break
    else now = wakeAt
  }
  t.ok(now > 285_000 && now < 300_000, `until ${now}`)
  t.ok(attempts > 10 && attempts < 30, `${attempts} attempts`)
  t.notOk(grant.isOver(millis(299_999)), 'what was granted holds meanwhile')
  t.ok(grant.isOver(millis(300_000)))
})

t.test('is over at once where the node has decided', async t => {
  for (const code of ['consent_withdrawn', 'access_revoked', 'token_refused'] as const) {
    const grant = term()
    grant.step(millis(150_000))
    t.equal(grant.failed(code, millis(150_100)), false, code)
    t.ok(grant.isOver(millis(150_100)))
    t.same(grant.step(millis(150_200)), { isToRenew: false, wakeAt: undefined })
  }
})

t.test('does not ask in ever shorter intervals for a grant that cannot become longer', async t => {
  // The consent ends at 40 s: every renewal answers with what is left until then.
  const grant = term(millis(40_000))
  const renewals: number[] = []
  for (let now = 0; now < 40_000; ) {
    const { isToRenew, wakeAt } = grant.step(millis(now))
    if (isToRenew) {
      renewals.push(now)
      grant.renewed(millis(40_000 - now), millis(now))
    } else if (wakeAt !== undefined) now = wakeAt
  }
  t.same(renewals, [20_000, 30_000])
})

t.test('asks once more for what is left of a grant that had let somebody in', async t => {
  for (const code of ['consent_withdrawn', 'policy_refused', 'access_revoked', 'invitation_expired', 'token_refused', 'admission_refused'] as const) {
    t.equal(recoveryOf(code, { isPlatform: true, wasUsed: true }), 'ask_anew', code)
    t.equal(recoveryOf(code, { isPlatform: true, wasUsed: false }), 'give_up', `${code}, of a new grant`)
    t.equal(recoveryOf(code, { isPlatform: false, wasUsed: true }), 'give_up', `${code}, of an invitation`)
  }
})

t.test('gives up what no other grant cures, and nothing that may pass', async t => {
  for (const code of ['invitation_refused', 'wrong_role', 'sign_in_required'] as const) t.equal(recoveryOf(code, { isPlatform: true, wasUsed: true }), 'give_up', code)
  for (const code of ['unavailable', 'timeout', 'core_unreachable', 'overloaded', 'not_recorded', 'internal'] as const) t.equal(recoveryOf(code, { isPlatform: true, wasUsed: false }), 'try_again', code)
  for (const code of FAULT_CODES) t.not(recoveryOf(code, { isPlatform: false, wasUsed: true }), 'ask_anew', 'nobody grants anything on a node that stands alone')
})
