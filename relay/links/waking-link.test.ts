import { t } from 'tap'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { seededRandom } from '../../bench/scenarios/viewport-renditions.ts'
import { LinkSimulation } from '../../bench/simulation/link-simulation.ts'
import { LinkName, PathName } from '../wire/link.ts'
import { bitsPerSecond, millis } from '../wire/units.ts'
import { completeContract } from './link-classes.ts'

t.test('live and bulk that begin at once after a silence, faster than the line, do not take the silence for what it carries', async t => {
  for (const silence of [300, 900, 1500, 2900]) {
    const contract = completeContract({ name: LinkName.parse('test'), class: 'best-effort', paths: [{ name: PathName.parse('only') }] })
    const lines = [symmetricLine({ roundTripMillis: 40, rateBitsPerSecond: 100e6, jitterMillis: 3 })]
    const simulation = new LinkSimulation({ contract, lines, random: seededRandom(3), initial: bitsPerSecond(150e6) })
    const { endpoint } = simulation.initiator
    const body = Buffer.alloc(256 * 1024)
    let least = Infinity
    let sent = 0
    let arrived = 0
    simulation.responder.hooks = { ...simulation.responder.hooks, live: () => arrived++ }
    const play = (duration: number, hasBulk: boolean): void => {
      for (let time = 0; time < duration; time++) {
        // 20 Mbit/s in frames of 33 ms, sent over a part of it.
        for (let packet = 0; time % 33 < 11 && packet < 7; packet++, sent++) simulation.initiator.sendLive(0, Buffer.alloc(1100))
        while (hasBulk && endpoint.hasRoom('bulk')) endpoint.sendMessage('bulk', body, simulation.time.now)
        simulation.run(millis(1))
        least = Math.min(least, endpoint.paths[0]?.out.capacity ?? 0)
      }
    }
    simulation.run(millis(500))
    play(1500, false)
    simulation.run(millis(silence))
    play(1000, true)
    simulation.run(millis(3000))
    t.ok(least > 50e6, `${silence} ms: ${(least / 1e6).toFixed(1)} Mbit/s`)
    t.equal(arrived, sent, `${silence} ms`)
  }
})
