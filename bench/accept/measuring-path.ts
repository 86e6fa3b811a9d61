import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { StampSender } from '../../relay/links/measurement/stamp-sender.ts'
import { stampClock } from '../../relay/links/measurement/stamp-clock.ts'
import { stampKey } from '../../relay/links/measurement/stamp-packet.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { AcceptanceAnswer } from './acceptance-messages.ts'
import { DRAIN_MILLIS } from './acceptance-plan.ts'
import { connectControl, ControlChannel, within } from './control-channel.ts'
import { delayQuantiles } from './delays.ts'
import { sendLoad } from './load-sender.ts'
import { openLoadSocket, socketDrops } from './load-socket.ts'
import { StepReception } from './step-reception.ts'
import { HEADER_BYTES, readDatagram, writeDatagram } from './test-datagram.ts'
import { IP_UDP_BYTES, LoadSchedule } from './traffic-shape.ts'
import type { Socket } from 'node:dgram'
import type { StampSample } from '../../relay/links/measurement/stamp-session.ts'
import type { AcceptanceRequest } from './acceptance-messages.ts'
import type { Departure, PathMeasurement, Reception, StepResult } from './acceptance-measurement.ts'
import type { PlannedLoad } from './acceptance-plan.ts'
import type { RecordedShapes } from './traffic-shape.ts'

const PROBE_INTERVAL = millis(10)
/** TCP on a line that loses in bursts takes its time. */
const ANSWER_DEADLINE = millis(30_000)
const HELLO_INTERVAL = millis(100)
const HELLO_TRIES = 30
/** IP packets tried, the smaller first: minima of the link and of IPv6, tunnels, PPPoE, Ethernet. */
const MTU_SIZES = [1200, 1280, 1400, 1420, 1440, 1472, 1492, 1500] as const
const MTU_TRIES = 3
const MTU_PATIENCE = millis(1000)
const MOST_QUEUED_BYTES = 4 * 1024 * 1024
/** Silence without load for so many probes: there is no way to measure. */
const LEAST_IDLE_ANSWERS = 10

/** How one path is reached. */
export interface PathOptions {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly key: Buffer
  readonly localAddress?: string | undefined
  readonly shapes: RecordedShapes
}

/** A load, and when it was on the line, on the clock of STAMP. */
interface LoadResult {
  readonly departure: Departure
  readonly reception: Reception
  readonly from: number
  readonly to: number
}

/** One path to an answering end, from the measuring end. */
export class MeasuringPath implements AsyncDisposable {
  readonly name: string
  readonly #options: PathOptions
  readonly #channel: ControlChannel<AcceptanceAnswer>
  readonly #socket: Socket
  readonly #scope: AsyncDisposableStack
  readonly #answers: ((answer: AcceptanceAnswer) => void)[]
  #opened: Extract<AcceptanceAnswer, { type: 'opened' }> | undefined
  #token = 0n
  #step = 0
  #reception: { readonly step: number; readonly book: StepReception } | undefined
  #onEcho: (sequence: number) => void = () => undefined
  /** Shortest one-way delays seen by STAMP, with the difference of the clocks in them. */
  readonly #shortest = { out: Infinity, in: Infinity }

