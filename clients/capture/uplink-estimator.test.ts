import t from 'tap'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { UplinkEstimator } from './uplink-estimator.ts'
import type { PacketArrival } from './uplink-estimator.ts'

const PACKET_BYTES = 1200
const DELAY = 20
/** The receiver's clock is another one. */
const CLOCK_OFFSET = 1_000_000

interface Line {
  /** Bits per second. */
  capacity: number
  loss?: number
  isSilent?: boolean
}

/** A line with a queue of 100 ms, driven by a sender that sends what it is told, but no more than `asked`. */
class Simulation {
  readonly estimator: UplinkEstimator
  now = 0
  line: Line
  /** Of a queue that others make, in milliseconds. */
  extraDelay = 0
  #sequenceNumber = 65_000
  #freeAt = 0
  #pending: PacketArrival[] = []
  #random = 1

  constructor(initial: number, line: Line) {
    this.estimator = new UplinkEstimator({ initial: bitsPerSecond(initial) })
    this.line = line
  }

  run(seconds: number, asked: number): number[] {
    const budgets: number[] = []
    let credit = 0
    for (const end = this.now + seconds * 1000; this.now < end; this.now++) {
      credit += Math.min(asked, this.estimator.bitsPerSecond) / 8 / 1000
      for (; credit >= PACKET_BYTES; credit -= PACKET_BYTES) this.#send()
      if (this.now % 100 !== 0) continue
      const arrived = this.#pending.filter(({ arrivedAt }) => arrivedAt === undefined || arrivedAt - CLOCK_OFFSET <= this.now)
      this.#pending = this.#pending.filter(packet => !arrived.includes(packet))
      if (!(this.line.isSilent ?? false)) this.estimator.feedback(arrived, millis(this.now))
      budgets.push(this.estimator.step(millis(this.now)))
    }
    return budgets
  }

  #send(): void {
    const sequenceNumber = (this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff)
    this.estimator.sent(sequenceNumber, PACKET_BYTES, millis(this.now))
    this.#random = (this.#random * 48_271) % 0x7fff_ffff
    const isLost = this.#random / 0x7fff_ffff < (this.line.loss ?? 0) || this.#freeAt - this.now > 100
    if (!isLost) this.#freeAt = Math.max(this.now, this.#freeAt) + (PACKET_BYTES * 8 * 1000) / this.line.capacity
    this.#pending.push({ sequenceNumber, arrivedAt: isLost ? undefined : millis(this.#freeAt + DELAY + this.extraDelay + CLOCK_OFFSET) })
  }
}

t.test('stays where it is on a line that is wide enough, used or not', async t => {
  const simulation = new Simulation(100e6, { capacity: 1e9 })
  simulation.run(20, 20e6)
  t.equal(simulation.estimator.bitsPerSecond, 100e6)
  t.notOk(simulation.estimator.isLimited)
})

t.test('finds what a narrow line carries within two seconds, and stays near it', async t => {
  const simulation = new Simulation(100e6, { capacity: 40e6 })
  simulation.run(2.5, 60e6)
  t.ok(simulation.estimator.bitsPerSecond < 40e6, `${simulation.estimator.bitsPerSecond}`)
  const budgets = simulation.run(120, 60e6)
  const mean = budgets.reduce((sum, budget) => sum + budget, 0) / budgets.length
  t.ok(mean > 0.85 * 40e6 && mean < 40.5e6, `mean ${mean}`)
  t.ok(Math.max(...budgets) < 1.1 * 40e6)
})

t.test('takes random loss for no lack of room', async t => {
  const simulation = new Simulation(50e6, { capacity: 100e6, loss: 0.03 })
  simulation.run(20, 45e6)
  t.ok(simulation.estimator.bitsPerSecond >= 50e6)
})

t.test('follows a line that becomes narrower, and wider again', async t => {
  const simulation = new Simulation(100e6, { capacity: 80e6 })
  simulation.run(5, 60e6)
  t.equal(simulation.estimator.bitsPerSecond, 100e6)
  simulation.line.capacity = 30e6
  simulation.run(5, 60e6)
  t.ok(simulation.estimator.bitsPerSecond < 31e6)
  simulation.line.capacity = 80e6
  simulation.run(60, 60e6)
  t.ok(simulation.estimator.bitsPerSecond > 50e6, `${simulation.estimator.bitsPerSecond}`)
})

t.test('halves every second that feedback stays away, and grows again when it is back', async t => {
  const simulation = new Simulation(32e6, { capacity: 100e6 })
  simulation.run(5, 30e6)
  simulation.line.isSilent = true
  simulation.run(4, 30e6)
  const lowest = simulation.estimator.bitsPerSecond
  t.ok(lowest <= 8e6 && lowest >= 1e6, `${lowest}`)
  simulation.line.isSilent = false
  simulation.run(40, 30e6)
  t.ok(simulation.estimator.bitsPerSecond > 2 * lowest)
})

t.test('is not misled by feedback on packets that were never sent, or twice', async t => {
  const estimator = new UplinkEstimator({ initial: bitsPerSecond(10e6) })
  estimator.feedback([{ sequenceNumber: 7, arrivedAt: millis(5) }, { sequenceNumber: 8, arrivedAt: undefined }], millis(100))
  estimator.sent(9, 1200, millis(100))
  estimator.feedback([{ sequenceNumber: 9, arrivedAt: millis(-1e9) }], millis(200))
  estimator.feedback([{ sequenceNumber: 9, arrivedAt: millis(1e9) }], millis(300))
  t.equal(estimator.step(millis(300)), 10e6)
  t.equal(estimator.queueingDelay, 0)
})

t.test('does not give up a line on which others make a queue', async t => {
  const simulation = new Simulation(50e6, { capacity: 100e6 })
  simulation.run(5, 20e6)
  simulation.extraDelay = 60
  simulation.run(60, 20e6)
  t.ok(simulation.estimator.bitsPerSecond > 15e6, `${simulation.estimator.bitsPerSecond}`)
})
