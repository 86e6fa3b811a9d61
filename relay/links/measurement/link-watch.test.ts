import { t } from 'tap'
import { LinkContract, PathName } from '../../wire/link.ts'
import { bitsPerSecond, bytes, millis } from '../../wire/units.ts'
import { Hysteresis } from './hysteresis.ts'
import { LinkWatch, MAX_EVENTS } from './link-watch.ts'
import type { LinkPromise, TrafficClass } from '../../wire/link.ts'
import type { ClassSnapshot, ClassTotals, LinkEvent, PathGauges, PathSnapshot, PathTotals } from './link-snapshot.ts'
import type { LinkEnd } from './contract-watch.ts'

const traffic = { policy: 'failover', guaranteedShare: 0.1, queueDelayMillis: 20, dscp: 'none' } as const

function contractOf(promise: LinkPromise): LinkContract {
  return LinkContract.parse({
    name: 'osaka',
    class: 'best-effort',
    promise,
    traffic: { live: traffic, control: traffic, tiles: traffic, bulk: { ...traffic, queueDelayMillis: 60_000 } },
    allowedClasses: ['live', 'control', 'tiles', 'bulk'], isPointerDoubled: true,
    paths: [{ name: 'isp-a' }, { name: 'isp-b' }],
  })
}

const NO_TOTALS: PathTotals = {
  packets: 0,
  bytes: bytes(0),
  lostPackets: 0,
  lossBursts: 0,
  duplicatePackets: 0,
  reorderedPackets: 0,
  burstsByLength: [0, 0, 0, 0, 0, 0, 0],
  gapsByLength: [0, 0, 0, 0, 0],
}
const NO_CLASS_TOTALS: ClassTotals = {
  packets: 0,
  bytes: bytes(0),
  retransmittedPackets: 0,
  retransmittedBytes: bytes(0),
  fecPackets: 0,
  fecBytes: bytes(0),
  fecRecoveredPackets: 0,
  deadlineMisses: 0,
  droppedPackets: 0,
}
const GAUGES: PathGauges = { jitter: millis(1), delayVariation: { p50: millis(1), p95: millis(3) }, lossRatio: 0, throughput: bitsPerSecond(10e6) }

function pathOf(name: string, changed: Partial<PathSnapshot> = {}): PathSnapshot {
  return {
    path: PathName.parse(name),
    state: 'up',
    outages: 0,
    roundTrip: millis(40),
    shortestRoundTrip: millis(38),
    capacity: bitsPerSecond(100e6),
    headroom: bitsPerSecond(90e6),
    queueingDelay: millis(0),
    mtu: bytes(1500),
    clockOffset: millis(0),
    totals: { in: NO_TOTALS, out: NO_TOTALS },
    gauges: { in: GAUGES, out: GAUGES },
    ...changed,
  }
}

function classOf(name: TrafficClass, received: Partial<ClassTotals> = {}, sent: Partial<ClassTotals> = {}, queueDelay = 0): ClassSnapshot {
  const totals = { in: { ...NO_CLASS_TOTALS, ...received }, out: { ...NO_CLASS_TOTALS, ...sent } }
  return { class: name, policy: 'failover', path: undefined, switches: 0, queueDelay: millis(queueDelay), totals, mdi: undefined }
}

interface Observed {
  readonly paths?: readonly PathSnapshot[]
  readonly classes?: readonly ClassSnapshot[]
}

/** Observes a link every 500 ms; `linkAt` says what it is like. */
function watched(promise: LinkPromise, observations: number, linkAt: (at: number) => Observed, end: LinkEnd = 'opener'): readonly LinkEvent[] {
  const watch = new LinkWatch(contractOf(promise), end)
  for (let at = 0; at < observations; at++) {
    const { paths = [pathOf('isp-a')], classes = [] } = linkAt(at)
    watch.observe({ paths, classes }, 1_700_000_000_000 + at * 500)
  }
  return watch.events
}

/** When each event came, in observations. */
const timeline = (events: readonly LinkEvent[]): (readonly [string, number])[] => events.map(event => [event.kind, (event.at - 1_700_000_000_000) / 500])
const withoutPaths = (events: readonly LinkEvent[]): LinkEvent[] => events.filter(event => event.path === undefined)

t.test('tells when a path comes, goes and comes back for good', async t => {
  const states = ['unproven', 'unproven', 'up', 'up', 'down', 'down', 'up', 'up', 'up', 'up'] as const
  const events = watched({}, states.length, at => ({ paths: [pathOf('isp-a', { state: states[at] ?? 'up', outages: at >= 4 ? 1 : 0 })] }))
  t.same(timeline(events), [['path_up', 2], ['path_down', 4], ['path_up', 8]])
  t.equal(events[1]?.path, 'isp-a')
  t.same(events[2]?.evidence, { roundTripMillis: 40, lossRatioIn: 0, lossRatioOut: 0, queueingDelayMillis: 0, capacityBitsPerSecond: 100e6, outages: 1, downMillis: 2000 })
})

