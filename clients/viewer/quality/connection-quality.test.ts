import t from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { ConnectionQuality, QUALITY_REASONS } from './connection-quality.ts'
import type { QualityFacts } from './connection-quality.ts'
import { qualityText, whyText } from './quality-words.ts'

const fine: QualityFacts = {
  connection: 'joined',
  source: { state: 'live', framesPerSecond: 30 },
  staleSeconds: 0,
  withheld: [],
  lossRatio: 0,
  roundTripSeconds: 0.02,
  mediaPath: 'udp',
  relayCostMillis: null,
  freezes: 0,
  drawnFramesPerSecond: 30,
  expectedFramesPerSecond: 30,
}
const judge = (...seconds: Partial<QualityFacts>[]) => {
  const quality = new ConnectionQuality()
  return seconds.map((facts, index) => quality.step({ ...fine, ...facts }, millis(index * 1000))).at(-1)
}

t.test('names one reason for each thing that can be wrong', async t => {
  t.same(judge({}), { level: 'good', reason: null, n: null })
  t.same(judge({ connection: 'reconnecting' }), { level: 'poor', reason: 'reconnecting', n: null })
  t.same(judge({ source: undefined }), { level: 'fair', reason: 'absent', n: null })
  t.same(judge({ source: { state: 'slow', framesPerSecond: 8 } }), { level: 'fair', reason: 'sourceSlow', n: 8 })
  t.same(judge({ source: { state: 'interrupted', framesPerSecond: 0 } }), { level: 'poor', reason: 'sourceInterrupted', n: null })
  t.same(judge({ lossRatio: 0.01 }), { level: 'fair', reason: 'loss', n: 1 })
  t.same(judge({ lossRatio: 0.25 }), { level: 'poor', reason: 'loss', n: 25 })
  t.same(judge({ withheld: [{ cause: 'uplink', shownAs: 'middle' }] }), { level: 'fair', reason: 'uplinkNarrow', n: 1 })
  t.same(judge({ withheld: [{ cause: 'downlink', shownAs: 'overview' }] }), { level: 'poor', reason: 'downlinkNarrow', n: 1 })
  t.same(judge({ mediaPath: 'relay-tls' }), { level: 'fair', reason: 'tcp', n: null })
  t.same(judge({ mediaPath: 'relay-udp', relayCostMillis: 80 }), { level: 'fair', reason: 'relay', n: 80 })
  t.same(judge({ mediaPath: 'relay-udp', relayCostMillis: 8 }), { level: 'good', reason: null, n: null })
  t.same(judge({ roundTripSeconds: 0.5 }), { level: 'fair', reason: 'roundTrip', n: 500 })
  t.same(judge({ roundTripSeconds: 1 }), { level: 'poor', reason: 'roundTrip', n: 1000 })
  t.same(judge({ staleSeconds: 2 }), { level: 'fair', reason: 'stalled', n: 2 })
  t.same(judge({ staleSeconds: 4 }), { level: 'poor', reason: 'stalled', n: 4 })
})

t.test('names the cause before what it causes, and the graver before the lighter', async t => {
  t.equal(judge({ source: { state: 'interrupted', framesPerSecond: 0 }, staleSeconds: 4 })?.reason, 'sourceInterrupted')
  t.equal(judge({ lossRatio: 0.1, staleSeconds: 4 })?.reason, 'loss')
  t.equal(judge({ connection: 'reconnecting', source: undefined, staleSeconds: 4, lossRatio: 1 })?.reason, 'reconnecting')
  t.equal(judge({ mediaPath: 'tcp', staleSeconds: 4 })?.reason, 'stalled')
})

t.test('averages loss over five seconds', async t => {
  t.same(judge({}, {}, {}, {}, { lossRatio: 0.02 }), { level: 'good', reason: null, n: null })
  t.equal(judge({}, {}, {}, {}, { lossRatio: 0.05 })?.level, 'fair')
})

t.test('counts freezes of the last ten seconds, not those before', async t => {
  t.same(judge({ freezes: 7 }), { level: 'good', reason: null, n: null })
  t.same(judge({ freezes: 7 }, { freezes: 8 }), { level: 'fair', reason: 'freezes', n: 1 })
  t.same(judge({ freezes: 7 }, { freezes: 10 }), { level: 'poor', reason: 'freezes', n: 3 })
  t.equal(judge({ freezes: 7 }, ...Array.from({ length: 13 }, () => ({ freezes: 10 })))?.level, 'good')
})

t.test('calls a machine slow that draws too little for four seconds', async t => {
  const slow = { drawnFramesPerSecond: 12 }
  t.equal(judge({}, slow, slow, slow)?.level, 'good')
  t.same(judge({}, slow, slow, slow, slow), { level: 'fair', reason: 'machineSlow', n: 12 })
  t.equal(judge({}, slow, slow, {}, slow, slow)?.level, 'good', 'one good second begins anew')
})

t.test('tells the worse at once, and the better only when the worse could be read', async t => {
  const quality = new ConnectionQuality()
  t.equal(quality.step(fine, millis(0)).level, 'good')
  t.equal(quality.step({ ...fine, roundTripSeconds: 1 }, millis(100)).level, 'poor')
  t.equal(quality.step(fine, millis(200)).level, 'poor')
  t.equal(quality.step(fine, millis(3099)).level, 'poor')
  t.equal(quality.step(fine, millis(3100)).level, 'good')
  t.equal(quality.step({ ...fine, source: undefined }, millis(3200)).reason, 'absent')
  t.equal(quality.step(fine, millis(3300)).level, 'good', 'what is known to be over is not told any more')
})

t.test('says why and what to do in both languages, and nothing where all is well', async t => {
  for (const reason of QUALITY_REASONS) {
    const quality = { level: 'fair', reason, n: 12.345 } as const
    t.match(whyText('en', quality), /^[A-Z][^{]+\.$/, reason)
    t.match(whyText('ja', quality), /^[^{]*[ぁ-ん][^{]+。$/, reason)
  }
  t.equal(whyText('en', { level: 'good', reason: null, n: null }), '')
  t.not(qualityText('ja', 'fair'), qualityText('ja', 'poor'))
})
