import { LinkEndpoint } from '../../relay/links/link-endpoint.ts'
import { PathRate } from '../../relay/links/paths/path-rate.ts'
import { DATAGRAM_OVERHEAD } from '../../relay/links/carrier/datagram.ts'
import { bitsPerSecond, bytes, millis } from '../../relay/wire/units.ts'
import { LineDirection } from '../lines/line-direction.ts'
import { VirtualTime } from './virtual-time.ts'
import type { LinkContract, TrafficClass } from '../../relay/wire/link.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'
import type { DirectionProfile, LineProfile } from '../lines/profiles.ts'

/** What a {@link LinkSimulation} is made of. */
export interface LinkSimulationOptions {
  readonly contract: LinkContract
  /** One line per path of the contract; up is from the initiator. */
  readonly lines: readonly Pick<LineProfile, 'up' | 'down'>[]
  readonly random: () => number
  /** What paths without a stated rate are taken to carry at first. */
  readonly initial?: BitsPerSecond | undefined
  /** The responder's clock less the initiator's. */
  readonly clockOffset?: Millis | undefined
}

/** What one end heard. */
export interface EndHooks {
  live(flow: number, payload: Buffer): void
  message(id: TrafficClass, body: Buffer): void
  arrived(id: TrafficClass, ticket: number): void
}

const SILENT: EndHooks = { live: () => undefined, message: () => undefined, arrived: () => undefined }
/** What is common to datagrams and is not in their plaintext. */
const AROUND_PLAINTEXT = DATAGRAM_OVERHEAD - 4

/** Two ends of a link joined by simulated lines, under a clock that jumps. What is sealed in reality is not here. */
export class LinkSimulation {
  readonly time = new VirtualTime()
  readonly initiator: SimulatedEnd
  readonly responder: SimulatedEnd

  constructor({ contract, lines, random, initial = bitsPerSecond(20e6), clockOffset = millis(1234.5) }: LinkSimulationOptions) {
    const directions = lines.map(({ up, down }) => ({ up: new SimulatedDirection(this.time, up, random), down: new SimulatedDirection(this.time, down, random) }))
    this.initiator = new SimulatedEnd(this.time, contract, 'initiator', millis(0), initial, directions.map(({ up }) => up))
    this.responder = new SimulatedEnd(this.time, contract, 'responder', clockOffset, initial, directions.map(({ down }) => down))
    directions.forEach(({ up, down }, path) => {
      up.to = (number, plaintext) => this.responder.receive(path, number, plaintext)
      down.to = (number, plaintext) => this.initiator.receive(path, number, plaintext)
    })
    this.directions = directions
    this.initiator.start()
    this.responder.start()
  }

  /** By path. */
  readonly directions: readonly { readonly up: SimulatedDirection; readonly down: SimulatedDirection }[]

  /** Runs for so long. */
  run(duration: Millis): void {
    this.time.run(millis(this.time.now + duration))
  }
}

/** One direction of one path. */
export class SimulatedDirection {
  to: (number: number, plaintext: Buffer) => void = () => undefined
  /** Everything is lost while it is. */
  isCut = false
  packets = 0
  bytes = 0
  delivered = 0
  readonly #time: VirtualTime
  readonly #line: LineDirection

  constructor(time: VirtualTime, profile: DirectionProfile, random: () => number) {
    this.#time = time
    this.#line = new LineDirection(profile, random)
  }

  change(profile: DirectionProfile): void {
    this.#line.change(profile)
  }

  send(number: number, plaintext: Buffer): void {
    const size = plaintext.length + AROUND_PLAINTEXT
    this.packets++
    this.bytes += size
    const fate = this.#line.offer(bytes(size), this.#time.now)
    if (fate.outcome !== 'delivered' || this.isCut) return
    this.#time.at(fate.at, () => {
      if (this.isCut) return
      this.delivered++
      this.to(number, plaintext)
    })
  }
}

/** One end under the simulated clock. */
export class SimulatedEnd {
  readonly endpoint: LinkEndpoint
  hooks: EndHooks = SILENT
  readonly #time: VirtualTime
  readonly #offset: Millis
  #isStepping = true

  constructor(time: VirtualTime, contract: LinkContract, role: 'initiator' | 'responder', offset: Millis, initial: BitsPerSecond, out: readonly SimulatedDirection[]) {
    this.#time = time
    this.#offset = offset
    this.endpoint = new LinkEndpoint(
      {
        contract, role, epochOrigin: 1e12,
        createRate: ({ rateBitsPerSecond }) => new PathRate({ initial: bitsPerSecond(rateBitsPerSecond ?? initial), isKnown: rateBitsPerSecond !== undefined }),
        output: {
          transmit: (path, number, plaintext) => out[path]?.send(number, Buffer.from(plaintext)),
          live: (flow, payload) => this.hooks.live(flow, payload),
          message: (id, body) => this.hooks.message(id, body),
          arrived: (id, ticket) => this.hooks.arrived(id, ticket),
          closed: () => undefined,
        },
      },
      this.now,
    )
  }

  /** On this end's clock. */
  get now(): Millis {
    return millis(this.#time.now + this.#offset)
  }

  start(): void {
    const step = (): void => {
      if (!this.#isStepping) return
      const wakeAt = this.endpoint.step(this.now)
      this.#time.at(millis(wakeAt - this.#offset), step)
    }
    step()
  }

  stop(): void {
    this.#isStepping = false
  }

  receive(path: number, number: number, plaintext: Buffer): void {
    this.endpoint.receive(path, number, plaintext, plaintext.length + AROUND_PLAINTEXT, this.now)
  }

  sendLive(flow: number, payload: Buffer): void {
    this.endpoint.sendLive(flow, payload, this.now)
  }
}
