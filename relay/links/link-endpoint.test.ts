import { t } from 'tap'
import { seededRandom } from '../../bench/scenarios/viewport-renditions.ts'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { LinkSimulation } from '../../bench/simulation/link-simulation.ts'
import { LinkName, PathName } from '../wire/link.ts'
import { millis } from '../wire/units.ts'
import { completeContract } from './link-classes.ts'
import type { SymmetricLineOptions } from '../../bench/lines/profiles.ts'
import type { LinkContractInput } from './link-classes.ts'

const contract = (input: Partial<LinkContractInput> = {}, paths = 1) =>
  completeContract({ name: LinkName.parse('test'), class: 'best-effort', paths: Array.from({ length: paths }, (_, index) => ({ name: PathName.parse(`path-${index}`) })), ...input })

function simulate(lines: readonly SymmetricLineOptions[], input: Partial<LinkContractInput> = {}, seed = 1): LinkSimulation {
  return new LinkSimulation({ contract: contract(input, lines.length), lines: lines.map(symmetricLine), random: seededRandom(seed) })
}

/** Sends `perSecond` packets of 1200 bytes in clumps of 2 ms on four flows, for so long. */
function playLive(simulation: LinkSimulation, perSecond: number, duration: number) {
  const sentAt: number[] = []
  const delays: number[] = []
  const order = new Map<number, number>()
  let disorders = 0
  simulation.responder.hooks = {
    ...simulation.responder.hooks,
    live: (flow, payload) => {
      const index = payload.readUInt32BE(0)
      if (index <= (order.get(flow) ?? -1)) disorders++
      order.set(flow, index)
      delays.push(simulation.time.now - sentAt[index]!)
    },
  }
  const perClump = perSecond / 500
  let owed = 0
  const end = simulation.time.now + duration
  const clump = (): void => {
    for (owed += perClump; owed >= 1; owed--) {
      const payload = Buffer.alloc(1200)
      payload.writeUInt32BE(sentAt.length, 0)
      sentAt.push(simulation.time.now)
      simulation.initiator.sendLive(sentAt.length % 4, payload)
    }
    if (simulation.time.now < end) simulation.time.after(millis(2), clump)
  }
  clump()
  simulation.run(millis(duration + 1000))
  const sorted = [...delays].sort((a, b) => a - b)
  const quantile = (q: number): number => sorted[Math.floor(q * (sorted.length - 1))] ?? NaN
  return { sent: sentAt.length, arrived: delays.length, disorders, p50: quantile(0.5), p99: quantile(0.99), longest: quantile(1) }
}

t.test('live packets cross a clean line at once, whole and in order', async t => {
  const simulation = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 50e6 }])
  simulation.run(millis(300))
  t.ok(simulation.initiator.endpoint.isUp)
  const played = playLive(simulation, 1000, 3000)
  t.comment(JSON.stringify(played))
  t.equal(played.arrived, played.sent)
  t.equal(played.disorders, 0)
  t.ok(played.p50 < 22)
})

t.test('a lossy line loses nothing within four round trips', async t => {
  const simulation = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 50e6, lossRatio: 0.05 }])
  simulation.run(millis(300))
  const played = playLive(simulation, 1000, 5000)
  t.comment(JSON.stringify(played))
  t.ok(played.arrived >= played.sent - 1)
  t.ok(played.longest <= 165, 'within the budget')
  const { totals } = simulation.initiator.endpoint.snapshot(simulation.initiator.now).classes[0]!
  t.comment(JSON.stringify(totals))
})

t.test('messages of every class arrive whole on a bad line, and their sender hears of it', async t => {
  const simulation = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 20e6, lossRatio: 0.05 }])
  simulation.run(millis(300))
  const got: string[] = []
  const arrived: string[] = []
  simulation.responder.hooks = { ...simulation.responder.hooks, message: (id, body) => got.push(`${id} ${body.length} ${body[body.length - 1]}`) }
  simulation.initiator.hooks = { ...simulation.initiator.hooks, arrived: (id, ticket) => arrived.push(`${id} ${ticket}`) }
  const { endpoint } = simulation.initiator
  for (const [id, length] of [['control', 50], ['control', 5000], ['tiles', 40_000], ['bulk', 600_000]] as const) {
    t.ok(endpoint.sendMessage(id, Buffer.alloc(length, 7), simulation.initiator.now))
  }
  simulation.run(millis(3000))
  t.same(got.sort(), ['bulk 600000 7', 'control 50 7', 'control 5000 7', 'tiles 40000 7'])
  t.same(arrived.sort(), ['bulk 1', 'control 1', 'control 2', 'tiles 1'])
})
