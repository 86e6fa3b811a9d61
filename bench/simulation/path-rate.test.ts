import { t } from 'tap'
import { PathRate } from '../../relay/links/paths/path-rate.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { burstLoss } from '../lines/packet-loss.ts'
import { DirectionProfile } from '../lines/profiles.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { quantile } from '../statistics.ts'
import { BbrFlow } from './bbr-flow.ts'
import { Bottleneck } from './bottleneck.ts'
import { CubicFlow } from './cubic-flow.ts'
import { RateFlow } from './rate-flow.ts'
import { VirtualTime } from './virtual-time.ts'
import type { Bytes, Millis } from '../../relay/wire/units.ts'
import type { RateFlowOptions } from './rate-flow.ts'

interface Line {
  readonly mbps: number
  readonly rtt: number
  readonly jitter?: number
  readonly loss?: number
  /** Mean length of bursts, in packets; without it each packet is lost by itself. */
  readonly burst?: number
  /** In milliseconds at the line's rate. */
  readonly queue?: number
}

function there({ mbps, rtt, jitter = 0, loss = 0, burst, queue = 100 }: Line): DirectionProfile {
  return DirectionProfile.parse({
    rateBitsPerSecond: mbps * 1e6,
    delayMillis: rtt / 2,
    jitterMillis: jitter,
    loss: burst === undefined ? { model: 'uniform', ratio: loss } : burstLoss({ meanRatio: loss, meanBurstPackets: burst }),
    queue: { millis: queue },
  })
}

interface Network {
  readonly time: VirtualTime
  readonly bottleneck: Bottleneck
  /** Adds a flow of ours; its rate is a guess unless it says otherwise. */
  readonly flow: (options?: Partial<RateFlowOptions>) => RateFlow
}

function network(line: Line, seed = 1): Network {
  const time = new VirtualTime()
  const random = seededRandom(seed * 7919)
  const up = there(line)
  const bottleneck = new Bottleneck(time, { up, down: DirectionProfile.parse({ ...up, rateBitsPerSecond: undefined }) }, random)
  const control = (): PathRate => new PathRate({ initial: bitsPerSecond(20e6), isKnown: false })
  return { time, bottleneck, flow: options => new RateFlow(time, bottleneck, { control: control(), hasBulk: true, ...options }) }
}

/** Megabits per second that each flow delivers, and what queue it stands in, between two instants in seconds. */
function observe({ time, bottleneck }: Network, flows: readonly { readonly deliveredBytes: Bytes }[], from: number, to: number): { rates: number[]; queue: (share: number) => number } {
  time.run(millis(from * 1000))
  const before = flows.map(flow => flow.deliveredBytes)
  const queues: number[] = []
  for (let at = from * 1000; at <= to * 1000; at += 5) {
    time.run(millis(at))
    queues.push(bottleneck.queueingDelay)
  }
  const rates = flows.map((flow, index) => ((flow.deliveredBytes - (before[index] ?? 0)) * 8) / (to - from) / 1e6)
  return { rates, queue: share => quantile(queues, share) }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, value) => total + value, 0)

t.test('fills lines of 5 to 200 Mbit/s and round trips of 5 to 150 ms with a queue of milliseconds', async t => {
  for (const mbps of [5, 20, 100, 200]) {
    for (const rtt of [5, 40, 150]) {
      const net = network({ mbps, rtt })
      const { rates, queue } = observe(net, [net.flow()], 6, 12)
      t.ok(sum(rates) >= 0.97 * mbps, `${mbps} Mbit/s, ${rtt} ms: ${sum(rates)}`)
      // The packet that is being sent takes 2 ms at 5 Mbit/s.
      const most = mbps < 20 ? 18 : 10
      t.ok(queue(0.95) <= most, `${mbps} Mbit/s, ${rtt} ms: queue ${queue(0.95)}`)
    }
  }
})

t.test('fills a line that loses up to a twentieth, also in bursts, with no longer a queue', async t => {
  for (const loss of [0.01, 0.03, 0.05]) {
    for (const burst of [undefined, 4]) {
      for (let seed = 1; seed <= 3; seed++) {
        const net = network({ mbps: 50, rtt: 40, loss, ...(burst === undefined ? {} : { burst }) }, seed)
        const { rates, queue } = observe(net, [net.flow()], 5, 12)
        t.ok(sum(rates) >= 0.95 * 50 * (1 - loss), `${loss} by ${burst ?? 1}: ${sum(rates)}`)
        t.ok(queue(0.95) <= 12, `${loss} by ${burst ?? 1}: queue ${queue(0.95)}`)
      }
    }
  }
})

t.test('fills a line whose delay wanders by 8 ms either way', async t => {
  for (let seed = 1; seed <= 4; seed++) {
    const net = network({ mbps: 100, rtt: 40, jitter: 8, ...(seed % 2 === 0 ? { loss: 0.03, burst: 4 } : {}) }, seed)
    const { rates, queue } = observe(net, [net.flow()], 5, 13)
    t.ok(sum(rates) >= 0.95 * 100 * (seed % 2 === 0 ? 0.97 : 1), `${sum(rates)}`)
    t.ok(queue(0.5) <= 8, `queue ${queue(0.5)}`)
  }
})

