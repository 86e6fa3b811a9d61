import fc from 'fast-check'
import { t } from 'tap'
import { millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { ReceptionStatistics } from './reception-statistics.ts'
import { readSenderReports, writeNack, writeReceiverReports } from './rtcp.ts'

t.test('packs neighbours of a lost packet into one entry, over the wrap-around too', async t => {
  const packet = writeNack(1, 0x0102_0304, [65_535, 0, 15, 16, 100])
  t.equal(packet.toString('hex'), '81cd0005' + '00000001' + '01020304' + 'ffff8001' + '00100000' + '00640000')
})

t.test('reports loss, the highest number and the delay since a sender report', async t => {
  const statistics = new ReceptionStatistics(7)
  t.equal(statistics.report(millis(0)), undefined)
  for (let index = 0; index < 100; index++) {
    if (index % 4 !== 1) statistics.received((65_500 + index) & 0xffff, rtpTimestamp(index * 90), millis(index))
  }
  statistics.senderReported(0xabcd_ef01, millis(100))
  const block = statistics.report(millis(600))
  t.match(block, { fractionLost: 64, cumulativeLost: 25, jitterTicks: 0, lastSenderReport: 0xabcd_ef01, delaySinceLastSenderReport: 0x8000 })
  t.equal((block?.highestSequenceNumber ?? 0) & 0xffff, 63)
  t.match(statistics.report(millis(700)), { fractionLost: 0, cumulativeLost: 25 }, 'the next interval lost nothing')
  const [packet] = writeReceiverReports(1, [block!])
  t.equal(packet?.subarray(0, 16).toString('hex'), '81c9000700000001' + '00000007' + '40000019')
})

t.test('splits more blocks than one packet can hold', async t => {
  const statistics = new ReceptionStatistics(7)
  statistics.received(0, rtpTimestamp(0), millis(0))
  const block = statistics.report(millis(1))!
  t.same(writeReceiverReports(1, Array.from({ length: 37 }, () => block)).map(packet => packet.length), [8 + 24 * 31, 8 + 24 * 6])
})

t.test('finds sender reports in a compound packet and survives any bytes', async t => {
  const report = Buffer.alloc(28)
  report.set([0x80, 200, 0, 6])
  report.writeUInt32BE(99, 4)
  report.writeUInt32BE(0x1234_5678, 10)
  const sdes = Buffer.from('81ca000200000063010161' + '00', 'hex')
  t.same(readSenderReports(Buffer.concat([report, sdes, report])), [{ ssrc: 99, middleNtp: 0x1234_5678 }, { ssrc: 99, middleNtp: 0x1234_5678 }])
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), octets => Array.isArray(readSenderReports(Buffer.from(octets)))), { seed: 1, numRuns: 2000 })
})
