import { t } from 'tap'
import { describeLinks, LinksStatus } from './link-status.ts'

const both = <Side>(side: Side) => ({ in: side, out: side })
const LINKS = {
  at: 1_800_000_000_000, historyLength: 600,
  links: [{
    isOpen: true, at: 1_800_000_000_000, standing: { degraded: [], broken: [] },
    snapshot: {
      link: 'hospital-a', class: 'best-effort', openedAt: 1_799_999_000_000,
      paths: [{
        path: 'fibre', state: 'up', outages: 1, roundTrip: 40.123, capacity: 150e6, headroom: 130e6, mtu: 1492, clockOffset: -12.5,
        gauges: both({ jitter: 1, delayVariation: { p50: 1, p95: 4.5 }, lossRatio: 0.0123, throughput: 20e6 }),
      }, { path: 'lte', state: 'unproven', outages: 0, capacity: 1e6, headroom: 1e6, mtu: 1200, gauges: both({ delayVariation: { p50: 0, p95: 0 }, lossRatio: 0, throughput: 0 }) }],
      classes: [{ class: 'live', policy: 'failover', path: 'fibre', switches: 2, queueDelay: 0, totals: both({ deadlineMisses: 3, droppedPackets: 4 }) }],
      events: Array.from({ length: 7 }, (_, index) => ({ at: 1_800_000_000_000 + index, kind: 'path_down', path: 'fibre', evidence: { outages: index, roundTripMillis: 40.12345 } })),
    },
    sample: { paths: {}, classes: { live: { queueDelay: 0, lossAfterRepair: 0, repairIn: 0.02, repairOut: null, rateIn: 19e6, rateOut: 0 } } },
    series: { at: [] },
  }],
}

t.test('a link is a table of its paths, one of its classes, and its last events', async t => {
  const lines = describeLinks(LinksStatus.parse(LINKS))
  const text = lines.join('\n')
  t.match(lines[0], /^hospital-a {2}best-effort, open since \d{4}-/)
  t.match(text, /fibre +up +1 +40\.1 ms +4\.50 ms \/ 4\.50 ms +1\.23 % \/ 1\.23 % +20\.0 Mbit\/s \/ 20\.0 Mbit\/s +150 Mbit\/s +130 Mbit\/s +1492 +-12\.5 ms/)
  t.match(text, /lte +unproven +0 +– /)
  t.match(text, /live +failover +fibre +2 +19\.0 Mbit\/s \/ 0 Mbit\/s +2\.00 % \/ – +3 \/ 3 +4 +0 ms/)
  t.equal(text.match(/path_down/g)?.length, 5)
  t.match(text, /outages=6 roundTripMillis=40\.12/)
})

t.test('a node without links says so, and a closed link is told apart', async t => {
  t.same(describeLinks({ at: 0, links: [] }), ['No link is open.'])
  t.match(describeLinks(LinksStatus.parse({ ...LINKS, links: [{ ...LINKS.links[0], isOpen: false }] }))[0], /CLOSED since/)
})

t.test('what is no answer of a node is refused', async t => {
  for (const value of [null, [], {}, { at: 1, links: [{}] }]) t.notOk(LinksStatus.safeParse(value).success)
})
