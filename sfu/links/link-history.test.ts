import { t } from 'tap'
import { FakeLinks } from '../../test/fakes/fake-links.ts'
import { HISTORY_LENGTH, LinkHistory, MAX_LINKS_SHOWN, MAX_LINKS_WITH_HISTORY } from './link-history.ts'
import type { LinkName } from '../../relay/wire/link.ts'
import type { LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'

function remembered() {
  let now = 1_700_000_000_000
  const links = new FakeLinks(2, () => now)
  const history = new LinkHistory()
  const pass = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) history.step((now += 1000), links.snapshots())
  }
  return { links, history, pass, kita: () => history.series('kita-hospital' as LinkName)! }
}

t.test('ten minutes are kept, the oldest go first', async t => {
  const { pass, kita } = remembered()
  pass(HISTORY_LENGTH + 5)
  const { at, paths, classes } = kita()
  t.equal(at.length, HISTORY_LENGTH)
  t.equal(at[0], 1_700_000_006)
  t.equal(paths['ftth']!.roundTrip.length, HISTORY_LENGTH)
  t.equal(classes['live']!.rateIn.length, HISTORY_LENGTH)
})

t.test('figures of a second come from the growth of totals in it', async t => {
  const { links, pass, kita } = remembered()
  pass(5)
  links.plant({ kind: 'loss_after_repair', link: 'kita-hospital', ratio: 0.05 })
  pass(5)
  const { live } = kita().classes
  t.same(live!.lossAfterRepair.slice(0, 5), [null, 0, 0, 0, 0], 'nothing is known before the second reading')
  t.ok(live!.lossAfterRepair.slice(6).every(ratio => Math.abs(ratio! - 0.05) < 0.005), String(live!.lossAfterRepair))
  t.ok(live!.rateIn.slice(1).every(rate => rate! > 40e6 && rate! < 80e6))
})

t.test('what was measured of a path is not shown as true while it is silent', async t => {
  const { links, pass, kita } = remembered()
  pass(3)
  links.plant({ kind: 'path_down', link: 'kita-hospital', path: 'ftth' })
  pass(2)
  t.same(kita().paths['ftth']!.roundTrip.map(value => value === null), [false, false, false, true, true])
})

t.test('a link that closed stays in sight for as long as its history, and is called closed', async t => {
  const { links, history, pass } = remembered()
  pass(3)
  links.close('kita-hospital')
  pass(HISTORY_LENGTH)
  t.same(history.records.map(({ snapshot, isOpen }) => [snapshot.link, isOpen]), [['kita-hospital', false], ['university', true]])
  pass(2)
  t.same(history.records.map(({ snapshot }) => snapshot.link), ['university'])
})

t.test('memory is bounded however many links there are', async t => {
  const { links, history } = remembered()
  const [snapshot] = links.snapshots() as [LinkSnapshot]
  const many = Array.from({ length: MAX_LINKS_SHOWN + 50 }, (_, index) => ({ ...snapshot, link: `link-${String(index).padStart(3, '0')}` as LinkName }))
  history.step(1000, many)
  t.equal(history.records.length, MAX_LINKS_SHOWN)
  t.equal(history.records.filter(record => history.series(record.snapshot.link) !== undefined).length, MAX_LINKS_WITH_HISTORY)
})
