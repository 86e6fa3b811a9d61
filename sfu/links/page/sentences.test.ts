import { t } from 'tap'
import { FakeLinks } from '../../../test/fakes/fake-links.ts'
import { LinkHistory } from '../link-history.ts'
import { inMegabits, inPercent, inUnits } from './figures.ts'
import { evidenceOf, headlineOf, verdictOf } from './sentences.ts'
import { speaker } from './words.ts'
import type { LinkEvent } from '../../../relay/links/measurement/link-snapshot.ts'
import type { PathName } from '../../../relay/wire/link.ts'

t.test('evidence is said with the units that its names end in', async t => {
  const event: LinkEvent = { at: 0, kind: 'path_down', path: 'ftth' as PathName, evidence: { roundTripMillis: 18, lossRatioIn: 0.034, outages: 2, capacityBitsPerSecond: 80e6, downMillis: 75_000, promisedAvailability: 0.999, term: 'x', direction: 'in' } }
  t.equal(evidenceOf(event, 'en'), 'round trip 18.0 ms, loss in 3.40 %, outages 2, capacity 80.0 Mbit/s, down 1 min 15 s, promised availability 99.9 %, direction in')
  t.equal(evidenceOf(event, 'ja'), '往復遅延 18.0 ms, 受信損失 3.40 %, 停止回数 2, 容量 80.0 Mbit/s, 停止時間 1 min 15 s, 契約の稼働率 99.9 %, 方向 in')
  t.equal(headlineOf(event, speaker('ja')), 'ftth が停止')
})

t.test('a verdict names what is wrong, and is bad where pictures suffer', async t => {
  let now = 0
  const links = new FakeLinks(4, () => now)
  const history = new LinkHistory()
  const verdict = (seconds = 2) => {
    for (let second = 0; second < seconds; second++) history.step((now += 1000), links.snapshots())
    return verdictOf(history.records[0]!, speaker('en'), 'en')
  }
  t.same(verdict(), { level: 'good', sentences: ['As agreed'] })
  links.plant({ kind: 'path_down', link: 'kita-hospital', path: 'ftth' })
  t.same(verdict(), { level: 'warn', sentences: ['ftth is down'] })
  links.plant({ kind: 'path_down', link: 'kita-hospital', path: 'mobile' })
  t.same(verdict(), { level: 'bad', sentences: ['No path lives', 'ftth is down', 'mobile is down'] })
  links.mend()
  links.plant({ kind: 'loss_after_repair', link: 'kita-hospital', ratio: 0.05 })
  t.match(verdict(10), { level: 'bad', sentences: [/^(4\.\d+|5\.\d+) % of live is lost after repair$/] })
  links.mend()
  t.match(verdict(5), { level: 'bad', sentences: [/^2\.\d+ % of live is lost/] }, 'ten seconds count, so that it does not flicker')
  t.same(verdict(6), { level: 'good', sentences: ['As agreed'] })
  const barely = verdictOf({ ...history.records[0]!, recentLossAfterRepair: 0.0005 }, speaker('en'), 'en')
  t.same(barely, { level: 'warn', sentences: ['0.05 % of live is lost after repair'] }, 'what nobody sees is no disaster')
  links.plant({ kind: 'contract_broken', link: 'kita-hospital' })
  verdict()
  t.same(verdict(), { level: 'warn', sentences: ['Contract broken: loss 3.40 %, promised loss 1.00 %, in'] })
  links.close('kita-hospital')
  t.equal(verdict().level, 'bad')
})

t.test('figures show what they stand for', async t => {
  t.same([0, 0.00002, 0.034, 1, null].map(inPercent), ['0 %', '<0.01 %', '3.40 %', '100 %', '–'])
  t.same([0, 59.9, 3600, 3725, 90_000].map(inUnits), ['0 s', '59 s', '1 h', '1 h 2 min', '1 d 1 h'])
  t.equal(inMegabits(80e6), '80.0 Mbit/s')
})
