import { t } from 'tap'
import { PathName } from '../../relay/wire/link.ts'
import { bitsPerSecond, bytes, millis } from '../../relay/wire/units.ts'
import { LineRecorder } from './line-measurement.ts'
import type { ClassSnapshot, ClassTotals, PathSnapshot, PathTotals } from '../../relay/links/measurement/link-snapshot.ts'
import type { LineReading } from './line-measurement.ts'

const totals = (packets: number, lostPackets: number, duplicatePackets = 0): PathTotals => ({
  packets, bytes: bytes(1000 * packets), lostPackets, duplicatePackets, lossBursts: lostPackets, reorderedPackets: 0, burstsByLength: [], gapsByLength: [],
})
const gauges = (throughput: number, p95: number): PathSnapshot['gauges']['in'] => ({ jitter: millis(0), delayVariation: { p50: millis(0), p95: millis(p95) }, lossRatio: 0, throughput: bitsPerSecond(throughput) })
const classTotals = (packets: number, droppedPackets: number): ClassTotals => ({
  packets, bytes: bytes(0), retransmittedPackets: 0, retransmittedBytes: bytes(0), fecPackets: 0, fecBytes: bytes(0), fecRecoveredPackets: 0, deadlineMisses: 0, droppedPackets,
})

function reading(change: Partial<PathSnapshot>, [packets, dropped] = [0, 0], reported?: LineReading['reported']): LineReading {
  const path: PathSnapshot = {
    path: PathName.parse('main'), state: 'up', outages: 0, roundTrip: millis(20), shortestRoundTrip: millis(19), capacity: bitsPerSecond(150e6), headroom: bitsPerSecond(150e6),
    queueingDelay: millis(0), mtu: bytes(1500), clockOffset: millis(5), totals: { in: totals(0, 0), out: totals(0, 0) }, gauges: { in: gauges(0, 0), out: gauges(0, 0) }, ...change,
  }
  const live: ClassSnapshot = { class: 'live', policy: 'failover', path: path.path, switches: 0, queueDelay: millis(0), totals: { in: classTotals(0, 0), out: classTotals(packets, dropped) }, mdi: undefined }
  return { snapshot: { paths: [path], classes: [live] }, reported }
}

t.test('loss is that of the load, from what both ends counted', async t => {
  const recorder = new LineRecorder('main', 20e6)
  recorder.idle(reading({ totals: { in: totals(100, 10), out: totals(100, 50) } }))
  recorder.loaded(reading({ roundTrip: millis(30), gauges: { in: gauges(0, 3), out: gauges(20e6, 7) } }))
  const line = recorder.final(reading({ totals: { in: totals(200, 10), out: totals(1110, 140, 10) } }, [900, 100], { classId: 0, values: [890, 0, 0, 0, 0, 0, 0, 10] }), millis(2000))
  t.match(line, { isUp: true, roundTripIdleMillis: 20, roundTripLoadedMillis: 30, delayVariationMillis: { in: 3, out: 7 }, throughputBitsPerSecond: 1010 * 8000 / 2, droppedRatio: 0.1 })
  t.equal(line.lossRatio.in, 0)
  t.equal(line.lossRatio.out, 90 / 1090)
  t.equal(line.lossAfterRepairRatio, 10 / 900)
})

t.test('a capacity that the load did not reach is a guess, and not told', async t => {
  const capacityOf = (capacity: number): number | null => {
    const recorder = new LineRecorder('main', 20e6)
    recorder.loaded(reading({}))
    return recorder.final(reading({ capacity: bitsPerSecond(capacity) })).capacityBitsPerSecond
  }
  t.equal(capacityOf(150e6), null)
  t.equal(capacityOf(12e6), 12e6)
  const recorder = new LineRecorder('main', 5e9)
  t.equal(recorder.final(reading({ capacity: undefined })).capacityBitsPerSecond, null, 'there is no line within a machine')
})

t.test('a path that never answered has no figures', async t => {
  const recorder = new LineRecorder('main', 20e6)
  recorder.idle(reading({ state: 'unproven', roundTrip: undefined }))
  t.match(recorder.final(reading({ state: 'unproven', roundTrip: undefined, clockOffset: undefined })), {
    isUp: false, roundTripIdleMillis: null, lossRatio: { in: null, out: null }, lossAfterRepairRatio: null, droppedRatio: 0, clockOffsetMillis: null,
  })
})