t.test('does not throttle 80 Mbit/s of live on 120 Mbit/s for delays that wander and loss in bursts', async t => {
  for (let seed = 1; seed <= 4; seed++) {
    const net = network({ mbps: 120, rtt: 40, jitter: 8, loss: 0.05, burst: 4 }, seed)
    const isKnown = seed % 2 === 0
    const control = new PathRate({ initial: bitsPerSecond(isKnown ? 120e6 : 60e6), isKnown })
    net.flow({ control, liveBitsPerSecond: 80e6, hasBulk: false })
    let least = Infinity
    for (let at = 3000; at <= 12_000; at += 20) {
      net.time.run(millis(at))
      least = Math.min(least, control.pace)
    }
    t.ok(least > 84e6, `${isKnown ? 'known' : 'guessed'}: ${least}`)
  }
})

t.test('lets live through within 10 ms of queue while bulk fills the path', async t => {
  const net = network({ mbps: 100, rtt: 40 })
  const control = new PathRate({ initial: bitsPerSecond(100e6), isKnown: true })
  const flow = net.flow({ control, liveBitsPerSecond: 60e6 })
  const { rates } = observe(net, [flow], 2, 10)
  t.ok(sum(rates) >= 98, `${sum(rates)}`)
  const added = quantile(flow.liveDelays, 0.95) - 20
  t.ok(added <= 8, `added ${added}`)
})

t.test('falls about two round trips after the line does, drains, and finds the way up again', async t => {
  for (const rtt of [20, 40, 100]) {
    const net = network({ mbps: 100, rtt })
    const flow = net.flow()
    const until = (isTrue: () => boolean, from: number): number => {
      for (let at = from; at < from + 8000; at += 10) {
        net.time.run(millis(at))
        if (isTrue()) return at - from
      }
      return Infinity
    }
    net.time.run(millis(8000))
    net.bottleneck.change(there({ mbps: 30, rtt }))
    const fell = until(() => flow.control.pace < 33e6, 8000)
    const drained = until(() => net.bottleneck.queueingDelay < 10, 8000 + fell) + fell
    net.time.run(millis(17_000))
    net.bottleneck.change(there({ mbps: 100, rtt }))
    const rose = until(() => flow.control.pace > 85e6, 17_000)
    t.ok(fell <= 2 * rtt + 60, `${rtt} ms: fell in ${fell}`)
    t.ok(drained <= 4 * rtt + 200, `${rtt} ms: drained in ${drained}`)
    t.ok(rose <= 2400, `${rtt} ms: rose in ${rose}`)
  }
})

t.test('shares with others of its kind, late-comers too', async t => {
  for (const [count, mbps, rtt] of [[2, 100, 40], [2, 20, 40], [3, 60, 20], [4, 100, 30]] as const) {
    const net = network({ mbps, rtt })
    const flows = Array.from({ length: count }, (_, index) => net.flow({ startAt: millis(3000 * index), clockOffset: millis(1000 * index) }))
    const { rates, queue } = observe(net, flows, 28, 38)
    t.ok(Math.max(...rates) / Math.min(...rates) <= 1.6, `${count} on ${mbps} Mbit/s: ${rates.join(', ')}`)
    t.ok(sum(rates) >= 0.96 * mbps, `${sum(rates)}`)
    t.ok(queue(0.95) <= 14, `queue ${queue(0.95)}`)
  }
})

t.test('neither starves beside CUBIC and BBR nor starves them', async t => {
  const kinds = { cubic: CubicFlow, bbr: BbrFlow }
  const lines: readonly Line[] = [{ mbps: 30, rtt: 40 }, { mbps: 60, rtt: 20, queue: 60 }]
  for (const [name, Competitor] of Object.entries(kinds)) {
    for (const line of lines) {
      for (const isLate of [true, false]) {
        const net = network(line)
        const start = (late: boolean): { startAt: Millis } => ({ startAt: millis(late ? 4000 : 0) })
        const flows = [net.flow(start(isLate)), new Competitor(net.time, net.bottleneck, start(!isLate))]
        const { rates } = observe(net, flows, 15, 35)
        const share = (rates[0] ?? 0) / sum(rates)
        t.ok(share >= 0.05 && share <= 0.9, `${name} on ${line.mbps} Mbit/s, ${isLate ? 'late' : 'first'}: ${share}`)
      }
    }
  }
})

t.test('fills any of many networks', async t => {
  const random = seededRandom(4711)
  const used: number[] = []
  for (let seed = 1; seed <= 40; seed++) {
    const line = {
      mbps: 5 * 30 ** random(),
      rtt: 10 * 12 ** random(),
      jitter: random() < 0.5 ? 0 : 5 * random(),
      loss: random() < 0.5 ? 0 : 0.05 * random(),
      queue: 20 * 10 ** random(),
    }
    const net = network(line, seed)
    const { rates } = observe(net, [net.flow()], 6, 12)
    used.push(sum(rates) / line.mbps / (1 - line.loss))
  }
  t.ok(Math.min(...used) >= 0.95, `worst ${Math.min(...used)}`)
  t.ok(quantile(used, 0.1) >= 0.98, `tenth ${quantile(used, 0.1)}`)
})

t.test('one seed makes one run', async t => {
  const run = (): number[] => {
    const net = network({ mbps: 30, rtt: 40, jitter: 4, loss: 0.03 }, 9)
    return observe(net, [net.flow()], 0, 4).rates
  }
  t.same(run(), run())
})
