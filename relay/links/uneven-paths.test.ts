import { t } from 'tap'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { seededRandom } from '../../bench/scenarios/viewport-renditions.ts'
import { LinkSimulation } from '../../bench/simulation/link-simulation.ts'
import { LinkName, PathName } from '../wire/link.ts'
import { millis } from '../wire/units.ts'
import { completeContract } from './link-classes.ts'
import type { SymmetricLineOptions } from '../../bench/lines/profiles.ts'
import type { LinkContractInput } from './link-classes.ts'

function simulate(lines: readonly SymmetricLineOptions[], traffic: LinkContractInput['traffic'] = {}): LinkSimulation {
  const paths = lines.map(({ rateBitsPerSecond }, index) => ({ name: PathName.parse(`path-${index}`), ...(rateBitsPerSecond === undefined ? {} : { rateBitsPerSecond }) }))
  const contract = completeContract({ name: LinkName.parse('test'), class: 'best-effort', paths, traffic })
  return new LinkSimulation({ contract, lines: lines.map(symmetricLine), random: seededRandom(11) })
}

/** Sends live packets of 1000 bytes on two flows every 2 ms for so long. @returns How many were sent, and when each arrived. */
function play(simulation: LinkSimulation, duration: number, at: (time: number) => void = () => undefined) {
  const arrivals: number[] = []
  simulation.responder.hooks = { ...simulation.responder.hooks, live: () => arrivals.push(simulation.time.now) }
  simulation.run(millis(700))
  let sent = 0
  for (let time = 0; time < duration; time += 2) {
    at(time)
    simulation.initiator.sendLive(sent++ % 2, Buffer.alloc(1000))
    simulation.run(millis(2))
  }
  simulation.run(millis(1200))
  return { sent, arrivals }
}

const cut = (simulation: LinkSimulation, path: number, isCut: boolean): void => {
  const lines = simulation.directions[path]
  if (lines !== undefined) lines.up.isCut = lines.down.isCut = isCut
}

t.test('the slower of two paths, preferred by the contract, loses nothing for being slower', async t => {
  for (const policy of ['failover', 'single', 'bond', 'hitless'] as const) {
    const simulation = simulate([{ roundTripMillis: 220, rateBitsPerSecond: 20e6 }, { roundTripMillis: 8, rateBitsPerSecond: 20e6 }], { live: { policy } })
    const { sent, arrivals } = play(simulation, 1500)
    t.equal(arrivals.length, sent, policy)
    t.equal(simulation.initiator.endpoint.live.out.counts.retransmittedPackets, 0, `${policy}: nothing is asked for that is on its way`)
  }
})

t.test('what is lost on the quicker of two paths is repaired by it, whatever the other one takes', async t => {
  const simulation = simulate([{ roundTripMillis: 12, rateBitsPerSecond: 20e6, lossRatio: 0.05 }, { roundTripMillis: 200, rateBitsPerSecond: 20e6 }], { live: { policy: 'failover' } })
  simulation.run(millis(700))
  let arrived = 0
  simulation.responder.hooks = { ...simulation.responder.hooks, live: () => arrived++ }
  // So few that the tail of each is there before the next.
  for (let sent = 0; sent < 200; sent++) {
    simulation.initiator.sendLive(0, Buffer.alloc(500))
    simulation.run(millis(20))
  }
  simulation.run(millis(500))
  t.ok(arrived >= 199, `${arrived} of 200`)
})

t.test('what was on the way over a path that is gone is sent again over the other one, unasked', async t => {
  const simulation = simulate([{ roundTripMillis: 10, rateBitsPerSecond: 20e6 }, { roundTripMillis: 160, rateBitsPerSecond: 20e6 }], { live: { policy: 'failover', deadlineMillis: 400 } })
  const { sent, arrivals } = play(simulation, 2000, time => {
    if (time === 500) cut(simulation, 0, true)
  })
  const longest = Math.max(...arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? 0)))
  t.ok(longest < 300 + 160, `silent for ${longest}`)
  t.equal(arrivals.length, sent)
})

t.test('of what travels on both paths, none is lost with the quicker one', async t => {
  const simulation = simulate([{ roundTripMillis: 8, rateBitsPerSecond: 20e6 }, { roundTripMillis: 260, rateBitsPerSecond: 20e6 }], { live: { policy: 'hitless' } })
  const { sent, arrivals } = play(simulation, 2500, time => {
    if (time === 500 || time === 1600) cut(simulation, 0, time === 500)
  })
  t.equal(arrivals.length, sent)
})

t.test('a path too narrow for a copy of everything gets what it can carry in time, and no backlog', async t => {
  const simulation = simulate([{ roundTripMillis: 10, rateBitsPerSecond: 20e6 }, { roundTripMillis: 10, rateBitsPerSecond: 1e6 }], { live: { policy: 'hitless', deadlineMillis: 120 } })
  const sentAt = new Map<number, number>()
  let latest = 0
  simulation.initiator.hooks = {
    ...simulation.initiator.hooks,
    sent: (_path, plaintext) => {
      if (plaintext[4] !== 1 || plaintext[5] !== 0) return
      const sequence = plaintext.readUInt32BE(7)
      const first = sentAt.get(sequence) ?? simulation.time.now
      sentAt.set(sequence, first)
      latest = Math.max(latest, simulation.time.now - first)
    },
  }
  const { sent, arrivals } = play(simulation, 2000)
  t.equal(arrivals.length, sent)
  t.ok(latest <= 120, `a copy left after ${latest} ms`)
})

t.test('messages pass whatever each path carries, and whatever deadline a contract gives them', async t => {
  const simulation = simulate([{ roundTripMillis: 20, rateBitsPerSecond: 20e6, lossRatio: 0.05 }, { roundTripMillis: 90, rateBitsPerSecond: 20e6, lossRatio: 0.05 }], { bulk: { policy: 'failover', deadlineMillis: 50 }, control: { deadlineMillis: 10 } })
  const [first] = simulation.directions
  if (first !== undefined) first.up.mtu = first.down.mtu = 1352
  let arrived = 0
  simulation.responder.hooks = { ...simulation.responder.hooks, message: () => arrived++ }
  simulation.run(millis(4000))
  const { endpoint } = simulation.initiator
  let sent = 0
  for (let round = 0; round < 40; round++) {
    cut(simulation, 0, round % 20 >= 10)
    if (endpoint.sendMessage('bulk', Buffer.alloc(30_000), simulation.initiator.now) !== undefined) sent++
    if (endpoint.sendMessage('control', Buffer.alloc(100), simulation.initiator.now) !== undefined) sent++
    simulation.run(millis(50))
  }
  simulation.run(millis(4000))
  t.equal(arrived, sent)
})

t.test('a sender hears of what arrived, even if the last word of it was lost', async t => {
  const simulation = simulate([{ roundTripMillis: 20, rateBitsPerSecond: 20e6 }])
  simulation.run(millis(500))
  let told = 0
  simulation.initiator.hooks = { ...simulation.initiator.hooks, arrived: () => told++ }
  simulation.initiator.endpoint.sendMessage('bulk', Buffer.alloc(5000), simulation.initiator.now)
  simulation.run(millis(12))
  const [only] = simulation.directions
  if (only !== undefined) only.down.isCut = true
  simulation.run(millis(120))
  if (only !== undefined) only.down.isCut = false
  simulation.run(millis(1200))
  t.equal(told, 1)
})