  private constructor(options: PathOptions, channel: ControlChannel<AcceptanceAnswer>, answers: ((answer: AcceptanceAnswer) => void)[], socket: Socket, scope: AsyncDisposableStack) {
    this.name = options.name
    this.#options = options
    this.#channel = channel
    this.#answers = answers
    this.#socket = socket
    this.#scope = scope
    socket.on('message', datagram => this.#receive(datagram))
  }

  /** @throws {RelayFault} `unavailable`, `timeout`, `overloaded` when somebody else measures there. */
  static async open(options: PathOptions, signal: AbortSignal): Promise<MeasuringPath> {
    await using scope = new AsyncDisposableStack()
    const { address } = await lookup(options.host).catch((cause: unknown) => Promise.reject(new RelayFault('unavailable', 'the far end cannot be resolved', { cause })))
    const answers: ((answer: AcceptanceAnswer) => void)[] = []
    const channel = scope.use(new ControlChannel(await connectControl(options.key, address, options.port, options.localAddress, signal), AcceptanceAnswer, answer => answers.shift()?.(answer)))
    const socket = scope.adopt(await openLoadSocket(options.localAddress, 0, address), it => void it.close())
    socket.connect(options.port, address)
    await once(socket, 'connect')
    const path = new MeasuringPath(options, channel, answers, socket, scope.move())
    try {
      await path.#greet(address, signal)
      return path
    } catch (error) {
      await path[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Without load. @throws {RelayFault} `unavailable` when STAMP does not get through. */
  async idle(durationMillis: number, signal: AbortSignal): Promise<PathMeasurement['idle']> {
    const samples: StampSample[] = []
    const { sent, received } = await this.#probe(durationMillis, samples, signal)
    const roundTrip = delayQuantiles(samples.map(each => each.roundTrip))
    if (roundTrip === undefined || received < LEAST_IDLE_ANSWERS) throw new RelayFault('unavailable', 'hardly a STAMP probe came back: UDP does not get through to the far end and back')
    return { roundTrip, sent, answered: received }
  }

  /** The largest IP packet of those tried that comes through and back. Each size is tried at once, before routers can tell the kernel to fragment. */
  async mtu(signal: AbortSignal): Promise<number | null> {
    let largest: number | null = null
    for (const size of MTU_SIZES) {
      const echoed = Promise.withResolvers<undefined>()
      this.#onEcho = sequence => {
        if (sequence === size) echoed.resolve(undefined)
      }
      for (let attempt = 0; attempt < MTU_TRIES; attempt++) this.#send('probe', size, size - IP_UDP_BYTES)
      const patience = new AbortController()
      const isThrough = await Promise.race([echoed.promise.then(() => true), systemClock.sleep(MTU_PATIENCE, AbortSignal.any([signal, patience.signal])).then(() => false, () => false)])
      patience.abort()
      signal.throwIfAborted()
      if (!isThrough) break
      largest = size
    }
    return largest
  }

  /** One load in its direction, with STAMP beside it. @param also - Gets every datagram of a load away from here, too. */
  async load(planned: PlannedLoad, durationMillis: number, signal: AbortSignal, also?: (datagram: Buffer) => void): Promise<StepResult> {
    // Probes go on while control is exchanged: what loses by the packet would else be bad for ever where nothing flows.
    const probedMillis = durationMillis + 3 * ANSWER_DEADLINE
    const samples: StampSample[] = []
    const ended = new AbortController()
    const probing = this.#probe(probedMillis, samples, AbortSignal.any([signal, ended.signal]))
    probing.catch(() => undefined)
    let result: LoadResult
    try {
      result = planned.direction === 'out' ? await this.#loadOut(planned, durationMillis, signal, also) : await this.#loadIn(planned, durationMillis, signal)
    } finally {
      ended.abort()
    }
    await probing
    const { from, to, ...counted } = result
    const during = samples.filter(({ sentAt }) => sentAt >= from && sentAt <= to)
    const outward = during.map(each => each.reflectorReceivedAt - each.sentAt - this.#shortest.out)
    const inward = during.map(each => each.receivedAt - each.reflectorSentAt - this.#shortest.in)
    return {
      direction: planned.direction, shape: planned.shape, targetBitsPerSecond: planned.bitsPerSecond, ...counted,
      roundTrip: delayQuantiles(during.map(each => each.roundTrip)) ?? null,
      queue: delayQuantiles(planned.direction === 'out' ? outward : inward) ?? null,
      probes: { sent: Math.max(during.length, Math.floor((to - from) / PROBE_INTERVAL)), answered: during.length },
    }
  }

  /** Makes the far end ready for a load that {@link load} of another path sends here as well. @returns What tells of it. */
  async expectAlso(planned: PlannedLoad, durationMillis: number, signal: AbortSignal): Promise<{ readonly send: (datagram: Buffer) => void; readonly tell: (sent: number) => Promise<Reception> }> {
    const step = ++this.#step
    await this.#ask({ type: 'receive', step, datagrams: this.#schedule(planned).count(durationMillis) }, 'ready', signal)
    return {
      send: datagram => {
        const copy = Buffer.from(datagram)
        const read = readDatagram(datagram)
        if (read === undefined) return
        writeDatagram(copy, { ...read, token: this.#token, step })
        this.#socket.send(copy)
      },
      tell: async sent => (await this.#ask({ type: 'tell', step, sent }, 'received', signal)).reception,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }

  async #greet(address: string, signal: AbortSignal): Promise<void> {
    this.#opened = await this.#ask({ type: 'open', protocol: 1 }, 'opened', signal)
    this.#token = BigInt(`0x${this.#opened.token}`)
    const heard = Promise.withResolvers<true>()
    this.#onEcho = () => heard.resolve(true)
    for (let attempt = 0; attempt < HELLO_TRIES; attempt++) {
      this.#send('hello', 0, HEADER_BYTES)
      if (await Promise.race([heard.promise, systemClock.sleep(HELLO_INTERVAL, signal).then(() => false as const)])) return
    }
    throw new RelayFault('unavailable', `TCP reaches ${address}, UDP does not: a firewall on the way drops it`)
  }

  async #loadOut(planned: PlannedLoad, durationMillis: number, signal: AbortSignal, also?: (datagram: Buffer) => void): Promise<LoadResult> {
    const step = ++this.#step
    const schedule = this.#schedule(planned)
    await this.#ask({ type: 'receive', step, datagrams: schedule.count(durationMillis) }, 'ready', signal)
    const send = (datagram: Buffer): void => {
      if (this.#socket.getSendQueueSize() < MOST_QUEUED_BYTES) this.#socket.send(datagram)
      also?.(datagram)
    }
    const lost = new AbortController()
    void this.#channel.closed.then(fault => lost.abort(fault))
    const from = stampClock()
    const departure = await sendLoad({ schedule, durationMillis, token: this.#token, step, now: stampClock, clock: systemClock, send }, AbortSignal.any([signal, lost.signal]))
    const to = stampClock()
    await systemClock.sleep(millis(DRAIN_MILLIS), signal)
    const { reception } = await this.#ask({ type: 'tell', step, sent: departure.sent }, 'received', signal)
    return { departure, reception, from, to }
  }

  async #loadIn(planned: PlannedLoad, durationMillis: number, signal: AbortSignal): Promise<LoadResult> {
    const step = ++this.#step
    const book = new StepReception(this.#schedule(planned).count(durationMillis))
    const before = await socketDrops(this.#socket)
    this.#reception = { step, book }
    const from = stampClock()
    const { departure } = await this.#ask({ type: 'send', step, shape: planned.shape, bitsPerSecond: planned.bitsPerSecond, durationMillis }, 'sent', signal, millis(durationMillis + ANSWER_DEADLINE))
    const to = Math.min(stampClock(), from + departure.millis)
    await systemClock.sleep(millis(DRAIN_MILLIS), signal)
    this.#reception = undefined
    return { departure, reception: book.report(departure.sent, (await socketDrops(this.#socket)) - before), from, to }
  }

  /** Sends STAMP until the time is over or the signal aborts, and gathers its samples. */
  async #probe(durationMillis: number, samples: StampSample[], signal: AbortSignal): ReturnType<StampSender['run']> {
    const { host, localAddress } = this.#options
    if (this.#opened === undefined) throw new Error('a path is opened before it is measured')
    await using sender = await StampSender.open({
      host, port: this.#opened.stampPort, key: stampKey(Buffer.from(this.#opened.stampKeyHex, 'hex')), localAddress,
      count: Math.max(1, Math.floor(durationMillis / PROBE_INTERVAL)), interval: PROBE_INTERVAL, replyTimeout: millis(DRAIN_MILLIS), reflector: 'stateful',
      onSample: sample => {
        this.#shortest.out = Math.min(this.#shortest.out, sample.reflectorReceivedAt - sample.sentAt)
        this.#shortest.in = Math.min(this.#shortest.in, sample.receivedAt - sample.reflectorSentAt)
        samples.push(sample)
      },
    })
    return await sender.run(signal)
  }

  #schedule({ shape, bitsPerSecond }: PlannedLoad): LoadSchedule {
    return new LoadSchedule(this.#options.shapes, shape, bitsPerSecond)
  }

  #send(kind: 'hello' | 'probe', sequence: number, size: number): void {
    const datagram = Buffer.alloc(size)
    writeDatagram(datagram, { kind, token: this.#token, step: 0, sequence, sentAt: stampClock() })
    this.#socket.send(datagram, () => undefined)
  }

  #receive(datagram: Buffer): void {
    const at = stampClock()
    const read = readDatagram(datagram)
    if (read === undefined || read.token !== this.#token) return
    if (read.kind === 'echo') this.#onEcho(read.sequence)
    else if (read.kind === 'load' && this.#reception?.step === read.step) this.#reception.book.take(read.sequence, read.sentAt, datagram.length, at)
  }

  async #ask<Type extends AcceptanceAnswer['type']>(request: AcceptanceRequest, expected: Type, signal: AbortSignal, deadline = ANSWER_DEADLINE): Promise<Extract<AcceptanceAnswer, { type: Type }>> {
    const answered = Promise.withResolvers<AcceptanceAnswer>()
    this.#answers.push(answered.resolve)
    this.#channel.say(request)
    const answer = await within(answered.promise, deadline, this.#channel.closed, signal)
    if (answer.type === expected) return answer as Extract<AcceptanceAnswer, { type: Type }>
    if (answer.type === 'refused' && answer.code === 'busy') throw new RelayFault('overloaded', 'somebody else measures to that answering end')
    throw new RelayFault('bad_message', 'the far end answers what was not asked')
  }
}
