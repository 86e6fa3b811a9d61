import { t } from 'tap'
import { LinkName } from '../../wire/link.ts'
import { bitsPerSecond } from '../../wire/units.ts'
import { LinkLedger, priorityOf } from './link-ledger.ts'
import { runSequence } from '../../../bench/simulation/ledger-sequence.ts'
import type { Hop, ReservationRequest } from './link-ledger.ts'

const hop = (link: string, direction: Hop['direction'] = 'forward'): Hop => ({ link: LinkName.parse(link), direction })
const LEVELS = [
  { name: 'overview', bitsPerSecond: bitsPerSecond(4e6) },
  { name: 'middle', bitsPerSecond: bitsPerSecond(16e6) },
  { name: 'tiles', bitsPerSecond: bitsPerSecond(40e6) },
]
const ask = (change: Partial<ReservationRequest> = {}): ReservationRequest => ({ id: 'a', priority: 2, levels: LEVELS, route: [hop('line')], untilMillis: 1000, ...change })

function ledgerOf(capacities: Record<string, number>): LinkLedger {
  const ledger = new LinkLedger()
  for (const [link, rate] of Object.entries(capacities)) {
    ledger.setCapacity(hop(link), bitsPerSecond(rate))
    ledger.setCapacity(hop(link, 'backward'), bitsPerSecond(rate))
  }
  return ledger
}

t.test('what fits is reserved on each link of the route, in its direction', async t => {
  const ledger = ledgerOf({ line: 100e6, backbone: 1e9 })
  t.same(ledger.request(ask({ route: [hop('line'), hop('backbone')] }), 0), { state: 'reserved', ended: [] })
  t.equal(ledger.headRoom(hop('line')), 40e6)
  t.equal(ledger.headRoom(hop('backbone')), 940e6)
  t.equal(ledger.headRoom(hop('line', 'backward')), 100e6)
  ledger.release('a')
  t.equal(ledger.headRoom(hop('line')), 100e6)
})

t.test('a refusal names the link and the shortage, and says what would fit: fewer levels, another route, later', async t => {
  const ledger = ledgerOf({ line: 100e6, backbone: 70e6, other: 60e6 })
  ledger.request(ask({ route: [hop('line'), hop('backbone')] }), 0)
  const refused = ledger.request(ask({ id: 'b', route: [hop('line'), hop('backbone')], otherRoutes: [[hop('other')]], untilMillis: 5000 }), 0)
  t.same(refused, {
    state: 'refused',
    hop: hop('backbone'),
    shortageBitsPerSecond: 50e6,
    offers: [
      { kind: 'fewer_levels', levels: LEVELS.slice(0, 1) },
      { kind: 'other_route', route: [hop('other')] },
      { kind: 'later', atMillis: 1000 },
    ],
  })
  t.match(ledger.request(ask({ id: 'b', levels: LEVELS.slice(0, 1), route: [hop('line'), hop('backbone')] }), 0), { state: 'reserved' })
})

t.test('what a link can never carry is not promised for later, and an unknown link carries nothing', async t => {
  const ledger = ledgerOf({ line: 10e6 })
  t.same(ledger.request(ask(), 0), { state: 'refused', hop: hop('line'), shortageBitsPerSecond: 50e6, offers: [{ kind: 'fewer_levels', levels: LEVELS.slice(0, 1) }] })
  t.match(ledger.request(ask({ route: [hop('nowhere')] }), 0), { state: 'refused', hop: hop('nowhere'), offers: [] })
})

t.test('a frozen section takes the place of teaching: only as much as it needs, the youngest first, and never of its equals', async t => {
  const ledger = ledgerOf({ line: 130e6 })
  const teaching = priorityOf('teaching', false)
  ledger.request(ask({ id: 'class-1', priority: teaching }), 0)
  ledger.request(ask({ id: 'class-2', priority: teaching }), 0)
  t.same(ledger.request(ask({ id: 'frozen', priority: priorityOf('intraoperative_diagnosis', false) }), 0), { state: 'reserved', ended: ['class-2'] })
  t.same(ledger.ids, ['class-1', 'frozen'])
  t.match(ledger.request(ask({ id: 'class-3', priority: teaching }), 0), { state: 'refused' })
  t.same(ledger.request(ask({ id: 'frozen-2', priority: priorityOf('intraoperative_diagnosis', false) }), 0), { state: 'reserved', ended: ['class-1'] })
  t.match(ledger.request(ask({ id: 'frozen-3', priority: priorityOf('intraoperative_diagnosis', false) }), 0), { state: 'refused' })
  t.match(ledger.request(ask({ id: 'emergency', priority: priorityOf('consultation', true) }), 0), { state: 'reserved', ended: ['frozen-2'] })
})

t.test('a refused change takes nothing away, an accepted one replaces', async t => {
  const ledger = ledgerOf({ line: 100e6 })
  ledger.request(ask(), 0)
  t.match(ledger.request(ask({ levels: [{ name: 'whole', bitsPerSecond: bitsPerSecond(120e6) }] }), 0), { state: 'refused' })
  t.equal(ledger.reserved(hop('line')), 60e6)
  t.match(ledger.request(ask({ levels: LEVELS.slice(0, 1) }), 0), { state: 'reserved' })
  t.equal(ledger.reserved(hop('line')), 4e6)
})

t.test('a link that shrinks ends what it can no longer carry, the least urgent first; what has run out ends by itself', async t => {
  const ledger = ledgerOf({ line: 130e6 })
  ledger.request(ask({ id: 'frozen', priority: 3 }), 0)
  ledger.request(ask({ id: 'class', priority: 1 }), 0)
  t.same(ledger.setCapacity(hop('line'), bitsPerSecond(100e6)), ['class'])
  t.same(ledger.setCapacity(hop('line'), bitsPerSecond(0)), ['frozen'])
  ledger.setCapacity(hop('line'), bitsPerSecond(100e6))
  ledger.request(ask({ untilMillis: 10 }), 0)
  t.same(ledger.expire(9), [])
  t.same(ledger.expire(10), ['a'])
})

t.test('random sequences never oversubscribe a link, refuse only with cause, and offer only what fits', async t => {
  let [refusals, offers] = [0, 0]
  for (let seed = 1; seed <= 1000; seed++) {
    const { violations, ...counts } = runSequence(seed, 60)
    t.same(violations, [], `sequence ${seed}`)
    refusals += counts.refusals
    offers += counts.offersTaken
  }
  t.ok(refusals > 1000 && offers > 1000, `${refusals} refusals, ${offers} offers taken up`)
})
