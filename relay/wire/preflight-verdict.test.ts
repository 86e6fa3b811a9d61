import { t } from 'tap'
import { judgePreflight, worstColour } from './preflight-verdict.ts'
import { CHECKS_OF, NOTHING_MEASURED, PREFLIGHT_ADVICE, PREFLIGHT_ENDS, PreflightResults } from './preflight.ts'
import type { PreflightCheck, PreflightMeasurement } from './preflight.ts'

const load = (arrived: number) => ({ offeredBitsPerSecond: 30e6, arrivedBitsPerSecond: arrived })
const GOOD: PreflightMeasurement = {
  udp: true, tcp: true, relay: 'none', lossRatio: 0, down: load(30e6), up: load(30e6), roundTripMillis: 20, decoder: { framesPerSecond: 300, wanted: 300 },
  devicePixelRatio: 1, colour: { bits: 24, coversSrgb: true }, microphone: 'heard', stage: 'answers', nodeDiskFreeBytes: 1e12, ownDiskFreeBytes: 1e12, clockOffsetMillis: -20,
}
const find = (check: PreflightCheck, change: Partial<PreflightMeasurement>) => [...judgePreflight('viewer', { ...GOOD, ...change }), ...judgePreflight('agent', { ...GOOD, ...change })].find(result => result.check === check)

t.test('where all is well, all is green', async t => {
  for (const end of PREFLIGHT_ENDS) {
    const results = judgePreflight(end, GOOD)
    t.same(results.map(({ check }) => check), CHECKS_OF[end].filter(check => check !== 'relay'))
    t.ok(results.every(({ colour, advice }) => colour === 'green' && advice === 'fine'), end)
    t.same(PreflightResults.parse(results), results)
  }
})

t.test('what was not measured is unknown, never green', async t => {
  for (const end of PREFLIGHT_ENDS) t.ok(judgePreflight(end, NOTHING_MEASURED).every(({ colour }) => colour === 'unknown'), end)
  t.equal(find('clock', { clockOffsetMillis: NaN })?.colour, 'unknown')
  t.equal(find('down', { down: { offeredBitsPerSecond: 0, arrivedBitsPerSecond: 0 } })?.colour, 'unknown')
  t.match(find('stage', { stage: 'none' }), { colour: 'unknown', advice: 'noStage' })
})

const CASES: readonly (readonly [PreflightCheck, Partial<PreflightMeasurement>, 'amber' | 'red', (typeof PREFLIGHT_ADVICE)[number]])[] = [
  ['udp', { udp: false }, 'amber', 'udpBlocked'],
  ['udp', { udp: false, tcp: false, relay: false }, 'red', 'noWay'],
  ['udp', { udp: false, tcp: false, relay: true }, 'amber', 'udpBlocked'],
  ['tcp', { tcp: false }, 'amber', 'tcpBlocked'],
  ['relay', { relay: false }, 'amber', 'relayFails'],
  ['loss', { lossRatio: 0.01 }, 'amber', 'lossy'],
  ['loss', { lossRatio: 0.03 }, 'red', 'lossy'],
  ['down', { down: load(25e6) }, 'amber', 'narrowDown'],
  ['up', { up: load(10e6) }, 'red', 'narrowUp'],
  ['roundTrip', { roundTripMillis: 200 }, 'amber', 'far'],
  ['decoder', { decoder: { framesPerSecond: 200, wanted: 300 } }, 'amber', 'slowDecoder'],
  ['decoder', { decoder: 'none' }, 'red', 'noDecoder'],
  ['scaling', { devicePixelRatio: 1.5 }, 'amber', 'scaled'],
  ['colour', { colour: { bits: 16, coversSrgb: true } }, 'red', 'lowColour'],
  ['colour', { colour: { bits: 24, coversSrgb: false } }, 'amber', 'narrowGamut'],
  ['microphone', { microphone: 'none' }, 'red', 'noMicrophone'],
  ['microphone', { microphone: 'denied' }, 'red', 'microphoneDenied'],
  ['microphone', { microphone: 'silent' }, 'amber', 'microphoneSilent'],
  ['stage', { stage: 'silent' }, 'red', 'stageSilent'],
  ['nodeDisk', { nodeDiskFreeBytes: 1e9 }, 'red', 'nodeDiskFull'],
  ['ownDisk', { ownDiskFreeBytes: 20e9 }, 'amber', 'ownDiskFull'],
  ['clock', { clockOffsetMillis: -30_000 }, 'red', 'clockOff'],
]

for (const [check, change, colour, advice] of CASES) {
  t.test(`${check}: ${JSON.stringify(change)} is ${colour}`, async t => {
    t.match(find(check, change), { colour, advice })
  })
}

t.test('every advice has a situation', async t => {
  t.same(new Set(['fine', 'notMade', 'noStage', ...CASES.map(([, , , advice]) => advice)]), new Set(PREFLIGHT_ADVICE))
})

t.test('the worst colour stands for all, and unknown is worse than green', async t => {
  t.equal(worstColour([{ colour: 'green' }, { colour: 'unknown' }]), 'unknown')
  t.equal(worstColour([{ colour: 'red' }, { colour: 'amber' }, { colour: 'unknown' }]), 'red')
  t.equal(worstColour([]), 'unknown')
})