t.test('a path that flaps every second is down once', async t => {
  const events = watched({}, 400, at => ({ paths: [pathOf('isp-a', { state: at < 4 || at >= 300 ? 'up' : at % 2 === 0 ? 'down' : 'up' })] }))
  t.same(timeline(events), [['path_up', 0], ['path_down', 4], ['path_up', 301]])
})

t.test('an outage between two observations is told all the same', async t => {
  const events = watched({}, 10, at => ({ paths: [pathOf('isp-a', { outages: at < 5 ? 3 : 4 }), pathOf('isp-b')] }))
  t.same(timeline(events), [['path_up', 0], ['path_up', 0], ['path_down', 5], ['path_up', 7]])
  t.equal(events[3]?.path, 'isp-a')
})

t.test('a class is degraded by loss after repair that lasts more than a second, and recovers once', async t => {
  let misses = 0
  const events = withoutPaths(
    watched({}, 60, at => {
      if (at >= 10 && at < 20) misses += 5
      return { classes: [classOf('live', { packets: at * 995, deadlineMisses: misses })] }
    }),
  )
  t.same(timeline(events), [['class_degraded', 12], ['class_recovered', 29]])
  t.same(events[0]?.class, 'live')
  t.same(events[0]?.evidence, {
    lossAfterRepairRatio: 0.005,
    deadlineMisses: 5,
    droppedRatio: 0,
    droppedPackets: 0,
    queueDelayMillis: 0,
    promisedQueueDelayMillis: 20,
    toleratedLossRatio: 0.001,
  })
  t.equal(events[1]?.evidence['degradedMillis'], 8500)
})

t.test('one burst of misses is no degradation, nor is loss within what is tolerated', async t => {
  const burst = watched({}, 60, at => ({ classes: [classOf('live', { packets: at * 1000, deadlineMisses: at < 10 ? 0 : 50 })] }))
  t.same(withoutPaths(burst), [])
  const slight = watched({}, 60, at => ({ classes: [classOf('live', { packets: at * 2000, deadlineMisses: at })] }))
  t.same(withoutPaths(slight), [])
})

t.test('a class is degraded by waiting beyond its bound, and by drops before sending', async t => {
  const waiting = watched({}, 20, at => ({ classes: [classOf('tiles', {}, {}, at >= 5 ? 21 : 19), classOf('bulk', {}, {}, 30_000)] }))
  t.same(withoutPaths(waiting).map(event => [event.kind, event.class]), [['class_degraded', 'tiles']])
  const dropping = watched({}, 20, at => ({ classes: [classOf('live', {}, { packets: at * 100, droppedPackets: at * 10 })] }))
  t.same(withoutPaths(dropping).map(event => [event.kind, event.class]), [['class_degraded', 'live']])
})

t.test('a class that suffers now and then neither flaps nor is forgotten', async t => {
  let misses = 0
  const events = withoutPaths(
    watched({}, 240, at => {
      if (at < 200 && at % 2 === 0) misses += 20
      return { classes: [classOf('live', { packets: at * 500, deadlineMisses: misses })] }
    }),
  )
  t.same(events.map(event => event.kind), ['class_degraded', 'class_recovered'])
})

t.test('a contract breaks on the median round trip of the best path, and is kept again after a minute', async t => {
  const events = withoutPaths(
    watched({ roundTripMillis: 60 }, 600, at => ({
      paths: [pathOf('isp-a', { roundTrip: millis(at >= 200 && at < 300 ? 80 : 50 + (at % 10 === 0 ? 500 : 0)) }), pathOf('isp-b', { roundTrip: millis(200) })],
    })),
  )
  t.same(events.map(event => event.kind), ['contract_broken', 'contract_kept'])
  t.same(events[0]?.evidence, { term: 'roundTripMillis', roundTripMillis: 80, promisedRoundTripMillis: 60, windowSeconds: 60 })
  const [broken = 0, kept = 0] = timeline(events).map(([, at]) => at)
  t.ok(broken > 230 && broken < 270, String(broken))
  t.ok(kept >= 300 + 120 && kept < 500, String(kept))
})

t.test('a contract breaks on loss over a minute, for each direction', async t => {
  const events = withoutPaths(
    watched({ lossRatio: 0.01 }, 400, at => {
      const lost = at < 100 ? 0 : (Math.min(at, 150) - 100) * 20
      const totals = { in: { ...NO_TOTALS, packets: at * 480, lostPackets: at }, out: { ...NO_TOTALS, packets: at * 500, lostPackets: lost } }
      return { paths: [pathOf('isp-a', { totals })] }
    }),
  )
  t.same(events.map(event => [event.kind, event.evidence['term']]), [['contract_broken', 'lossRatioOut'], ['contract_kept', 'lossRatioOut']])
  t.ok(Number(events[0]?.evidence['lossRatio']) > 0.01)
  t.equal(events[0]?.evidence['promisedLossRatio'], 0.01)
})

