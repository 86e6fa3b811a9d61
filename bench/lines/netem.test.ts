import { t } from 'tap'
import { netemArguments } from './netem-arguments.ts'
import { parseNetemStatistics } from './netem-emulator.ts'
import { DirectionProfile } from './profiles.ts'

const words = (profile: Parameters<typeof DirectionProfile.parse>[0]): string => netemArguments(DirectionProfile.parse(profile)).join(' ')

t.test('an ideal line has nothing but room', async t => {
  t.equal(words({}), 'netem limit 100000')
})

t.test('counts a rate in IP packets, and room for what waits and what is on its way', async t => {
  t.equal(words({ rateBitsPerSecond: 12e6, delayMillis: 20, queue: { millis: 100 } }), 'netem limit 120 delay 20000us rate 12000000bit -14')
  t.equal(words({ rateBitsPerSecond: 12e6, queue: { bytes: 15_000 } }), 'netem limit 10 rate 12000000bit -14')
})

t.test('gives jitter in microseconds and loss in percent', async t => {
  t.equal(words({ delayMillis: 12.5, jitterMillis: 0.25, loss: { model: 'uniform', ratio: 0.001 } }), 'netem limit 100000 delay 12500us 250us loss random 0.1%')
  t.equal(
    words({ loss: { model: 'gilbert-elliott', p: 0.005, r: 0.25, lossInBad: 0.5, lossInGood: 0 } }),
    'netem limit 100000 loss gemodel 0.5% 25% 50% 0%',
  )
})

t.test('reads what tc says of it', async t => {
  const json = '[{"kind":"netem","handle":"8001:","root":true,"options":{"limit":1000},"bytes":11400,"packets":100,"drops":7,"overlimits":0,"requeues":0,"backlog":0,"qlen":0}]'
  t.match(parseNetemStatistics(json), { packets: 107, delivered: 100, lost: 7, deliveredBytes: 10_000 })
  t.throws(() => parseNetemStatistics('[{"kind":"noqueue","bytes":0,"packets":0,"drops":0}]'), { code: 'unavailable' })
  t.throws(() => parseNetemStatistics('[]'), { code: 'unavailable' })
})
