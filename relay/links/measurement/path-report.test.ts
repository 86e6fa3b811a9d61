import fc from 'fast-check'
import { t } from 'tap'
import { bitsPerSecond, bytes, millis } from '../../wire/units.ts'
import { MAX_PATH_REPORT_BYTES, decodePathReport, encodePathReport } from './path-report.ts'
import { PathReportGuard } from './path-report-guard.ts'
import type { PathTotals } from './link-snapshot.ts'
import type { PathReport } from './path-report.ts'

const SEED = 20_261_122

const REPORT: PathReport = {
  number: 77,
  totals: {
    packets: 1_234_567_890,
    bytes: bytes(1_543_209_862_500),
    lostPackets: 4096,
    lossBursts: 1021,
    duplicatePackets: 3,
    reorderedPackets: 63,
    burstsByLength: [1000, 10, 5, 3, 2, 1, 0],
    gapsByLength: [0, 64, 700, 255, 1],
  },
  gauges: { jitter: millis(1.234), delayVariation: { p50: millis(2.5), p95: millis(12.25) }, lossRatio: 0.012345, throughput: bitsPerSecond(98_765_432) },
}

const encoded = (report: PathReport): Uint8Array => {
  const buffer = new Uint8Array(MAX_PATH_REPORT_BYTES + 7)
  return buffer.slice(7, encodePathReport(buffer, 7, report))
}

t.test('comes back as it went, at any offset, in few bytes', async t => {
  const buffer = Buffer.alloc(600, 0xff)
  const end = encodePathReport(buffer, 300, REPORT)
  t.same(decodePathReport(buffer, 300), { report: REPORT, end })
  t.ok(end - 300 <= 64, `${end - 300} bytes`)
  t.equal(buffer[end], 0xff)
  t.equal(buffer[299], 0xff)
})

t.test('any report comes back as it went', async () => {
  const total = fc.maxSafeNat()
  const micros = fc.integer({ min: 0, max: 3_600_000_000 })
  const arbitrary = fc.record({
    number: total,
    packets: total,
    bytes: total,
    lostPackets: total,
    parts: fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
    burstsByLength: fc.array(fc.integer({ min: 0, max: 2 ** 49 }), { minLength: 7, maxLength: 7 }),
    gapsByLength: fc.array(total, { minLength: 5, maxLength: 5 }),
    micros: fc.tuple(micros, micros, micros),
    millionths: fc.integer({ min: 0, max: 1_000_000 }),
    throughput: fc.integer({ min: 0, max: 1e12 }),
  })
  fc.assert(
    fc.property(arbitrary, ({ number, packets, bytes: size, lostPackets, parts, burstsByLength, gapsByLength, micros: [a, b, c], millionths, throughput }) => {
      const report: PathReport = {
        number,
        totals: {
          packets,
          bytes: bytes(size),
          lostPackets,
          lossBursts: burstsByLength.reduce((sum, count) => sum + count),
          duplicatePackets: Math.floor(packets * parts[0]),
          reorderedPackets: Math.floor(packets * parts[1]),
          burstsByLength,
          gapsByLength,
        },
        gauges: {
          jitter: millis(a / 1000),
          delayVariation: { p50: millis(Math.min(b, c) / 1000), p95: millis(Math.max(b, c) / 1000) },
          lossRatio: millionths / 1_000_000,
          throughput: bitsPerSecond(throughput),
        },
      }
      const frame = encoded(report)
      t.same(decodePathReport(frame, 0), { report, end: frame.length })
      return t.passing()
    }),
    { seed: SEED, numRuns: 300 },
  )
})

t.test('refuses a report that is cut short, wherever', async t => {
  const frame = encoded(REPORT)
  for (let length = 0; length < frame.length; length++) t.equal(decodePathReport(frame.subarray(0, length), 0), undefined, `${length} bytes`)
  for (const offset of [-1, 0.5, NaN, frame.length, frame.length + 1, 2 ** 40]) t.equal(decodePathReport(frame, offset), undefined, String(offset))
})

