import { t } from 'tap'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { seededRandom } from '../../bench/scenarios/viewport-renditions.ts'
import { LinkSimulation } from '../../bench/simulation/link-simulation.ts'
import { LinkName } from '../wire/link.ts'
import { millis } from '../wire/units.ts'
import { completeContract } from './link-classes.ts'

const contract = completeContract({ name: LinkName.parse('test'), class: 'best-effort' })
const SECOND = 1000
const HOUR = 3600 * SECOND
const RECOVERY = 2 * SECOND
/** Live packets per second: 8 Mbit/s each way. */
const RATE = 1000

/** A link whose ends send live packets and control messages both ways all the time. */
function busyLink(lossRatio: number) {
  const simulation = new LinkSimulation({ contract, lines: [symmetricLine({ roundTripMillis: 40, rateBitsPerSecond: 50e6, lossRatio })], random: seededRandom(5) })
  simulation.run(millis(500))
  const ways = [[simulation.initiator, simulation.responder], [simulation.responder, simulation.initiator]] as const
  const flows = ways.map(([from, to]) => {
    const flow = { sent: 0, late: 0, arrived: 0, control: [] as number[], slowestControl: 0 }
    const sentAt: number[] = []
    const controlAt: number[] = []
    to.hooks = {
      ...to.hooks,
      live: (_flow, payload) => {
        flow.arrived++
        if (simulation.time.now - sentAt[payload.readUInt32BE(0)]! > 200) flow.late++
      },
      message: (_id, body) => {
        const index = body.readUInt32BE(0)
        flow.control.push(index)
        flow.slowestControl = Math.max(flow.slowestControl, simulation.time.now - controlAt[index]!)
      },
    }
    const tick = (): void => {
      const payload = Buffer.alloc(1000)
      payload.writeUInt32BE(flow.sent++, 0)
      sentAt.push(simulation.time.now)
      from.sendLive(0, payload)
      if (flow.sent % 20 === 0) {
        const body = Buffer.alloc(8)
        body.writeUInt32BE(controlAt.length, 0)
        controlAt.push(simulation.time.now)
        from.endpoint.sendMessage('control', body, from.now)
      }
      simulation.time.after(millis(1000 / RATE), tick)
    }
    tick()
    return Object.assign(flow, { controlSent: controlAt })
  })
  simulation.run(millis(2 * SECOND))
  return { simulation, flows }
}

for (const [name, jump] of [['10 s ahead', 10 * SECOND], ['an hour ahead', HOUR], ['an hour back', -HOUR], ['10 s back', -10 * SECOND], ['50 days ahead', 50 * 24 * HOUR]] as const) {
  for (const lossRatio of [0, 0.03]) {
    t.test(`a clock that jumps ${name} is got over within 2 s, at ${lossRatio * 100} % loss`, async t => {
      for (const end of ['initiator', 'responder'] as const) {
        const { simulation, flows } = busyLink(lossRatio)
        simulation[end].jump(millis(jump))
        simulation.run(millis(RECOVERY))
        t.ok(simulation.initiator.endpoint.isUp && simulation.responder.endpoint.isUp, 'both ends take it for up')
        const before = flows.map(({ sent, arrived, late }) => ({ sent, arrived, late }))
        simulation.run(millis(3 * SECOND))
        flows.forEach((flow, index) => {
          const { sent, arrived, late } = before[index]!
          const ratio = (flow.arrived - arrived) / (flow.sent - sent)
          const from = index === 0 ? 'initiator' : 'responder'
          t.ok(ratio > 0.98, `of the ${from}'s live packets ${(100 * ratio).toFixed(1)} % arrive after ${end} jumped`)
          t.ok(flow.late - late < 30, `${flow.late - late} late`)
          t.same(flow.control, flow.control.map((_control, at) => at), 'control in order, none left out')
          t.ok(flow.control.length >= flow.controlSent.length - 60 / 20 - 10, `${flow.control.length} of ${flow.controlSent.length} control messages`)
          t.ok(flow.slowestControl < RECOVERY, `the slowest control message took ${flow.slowestControl} ms`)
        })
        const { roundTrip } = simulation[end].endpoint
        t.ok(roundTrip > 38 && roundTrip < 80, `round trip ${roundTrip} ms`)
        const offset = simulation.initiator.endpoint.clockOffset
        t.ok(Math.abs(offset! - (simulation.responder.now - simulation.initiator.now)) < 30, `clock offset ${offset}`)
      }
    })
  }
}
