import { LinkEndpoint } from '../../relay/links/link-endpoint.ts'
import { PathRate } from '../../relay/links/paths/path-rate.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { AROUND_PLAINTEXT, SimulatedDirection } from './simulated-direction.ts'
import { VirtualTime } from './virtual-time.ts'
import type { LinkContract, TrafficClass } from '../../relay/wire/link.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { SharedLine } from './bottleneck.ts'

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
  /** Another link whose clock and lines this one shares; `lines` then counts for nothing. */
  readonly beside?: LinkSimulation | undefined
}

/** What one end heard, and what left it. */
export interface EndHooks {
  live(flow: number, payload: Buffer): void
  message(id: TrafficClass, body: Buffer): void
  arrived(id: TrafficClass, ticket: number): void
  /** A plaintext leaves; it is the end's again afterwards. */
  sent?(path: number, plaintext: Buffer): void
}

const SILENT: EndHooks = { live: () => undefined, message: () => undefined, arrived: () => undefined }

/** Two ends of a link joined by simulated lines, under a clock that jumps. What is sealed in reality is not here. */
export class LinkSimulation {
  readonly time: VirtualTime
  readonly initiator: SimulatedEnd
  readonly responder: SimulatedEnd
  /** By path. */
  readonly directions: readonly { readonly up: SimulatedDirection; readonly down: SimulatedDirection }[]

  constructor({ contract, lines, random, initial = bitsPerSecond(20e6), clockOffset = millis(1234.5), beside }: LinkSimulationOptions) {
    this.time = beside?.time ?? new VirtualTime()
    const { time } = this
    this.directions = beside?.directions.map(({ up, down }) => ({ up: up.share(), down: down.share() }))
      ?? lines.map(({ up, down }) => ({ up: SimulatedDirection.of(time, up, random), down: SimulatedDirection.of(time, down, random) }))
    this.initiator = new SimulatedEnd(time, contract, 'initiator', millis(0), initial, this.directions.map(({ up }) => up))
    this.responder = new SimulatedEnd(time, contract, 'responder', clockOffset, initial, this.directions.map(({ down }) => down))
    this.directions.forEach(({ up, down }, path) => {
      up.to = (number, plaintext) => this.responder.receive(path, number, plaintext)
      down.to = (number, plaintext) => this.initiator.receive(path, number, plaintext)
    })
    this.initiator.start()
    this.responder.start()
  }

  /** Runs for so long. */
  run(duration: Millis): void {
    this.time.run(millis(this.time.now + duration))
  }

  /** A path as others see it who send over the same line, from the initiator's side. */
  line(path: number): SharedLine | undefined {
    const lines = this.directions[path]
    return lines === undefined ? undefined : { send: size => lines.up.offer(size), reply: size => lines.down.offer(size) }
  }

  /** Stops both ends, so that others may run on without them. */
  stop(): void {
    this.initiator.stop()
    this.responder.stop()
  }
}

/** A receive buffer holds no more while its process is not run: 4 MiB of datagrams. */
const MAX_BACKLOG = 3000

/** One end under the simulated clock. */
export class SimulatedEnd {
  readonly endpoint: LinkEndpoint
  hooks: EndHooks = SILENT
  /** Minutes since midnight, for hours of bulk. */
  minuteOfDay = 0
  /** The most bytes that one step sent. */
  mostStepBytes = 0
  readonly #time: VirtualTime
  #offset: Millis
  #isStepping = true
  #stepBytes = 0
  #pausedUntil = 0
  #wakesBySteps = false
  readonly #backlog: { readonly path: number; readonly number: number; readonly plaintext: Buffer }[] = []

  constructor(time: VirtualTime, contract: LinkContract, role: 'initiator' | 'responder', offset: Millis, initial: BitsPerSecond, out: readonly SimulatedDirection[]) {
    this.#time = time
    this.#offset = offset
    this.endpoint = new LinkEndpoint(
      {
        contract, role, epochOrigin: 1e12, minuteOfDay: () => this.minuteOfDay,
        createRate: known => new PathRate({ initial: known ?? initial, isKnown: known !== undefined }),
        output: {
          transmit: (path, number, plaintext) => {
            this.#stepBytes += plaintext.length + AROUND_PLAINTEXT
            this.hooks.sent?.(path, plaintext)
            out[path]?.send(number, Buffer.from(plaintext))
          },
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

  /** Whether its process is run. */
  get isAwake(): boolean {
    return this.#time.now >= this.#pausedUntil
  }

  start(): void {
    const step = (): void => {
      if (!this.#isStepping) return
      if (!this.isAwake) {
        this.#time.at(millis(this.#pausedUntil), step)
        return
      }
      if (!this.#wakesBySteps) this.#catchUp()
      this.#stepBytes = 0
      const wakeAt = this.endpoint.step(this.now)
      this.mostStepBytes = Math.max(this.mostStepBytes, this.#stepBytes)
      this.#catchUp()
      this.#time.at(millis(wakeAt - this.#offset), step)
    }
    step()
  }

  stop(): void {
    this.#isStepping = false
  }

  /** This end's clock jumps: the machine stood still, or worse. */
  jump(by: Millis): void {
    this.#offset = millis(this.#offset + by)
  }

  /**
   * Its process is not run for so long: what arrives waits in the receive buffer.
   *
   * @param wakesBySteps - Whether it steps before it reads what waits, as timers come before sockets in Node's event loop.
   */
  pause(duration: Millis, wakesBySteps: boolean): void {
    this.#pausedUntil = this.#time.now + duration
    this.#wakesBySteps = wakesBySteps
  }

  receive(path: number, number: number, plaintext: Buffer): void {
    if (this.isAwake && this.#backlog.length === 0) this.endpoint.receive(path, number, plaintext, plaintext.length + AROUND_PLAINTEXT, this.now)
    else if (this.#backlog.length < MAX_BACKLOG) this.#backlog.push({ path, number, plaintext })
  }

  sendLive(flow: number, payload: Buffer): void {
    this.endpoint.sendLive(flow, payload, this.now)
  }

  #catchUp(): void {
    for (const { path, number, plaintext } of this.#backlog.splice(0)) this.endpoint.receive(path, number, plaintext, plaintext.length + AROUND_PLAINTEXT, this.now)
  }
}
