import { t } from 'tap'
import { bytes, millis } from '../../wire/units.ts'
import { BlackHole } from './black-hole.ts'

const MTU = bytes(1500)
const ROUND_TRIP = millis(40)

interface Traffic {
  readonly size?: (packet: number) => number
  /** Whether a datagram passes; so do probes whose size is 60. */
  readonly passes: (size: number, now: number) => boolean
  readonly isSending?: (now: number) => boolean
  readonly mtu?: typeof MTU
}

/** One datagram a millisecond and a probe every 25, for five seconds. @returns When the hole was noticed. */
function play({ size = () => 1290, passes, isSending = () => true, mtu = MTU }: Traffic): number[] {
  const hole = new BlackHole()
  const noticed: number[] = []
  const onTheWay: { at: number; size: number }[] = []
  for (let now = 0; now < 5000; now++) {
    for (let first = onTheWay[0]; first !== undefined && first.at <= now; first = onTheWay[0]) {
      onTheWay.shift()
      if (first.size === 60) hole.answered(millis(now))
      else hole.acknowledged(first.size)
    }
    if (now % 25 === 0 && passes(60, now)) onTheWay.push({ at: now + ROUND_TRIP, size: 60 })
    if (!isSending(now)) continue
    const one = size(now)
    if (hole.sent(one, mtu, ROUND_TRIP, millis(now))) noticed.push(now)
    if (passes(one, now)) onTheWay.push({ at: now + ROUND_TRIP, size: one })
  }
  return noticed
}

t.test('datagrams that pass are no hole', async t => {
  t.same(play({ passes: () => true }), [])
})

t.test('large ones that vanish while probes are answered are, half a second later', async t => {
  const [first] = play({ passes: (size, now) => now < 1000 || size < 1250 })
  t.ok(first !== undefined && first > 1250 && first < 1500, `${first}`)
})

t.test('that some pass which are just small enough hides nothing', async t => {
  const [first] = play({ size: packet => (packet % 3 === 0 ? 1240 : 1290), passes: (size, now) => now < 1000 || size < 1250 })
  t.ok(first !== undefined && first < 1600, `${first}`)
})

t.test('an outage is none, nor what was lost at the end of a burst', async t => {
  t.same(play({ passes: (_size, now) => now % 1000 < 600 }), [])
  t.same(play({ passes: size => size === 60, isSending: now => now % 1000 < 50 }), [])
})

t.test('heavy loss is none', async t => {
  let seed = 1
  const random = (): number => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff
  t.same(play({ passes: () => random() > 0.6 }), [])
})

t.test('what is larger than the path is taken to carry proves nothing, and neither does what every path carries', async t => {
  t.same(play({ passes: size => size === 60, mtu: bytes(1280) }), [])
  t.same(play({ size: () => 1200, passes: size => size === 60 }), [])
})
