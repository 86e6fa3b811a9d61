import { DATA_FLAG, FRAME } from '../../relay/links/carrier/frames.ts'
import { millis } from '../../relay/wire/units.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { BbrFlow } from './bbr-flow.ts'
import { CubicFlow } from './cubic-flow.ts'
import { LinkSimulation } from './link-simulation.ts'
import { TrafficBook } from './traffic-book.ts'
import type { Bytes } from '../../relay/wire/units.ts'
import type { NetworkEvent, RandomNetwork } from './random-network.ts'

/** How often a run is looked at. */
export const LOOK_EVERY = millis(10)
/** Nothing is sent before every path is up. */
const SETTLE = { millis: 60, roundTrips: 2 } as const
/** After the last packet is sent, what is under way has so long, and so many round trips, to arrive. */
const DRAIN = { millis: 700, roundTrips: 8, mostMillis: 30_000 } as const

/** What a run looked like at one moment. */
export interface Look {
  readonly at: number
  /** By path: what a datagram would wait at its bottleneck upwards, in milliseconds. */
  readonly queues: readonly number[]
  /** By path: bytes that were offered to the line and bytes that got through, so far. */
  readonly sentBytes: readonly number[]
  readonly overflowed: readonly number[]
  /** By path, in bits per second. */
  readonly paces: readonly number[]
  /** Of a live packet by what the receiver knows, in milliseconds. */
  readonly budget: number
  readonly storedLive: number
  readonly storedMessages: number
  readonly missing: number
  readonly competitorBytes: number
}

/** One network that is run to its end, and everything that judging it takes. */
export class NetworkRun {
  readonly network: RandomNetwork
  readonly simulation: LinkSimulation
  readonly up: TrafficBook
  readonly down: TrafficBook
  readonly looks: Look[] = []
  /** Live retransmissions: how old their packet was when they left, with the line's delay, less the budget; in milliseconds. */
  readonly retransmissionExcess: number[] = []
  /** When the first and the last packet of the load are sent, and when the run ended. */
  readonly startOfLoad: number
  readonly endOfLoad: number
  endedAt = 0
  readonly #firstSent = new Map<number, number>()
  #other: { readonly deliveredBytes: Bytes } | undefined
  #shortestWay: number

  constructor(network: RandomNetwork) {
    this.network = network
    const { seed, contract, paths, initial, clockOffset, duration } = network
    const random = seededRandom(Math.imul(seed, 0x85eb_ca6b) ^ 0x5bd1_e995)
    this.simulation = new LinkSimulation({ contract, lines: paths, random, initial, clockOffset })
    const { time, initiator, responder, directions } = this.simulation
    directions.forEach(({ up, down }, index) => (up.mtu = down.mtu = paths[index]?.mtu ?? Infinity))
    this.#shortestWay = Math.min(...paths.map(({ up }) => up.delayMillis - up.jitterMillis))
    this.startOfLoad = SETTLE.millis + SETTLE.roundTrips * Math.max(...paths.map(({ up, down }) => up.delayMillis + down.delayMillis + up.jitterMillis + down.jitterMillis))
    this.endOfLoad = this.startOfLoad + duration
    const reach = paths.reduce((sum, { up }) => sum + (up.rateBitsPerSecond ?? 0), 0)
    const until = millis(this.endOfLoad)
    this.simulation.run(millis(this.startOfLoad))
    this.up = new TrafficBook(time, initiator, responder, { load: network.up, random, until, reach })
    this.down = new TrafficBook(time, responder, initiator, { load: network.down, random, until, reach })
    initiator.hooks = { ...initiator.hooks, sent: (_path, plaintext) => this.#watch(plaintext) }
    for (const event of network.events) this.#schedule(event)
    this.#compete(random)
  }

  /** Runs to the end. */
  run(): void {
    const { time } = this.simulation
    while (time.now < this.endOfLoad) this.#look()
    const roundTrip = Math.max(...this.network.paths.map(({ up, down }) => up.delayMillis + down.delayMillis))
    const least = this.endOfLoad + DRAIN.millis + DRAIN.roundTrips * roundTrip
    while (time.now < least) this.#look()
    const most = this.endOfLoad + DRAIN.mostMillis
    while (time.now < most && this.up.openMessages + this.down.openMessages > 0) this.simulation.run(millis(100))
    this.endedAt = time.now
    this.simulation.stop()
  }

  #look(): void {
    this.simulation.run(LOOK_EVERY)
    const { time, directions, initiator, responder } = this.simulation
    const { live, messages } = initiator.endpoint
    this.looks.push({
      at: time.now,
      queues: directions.map(({ up }) => up.queueingDelay),
      sentBytes: directions.map(({ up }) => up.bytes),
      overflowed: directions.map(({ up }) => up.overflowed),
      paces: initiator.endpoint.paths.map(({ out }) => out.pace),
      budget: Math.max(...responder.endpoint.paths.map(({ out }) => responder.endpoint.live.budget(out.roundTrip))),
      storedLive: live.out.storedPackets,
      storedMessages: messages.control.out.storedPackets + messages.tiles.out.storedPackets + messages.bulk.out.storedPackets,
      missing: responder.endpoint.live.in.tracker.missingCount,
      competitorBytes: this.#other?.deliveredBytes ?? 0,
    })
  }

