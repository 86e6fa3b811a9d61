import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { Lateness } from './lateness.ts'
import { DirectionProfile } from './profiles.ts'
import { RelayedDirection } from './relayed-direction.ts'
import { parseSocketDrops } from './socket-drops.ts'

t.test('gives datagrams on when they are due and counts IP bytes', async t => {
  const sent: number[] = []
  const direction = new RelayedDirection(DirectionProfile.parse({ delayMillis: 5, rateBitsPerSecond: 8e6, queue: { bytes: 2000 } }), seededRandom(1), datagram => sent.push(datagram.length))
  for (let index = 0; index < 3; index++) direction.take(Buffer.alloc(1022), millis(0))
  t.equal(direction.nextAt(), 6)
  direction.release(millis(5.9))
  t.same(sent, [])
  direction.release(millis(6))
  t.same(sent, [1022])
  direction.release(millis(100))
  t.match(direction.counts(4), { packets: 3, bytes: 3000, lost: 0, queueFull: 1, delivered: 2, deliveredBytes: 2000, overruns: 4 })
})

t.test('loses what is on its way when it is cut, and what comes until it is joined', async t => {
  const sent: number[] = []
  const direction = new RelayedDirection(DirectionProfile.parse({ delayMillis: 5 }), seededRandom(1), datagram => sent.push(datagram.length))
  direction.take(Buffer.alloc(100), millis(0))
  direction.cut(true)
  t.equal(direction.nextAt(), Infinity)
  direction.take(Buffer.alloc(101), millis(1))
  direction.cut(false)
  direction.take(Buffer.alloc(102), millis(2))
  direction.release(millis(100))
  t.same(sent, [102])
  t.match(direction.counts(0), { packets: 3, lost: 2, delivered: 1 })
})

t.test('summarises lateness', async t => {
  const lateness = new Lateness()
  t.same(lateness.summary(), { meanMillis: 0, p99Millis: 0, longestMillis: 0 })
  for (let index = 0; index < 99; index++) lateness.record(millis(0.1))
  lateness.record(millis(30))
  const { meanMillis, p99Millis, longestMillis } = lateness.summary()
  t.ok(Math.abs(meanMillis - 0.399) < 1e-9)
  t.ok(p99Millis >= 0.1 && p99Millis <= 0.121)
  t.equal(longestMillis, 30)
})

t.test('finds the drops of each socket', async t => {
  const table = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             ',
    '  441: 0200000A:12C0 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12345 2 0000000000000000 17        ',
    '  442: 0200000A:12C1 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12346 2 0000000000000000 0         ',
    '',
  ].join('\n')
  t.same([...parseSocketDrops(table)], [[4800, 17], [4801, 0]])
})
