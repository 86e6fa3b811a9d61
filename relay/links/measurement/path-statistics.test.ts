import { t } from 'tap'
import { bytes, millis } from '../../wire/units.ts'
import { PathStatistics } from './path-statistics.ts'

/** A far end whose clock is off by five hours. */
const OFFSET = 18_000_000

/** Sends a datagram of 1000 bytes each 10 ms; `delayOf` says how long each takes, undefined that it is lost. */
function run(statistics: PathStatistics, count: number, delayOf: (at: number) => number | undefined): void {
  for (let at = 0; at < count; at++) {
    const delay = delayOf(at)
    const sentAt = 100_000 + at * 10
    if (delay !== undefined) statistics.received(at, bytes(1000), millis(sentAt + OFFSET), millis(sentAt + delay))
  }
}

t.test('jitter follows the formula of RFC 3550 appendix A.8, in order of arrival', async t => {
  const statistics = new PathStatistics()
  const delays = [20, 24, 18, 18, 33, 20.5, 21, 20]
  run(statistics, delays.length, at => delays[at])
  let expected = 0
  for (let at = 1; at < delays.length; at++) expected += (Math.abs((delays[at] ?? 0) - (delays[at - 1] ?? 0)) - expected) / 16
  t.equal(statistics.gauges(millis(101_000)).jitter.toFixed(9), expected.toFixed(9))
})

t.test('an even stream has no jitter and no delay variation, whatever the clocks say', async t => {
  const statistics = new PathStatistics()
  run(statistics, 300, () => 25)
  const { jitter, delayVariation } = statistics.gauges(millis(103_000))
  t.same({ jitter, delayVariation }, { jitter: 0, delayVariation: { p50: 0, p95: 0 } })
})

t.test('delay variation is measured from the shortest of half a minute, over the last second', async t => {
  const statistics = new PathStatistics()
  // One quick datagram, then ten seconds at 30 ms, then delays of 40 to 139 ms, one each.
  run(statistics, 1100, at => (at === 0 ? 20 : at < 1000 ? 30 : 40 + ((at * 37) % 100)))
  const last = 100_000 + 1099 * 10
  t.same(statistics.gauges(millis(110_020)).delayVariation, { p50: 10, p95: 10 })
  const { p50, p95 } = statistics.gauges(millis(last + 40)).delayVariation
  // Those that arrived in the last second are not quite those sent in it.
  t.ok(Math.abs(p50 - 69) <= 5 && Math.abs(p95 - 114) <= 5, `${p50} ${p95}`)
  t.same(statistics.gauges(millis(last + 5000)).delayVariation, { p50: 0, p95: 0 }, 'nothing of late')
})

t.test('percentiles are those of nearest rank', async t => {
  const statistics = new PathStatistics()
  run(statistics, 20, at => 100 + ((at * 7) % 20))
  t.same(statistics.gauges(millis(100_310)).delayVariation, { p50: 9, p95: 18 })
})

t.test('a clock that is set is neither jitter nor delay', async t => {
  const statistics = new PathStatistics()
  run(statistics, 100, () => 25)
  for (let at = 100; at < 200; at++) statistics.received(at, bytes(1000), millis(at * 10), millis(100_000 + at * 10 + 25))
  const { jitter, delayVariation } = statistics.gauges(millis(102_020))
  t.same({ jitter, delayVariation }, { jitter: 0, delayVariation: { p50: 0, p95: 0 } })
})

t.test('throughput is that of the last second, loss that of the last ten', async t => {
  const statistics = new PathStatistics()
  run(statistics, 3000, at => (at % 10 === 3 ? undefined : 0))
  const end = millis(100_000 + 3000 * 10)
  const { throughput, lossRatio } = statistics.gauges(end)
  t.equal(throughput, 90 * 1000 * 8)
  t.ok(Math.abs(lossRatio - 0.1) < 0.002, String(lossRatio))
  t.equal(statistics.gauges(millis(end + 1100)).throughput, 0)
  t.equal(statistics.gauges(millis(end + 12_000)).lossRatio, 0)
  const { packets, lostPackets, lossBursts, burstsByLength, bytes: size } = statistics.totals(millis(end + 12_000))
  t.same({ packets, lostPackets, lossBursts, size }, { packets: 2700, lostPackets: 300, lossBursts: 300, size: 2_700_000 })
  t.same(burstsByLength, [300, 0, 0, 0, 0, 0, 0])
})

t.test('duplicates count as packets that arrived, but not for delay', async t => {
  const statistics = new PathStatistics()
  statistics.received(0, bytes(100), millis(0), millis(1000))
  statistics.received(0, bytes(100), millis(0), millis(1300))
  const { packets, bytes: size, duplicatePackets } = statistics.totals(millis(1500))
  t.same({ packets, size, duplicatePackets }, { packets: 2, size: 200, duplicatePackets: 1 })
  t.same(statistics.gauges(millis(1500)).delayVariation, { p50: 0, p95: 0 })
})

t.test('delay is sampled at 50,000 datagrams per second, and still right', async t => {
  const statistics = new PathStatistics()
  for (let at = 0; at < 150_000; at++) {
    const sentAt = 100_000 + at / 50
    statistics.received(at, bytes(1200), millis(sentAt), millis(sentAt + 20 + ((at * 7919) % 1000) / 100))
  }
  const { p50, p95 } = statistics.gauges(millis(103_020)).delayVariation
  t.ok(Math.abs(p50 - 5) < 0.5 && Math.abs(p95 - 9.5) < 0.5, `${p50} ${p95}`)
})

t.test('times that are no numbers spoil nothing', async t => {
  const statistics = new PathStatistics()
  for (const sentAt of [NaN, Infinity, -Infinity]) statistics.received(1, bytes(10), millis(sentAt), millis(1000))
  run(statistics, 100, () => 25)
  const { jitter, delayVariation } = statistics.gauges(millis(101_000))
  t.same({ jitter, delayVariation }, { jitter: 0, delayVariation: { p50: 0, p95: 0 } })
})