  #watch(plaintext: Buffer): void {
    if (plaintext[4] !== FRAME.data || plaintext[5] !== 0) return
    const sequence = plaintext.readUInt32BE(7)
    const { now } = this.simulation.time
    const first = this.#firstSent.get(sequence)
    if (first === undefined) this.#firstSent.set(sequence, now)
    else if (((plaintext[6] ?? 0) & DATA_FLAG.again) !== 0) {
      const { endpoint } = this.simulation.initiator
      this.retransmissionExcess.push(now - first + this.#shortestWay - Math.max(...endpoint.paths.map(({ out }) => endpoint.live.budget(out.roundTrip))))
    }
  }

  #schedule(event: NetworkEvent): void {
    const { time, directions, initiator, responder } = this.simulation
    time.at(millis(this.startOfLoad + event.at), () => {
      switch (event.kind) {
        case 'rate': {
          const profile = this.network.paths[event.path]?.up
          if (profile !== undefined) directions[event.path]?.up.change({ ...profile, rateBitsPerSecond: (profile.rateBitsPerSecond ?? 0) * event.factor })
          return
        }
        case 'cut':
          this.#cut(event.paths, true)
          time.at(millis(this.startOfLoad + event.until), () => this.#cut(event.paths, false))
          return
        case 'pause':
          ;(event.end === 'initiator' ? initiator : responder).pause(millis(event.until - event.at), event.wakesBySteps)
          return
        default:
          event satisfies never
      }
    })
  }

  #cut(paths: readonly number[], isCut: boolean): void {
    for (const index of paths) {
      const lines = this.simulation.directions[index]
      if (lines !== undefined) lines.up.isCut = lines.down.isCut = isCut
    }
  }

  #compete(random: () => number): void {
    const { network, simulation } = this
    const line = simulation.line(0)
    if (network.competitor === undefined || line === undefined) return
    const options = { startAt: millis(random() < 0.5 ? 0 : 3000), stopAt: millis(this.endOfLoad) }
    if (network.competitor !== 'link') {
      this.#other = new (network.competitor === 'cubic' ? CubicFlow : BbrFlow)(simulation.time, line, options)
      return
    }
    const { contract, initial, clockOffset, paths } = network
    const beside = new LinkSimulation({ contract, lines: paths, random, initial, clockOffset, beside: simulation })
    const book = new TrafficBook(simulation.time, beside.initiator, beside.responder, {
      load: { control: network.up.control, bulkBytes: 20_000 }, random, until: millis(this.endOfLoad), reach: paths[0]?.up.rateBitsPerSecond ?? 0,
    })
    this.#other = {
      get deliveredBytes() {
        return book.messages.bulk.reduce((sum, { size, arrivals }) => sum + (arrivals > 0 ? size : 0), 0) as Bytes
      },
    }
    simulation.time.at(millis(this.endOfLoad + 1000), () => beside.stop())
  }
}