t.test('refuses what cannot be', async t => {
  const absurd: Record<string, readonly number[]> = {
    'a number beyond 2^53': [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    '2^53 exactly': [0xc0, 0x20, 0, 0, 0, 0, 0, 0],
  }
  for (const [name, head] of Object.entries(absurd)) t.equal(decodePathReport(Uint8Array.from([...head, ...new Array<number>(40).fill(0)]), 0), undefined, name)
  const fields = (changed: Readonly<Record<number, readonly number[]>>): Uint8Array =>
    Uint8Array.from(Array.from({ length: 23 }, (_, at): readonly number[] => changed[at] ?? [0]).flat())
  t.ok(decodePathReport(fields({}), 0))
  const hour = [0xc0, 0, 0, 0, 0xd6, 0x93, 0xa4, 0x01]
  for (const [name, changed] of Object.entries({
    'more duplicates than packets': { 4: [1] },
    'more reordered than packets': { 5: [1] },
    'a jitter above an hour': { 18: hour },
    'a 95th percentile below the median': { 19: [2], 20: [1] },
    'a loss ratio above 1': { 21: [0x80, 0x0f, 0x42, 0x41] },
    'a rate above 1 Tbit/s': { 22: [0xc0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0x01] },
  })) {
    t.equal(decodePathReport(fields(changed), 0), undefined, name)
  }
})

t.test('decodes any bytes to a plausible report or to none', async () => {
  const bytesWithShape = fc.oneof(
    fc.uint8Array({ maxLength: 220 }),
    fc.array(fc.tuple(fc.nat({ max: encoded(REPORT).length - 1 }), fc.nat({ max: 255 })), { maxLength: 6 }).map(changes => {
      const frame = encoded(REPORT)
      for (const [at, value] of changes) frame[at] = value
      return frame
    }),
  )
  fc.assert(
    fc.property(bytesWithShape, frame => {
      const decoded = decodePathReport(frame, 0)
      if (decoded === undefined) return true
      const { totals, gauges } = decoded.report
      const { p50, p95 } = gauges.delayVariation
      const numbers = [
        ...[totals.packets, totals.bytes, totals.lostPackets, totals.lossBursts, totals.duplicatePackets, totals.reorderedPackets],
        ...[...totals.burstsByLength, ...totals.gapsByLength, gauges.jitter, p50, p95, gauges.lossRatio, gauges.throughput],
      ]
      return decoded.end <= frame.length && numbers.every(value => Number.isFinite(value) && value >= 0) && gauges.lossRatio <= 1
    }),
    { seed: SEED, numRuns: 20_000 },
  )
})

t.test('writes values that cannot be as the nearest that can, and never half a report', async t => {
  const frame = encoded({ ...REPORT, gauges: { jitter: millis(NaN), delayVariation: { p50: millis(-5), p95: millis(Infinity) }, lossRatio: 7, throughput: bitsPerSecond(1e300) } })
  t.same(decodePathReport(frame, 0)?.report.gauges, { jitter: 0, delayVariation: { p50: 0, p95: 3_600_000 }, lossRatio: 1, throughput: 1e12 })
  t.throws(() => encodePathReport(new Uint8Array(MAX_PATH_REPORT_BYTES), 1, REPORT), RangeError)
})

const totals = (changed: Partial<PathTotals>): PathTotals => ({
  packets: 100,
  bytes: bytes(100_000),
  lostPackets: 10,
  lossBursts: 5,
  duplicatePackets: 0,
  reorderedPackets: 0,
  burstsByLength: [5, 0, 0, 0, 0, 0, 0],
  gapsByLength: [4, 0, 0, 0, 0],
  ...changed,
})
const reportOf = (number: number, changed: Partial<PathTotals>): PathReport => ({ ...REPORT, number, totals: totals(changed) })

t.test('the guard keeps the last report that can be true, and counts the others', async t => {
  const guard = new PathReportGuard()
  t.equal(guard.accept(reportOf(0, { packets: 1000 }), 500), undefined, 'more arrived than was sent')
  const good = reportOf(1, {})
  t.equal(guard.accept(good, 500), good)
  t.equal(guard.lies, 1)
  const lies: Partial<PathTotals>[] = [
    { packets: 99 },
    { bytes: bytes(99_999) },
    { lostPackets: 9 },
    { burstsByLength: [4, 1, 0, 0, 0, 0, 0] },
    { gapsByLength: [3, 1, 0, 0, 0] },
    { packets: 300, lostPackets: 300 },
    { lostPackets: 1e15 },
    { lossBursts: 600, burstsByLength: [600, 0, 0, 0, 0, 0, 0] },
  ]
  for (const [at, lie] of lies.entries()) t.equal(guard.accept(reportOf(2 + at, lie), 500), good, JSON.stringify(lie))
  t.equal(guard.lies, 1 + lies.length)
  const next = reportOf(20, { packets: 480, lostPackets: 12, duplicatePackets: 1, burstsByLength: [6, 0, 0, 0, 0, 0, 0] })
  t.equal(guard.accept(next, 500), next)
  t.equal(guard.last, next)
})

t.test('a report that was overtaken is no lie', async t => {
  const guard = new PathReportGuard()
  const later = reportOf(9, { packets: 200 })
  guard.accept(later, 500)
  t.equal(guard.accept(reportOf(8, {}), 500), later)
  t.equal(guard.lies, 0)
})
