import t from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { readTraffic, TrafficMeter } from './traffic-meter.ts'

const inbound = (bytesReceived: number, packetsReceived: number, packetsLost = 0) => ({
  type: 'inbound-rtp',
  bytesReceived,
  headerBytesReceived: 100,
  packetsReceived,
  packetsLost,
  decoderImplementation: 'FFmpeg',
})
const pair = { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.02 }

t.test('sums payload and headers over the tracks', async t => {
  const transport = { type: 'transport', srtpCipher: 'AEAD_AES_128_GCM' }
  const reading = readTraffic([inbound(1000, 5), inbound(2000, 6, 1), pair, transport, { type: 'codec' }])
  t.same(reading, { bytes: 3200, packetsReceived: 11, packetsLost: 1, roundTripSeconds: 0.02, decoders: ['FFmpeg'], srtpCipher: 'AEAD_AES_128_GCM', mediaPath: null })
})

t.test('gives rates per interval and bytes since the page was opened', async t => {
  const meter = new TrafficMeter()
  t.equal(meter.take(readTraffic([inbound(900, 1)]), millis(0)).bitsPerSecondReceived, 0)
  const traffic = meter.take(readTraffic([inbound(10_900, 10, 1)]), millis(500))
  t.equal(traffic.bitsPerSecondReceived, 160_000)
  t.equal(traffic.lossRatio, 0.1)
  meter.newConnection()
  t.equal(meter.take(readTraffic([inbound(900, 1)]), millis(600)).bytesReceived, 12_000)
})

t.test('packets that come after they were counted lost do not make the loss negative', async t => {
  const meter = new TrafficMeter()
  meter.take(readTraffic([inbound(0, 10, 5)]), millis(0))
  t.equal(meter.take(readTraffic([inbound(0, 20, 3)]), millis(1000)).lossRatio, 0)
})