t.test('a few packets break no promise of loss', async t => {
  const events = watched({ lossRatio: 0 }, 60, at => ({ paths: [pathOf('isp-a', { totals: { in: { ...NO_TOTALS, packets: at * 10, lostPackets: at }, out: NO_TOTALS } })] }))
  t.same(withoutPaths(events), [])
})

t.test('capacity below the promised rate breaks the contract only while it is needed', async t => {
  const busy = { in: GAUGES, out: { ...GAUGES, throughput: bitsPerSecond(58e6) } }
  const path = (needed: boolean): PathSnapshot => pathOf('isp-a', { capacity: bitsPerSecond(60e6), ...(needed && { gauges: busy }) })
  const promise = { upBitsPerSecond: 100e6, downBitsPerSecond: 50e6 }
  t.same(withoutPaths(watched(promise, 200, () => ({ paths: [path(false)] }))), [])
  t.same(withoutPaths(watched(promise, 200, () => ({ paths: [path(true)] }), 'accepter')), [], 'it sends down')
  const events = withoutPaths(watched(promise, 200, at => ({ paths: [path(at > 50)] })))
  t.same(events.map(event => event.kind), ['contract_broken'])
  const { neededSeconds, ...rest } = events[0]?.evidence ?? {}
  t.same(rest, { term: 'bitsPerSecond', direction: 'up', capacityBitsPerSecond: 60e6, promisedBitsPerSecond: 100e6, windowSeconds: 60 })
  t.ok(Number(neededSeconds) >= 10 && Number(neededSeconds) < 16)
  const twoPaths = watched(promise, 200, () => ({ paths: [path(true), pathOf('isp-b', { capacity: bitsPerSecond(40e6), gauges: busy })] }))
  t.same(withoutPaths(twoPaths), [], 'two paths carry it together')
})

t.test('availability counts the time in which no path lives, over an hour', async t => {
  const states = (at: number): Observed => ({
    // One path is down for 50 s; both for 5 s, which is more than 0.1 % of an hour.
    paths: [pathOf('isp-a', { state: at >= 100 && at < 200 ? 'down' : 'up' }), pathOf('isp-b', { state: at >= 150 && at < 160 ? 'down' : 'up' })],
  })
  const events = withoutPaths(watched({ availability: 0.999 }, 8000, states))
  t.same(events.map(event => event.kind), ['contract_broken', 'contract_kept'])
  t.same(events[0]?.evidence, { term: 'availability', availability: 1 - 4 / 3600, promisedAvailability: 0.999, downSeconds: 4, windowSeconds: 3600 })
  t.same(withoutPaths(watched({ availability: 0.998 }, 300, states)), [])
})

t.test('a clock that is set by hours is no outage', async t => {
  const watch = new LinkWatch(contractOf({ availability: 0.99 }), 'opener')
  const at = 1_700_000_000_000
  watch.observe({ paths: [pathOf('isp-a')], classes: [] }, at)
  watch.observe({ paths: [pathOf('isp-a', { state: 'down' })], classes: [] }, at + 7_200_000)
  watch.observe({ paths: [pathOf('isp-a')], classes: [] }, at - 7_200_000)
  t.same(watch.events.map(event => event.kind), ['path_up', 'path_down'])
})

t.test('totals that begin anew are no loss', async t => {
  const events = watched({ lossRatio: 0.01 }, 100, at => {
    const since = at % 50
    const totals = { ...NO_TOTALS, packets: since * 1000, lostPackets: since }
    return { paths: [pathOf('isp-a', { totals: { in: totals, out: totals } })], classes: [classOf('live', { packets: since * 5000, deadlineMisses: since })] }
  })
  t.same(withoutPaths(events), [])
})

t.test('remembers the last 256 events, those found elsewhere too', async t => {
  const watch = new LinkWatch(contractOf({}), 'opener')
  for (let at = 0; at < 300; at++) watch.record({ at, kind: 'rekeyed', evidence: {} })
  const events = watch.observe({ paths: [pathOf('isp-a')], classes: [] }, 1000)
  t.same(events.map(event => event.kind), ['path_up'])
  t.equal(watch.events.length, MAX_EVENTS)
  t.equal(watch.events[0]?.at, 300 + 1 - MAX_EVENTS)
  t.equal(watch.events.at(-1)?.kind, 'path_up')
})

t.test('an alarm is raised by what lasts, and cleared by what lasts', async t => {
  const alarm = new Hysteresis(millis(1000), millis(3000))
  const said = [1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0].map((bad, at) => alarm.observe(bad === 1, millis(at * 500)))
  t.same(said.flatMap((verdict, at) => (verdict === undefined ? [] : [[verdict, at]])), [['raised', 7], ['cleared', 17]])
  t.equal(alarm.raisedAt, undefined)
})
