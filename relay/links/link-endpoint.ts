import { TRAFFIC_CLASSES } from '../wire/link.ts'
import { bitsPerSecond, bytes, millis } from '../wire/units.ts'
import { DATAGRAM_OVERHEAD, HEADER_BYTES, IP_UDP_BYTES, TAG_BYTES, wrap32 } from './carrier/datagram.ts'
import {
  DATA_FLAG, DATA_HEADER_BYTES, feedbackLength, FRAME, PARITY_HEADER_BYTES, PARITY_ROOM, writeAnswer, writeClassReport, writeDataHeader,
  writeFeedback, writeParity, writeProbe, writeRequest, writeTail,
} from './carrier/frames.ts'
import { LiveClass, MessageClass } from './link-class.ts'
import { FrameReader } from './frame-reader.ts'
import { LinkPath } from './link-path.ts'
import { encodePathReport, MAX_PATH_REPORT_BYTES } from './measurement/path-report.ts'
import { LinkWatch } from './measurement/link-watch.ts'
import { decideFec } from './repair/fec-policy.ts'
import { MAX_PROTECTED_BYTES } from './repair/incoming-class.ts'
import type { LinkContract, PathContract, TrafficClass } from '../wire/link.ts'
import type { BitsPerSecond, Bytes, Millis } from '../wire/units.ts'
import type { ParityPacket } from './repair/fec-encoder.ts'
import type { LinkRole } from './carrier/sealing.ts'
import type { LinkSnapshot, PathTotals } from './measurement/link-snapshot.ts'
import type { RateControl } from './paths/rate-control.ts'
import type { OutgoingPacket } from './sharing/packet-queue.ts'

/** What an endpoint does to the world. */
export interface LinkOutput {
  /** Seals and sends a plaintext on a path. It is the caller's again when this returns. */
  transmit(path: number, packetNumber: number, plaintext: Buffer): void
  /** A packet of a flow arrived, in the order of its flow. */
  live(flow: number, payload: Buffer): void
  /** A message arrived. */
  message(id: TrafficClass, body: Buffer): void
  /** A message of ours arrived at the far end. @param ticket - Of {@link LinkEndpoint.sendMessage}. */
  arrived(id: TrafficClass, ticket: number): void
  /** The far end ended the link. */
  closed(): void
}

/** What a {@link LinkEndpoint} is made of. */
export interface LinkEndpointOptions {
  readonly contract: LinkContract
  readonly role: LinkRole
  readonly output: LinkOutput
  readonly createRate: (path: PathContract) => RateControl
  /** Of the clock that `now` is of, in milliseconds since the epoch. */
  readonly epochOrigin: number
}

/** How often an endpoint with traffic, or without, wants to be asked. */
const BUSY_STEP = millis(1)
const TRAFFIC_STEP = millis(2)
const IDLE_STEP = millis(8)
const TRAFFIC_MEMORY = millis(60)
const REPORT_INTERVAL = millis(500)
const CHOICE_INTERVAL = millis(50)
/** With no path up, those that were so long ago are used on. */
const LAST_RESORT = millis(1000)
/** What came of messages is told this often. */
const TELL_INTERVAL = millis(20)
/** Messages under way, in packets: at least this, at most that, and so many round trips of the pace in between. */
const WINDOW = { least: 256, most: 32_768, roundTrips: 3 } as const
/** A typical datagram, for turning rates into packets. */
const PACKET_BYTES = 1250
/** Longer than any plaintext of ours: a report of all paths, or a probe of a jumbo frame. */
const MAX_PLAINTEXT_BYTES = 9000

/**
 * One end of a link: everything between packets and messages of the application and plaintexts of datagrams. Does no
 * I/O and reads no clock: the caller owns sockets, keys and time, hands over what arrives, and calls {@link step}.
 *
 * Traffic of all classes shares the paths by {@link ShareLedger}, within the pace that each path's feedback allows.
 */
export class LinkEndpoint {
  readonly contract: LinkContract
  readonly paths: readonly LinkPath[]
  readonly live: LiveClass
  readonly messages: Readonly<Record<Exclude<TrafficClass, 'live'>, MessageClass>>
  readonly #classes: readonly (LiveClass | MessageClass)[]
  readonly #options: LinkEndpointOptions
  readonly #reader: FrameReader
  readonly #watch: LinkWatch
  readonly #openedAt: number
  readonly #scratch = Buffer.alloc(MAX_PLAINTEXT_BYTES)
  #now = millis(0)
  #living: readonly LinkPath[] = []
  #choiceAt = millis(-Infinity)
  #reportAt = millis(0)
  #reportNumber = 1
  #measureAt = millis(0)
  #trafficAt = millis(-Infinity)
  #isClosed = false
  #doubled: ReadonlySet<number> = new Set()

  constructor(options: LinkEndpointOptions, now: Millis) {
    const { contract, role, output, createRate, epochOrigin } = options
    this.#options = options
    this.contract = contract
    this.#now = now
    const shares = TRAFFIC_CLASSES.map(id => (contract.allowedClasses.includes(id) ? contract.traffic[id].guaranteedShare : 0))
    this.paths = contract.paths.map((path, index) => new LinkPath(path, index, createRate(path), shares))
    const messageClass = (id: Exclude<TrafficClass, 'live'>): MessageClass =>
      new MessageClass(id, TRAFFIC_CLASSES.indexOf(id), contract.traffic[id], body => output.message(id, body))
    this.live = new LiveClass('live', 0, contract.traffic.live, (flow, payload) => output.live(flow, payload), () => this.#now)
    this.messages = { control: messageClass('control'), tiles: messageClass('tiles'), bulk: messageClass('bulk') }
    this.#classes = [this.live, this.messages.control, this.messages.tiles, this.messages.bulk]
    this.#reader = new FrameReader({ paths: this.paths, classes: this.#classes, epochOrigin, answer: (path, frame, at) => this.#answer(path, frame, at), arrived: (id, ticket) => output.arrived(id, ticket), closed: () => output.closed() }, () => this.#best())
    this.#watch = new LinkWatch(contract, role === 'initiator' ? 'opener' : 'accepter')
    this.#openedAt = epochOrigin + now
    this.#watch.record({ at: this.#openedAt, kind: 'link_opened', evidence: { paths: contract.paths.length } })
  }

  /** Whether any path lives. */
  get isUp(): boolean {
    return this.#living.length > 0
  }

  /** Round trip of the quickest living path. */
  get roundTrip(): Millis {
    return this.#best()?.out.roundTrip ?? millis(100)
  }

  /** The far end's clock less ours; undefined before it is known. */
  get clockOffset(): Millis | undefined {
    return this.#best()?.clock.offset
  }

  /** Frames and claims of the far end that made no sense, so far. */
  get lies(): number {
    return this.#reader.malformed + this.paths.reduce((sum, { out }) => sum + out.lies, 0)
  }

  /** What a class may send in the long run, with everything around it, as far as is known. */
  capacityFor(id: TrafficClass): BitsPerSecond {
    const { choice } = this.#classOf(id)
    const paces = choice.chosen.map((index): number => this.paths[index]?.out.pace ?? 0)
    if (paces.length === 0) return bitsPerSecond(0)
    return bitsPerSecond(choice.isDoubled ? Math.min(...paces) : paces.reduce((sum, pace) => sum + pace, 0))
  }

  /** Sends one packet of a flow, in its order, within the budget of the class. */
  sendLive(flow: number, payload: Buffer, now: Millis): void {
    this.#now = now
    this.live.out.queue.push(flow, payload, this.#room(), now)
    this.#trafficAt = now
    this.#pump(now)
  }

  /** Packets of these flows leave on a second path as well, where one lives and the contract does not forbid it. */
  doubleFlows(flows: ReadonlySet<number>): void {
    this.#doubled = this.contract.isPointerDoubled ? flows : new Set()
  }

  /** Whether a class takes another message now. */
  hasRoom(id: Exclude<TrafficClass, 'live'>): boolean {
    return this.messages[id].out.queue.hasRoom && this.contract.allowedClasses.includes(id)
  }

  /** Sends a message. @returns A ticket by which `arrived` tells of it; undefined when there is no room, or it is too long, or not allowed. */
  sendMessage(id: Exclude<TrafficClass, 'live'>, body: Buffer, now: Millis): number | undefined {
    if (!this.contract.allowedClasses.includes(id)) return undefined
    this.#trafficAt = now
    return this.messages[id].out.queue.push(body, now)
  }

  /**
   * Takes the plaintext of an authentic datagram that was not seen before.
   *
   * @param path - That it came on.
   * @param size - Of the whole IP packet, in bytes.
   */
  receive(path: number, packetNumber: number, plaintext: Buffer, size: number, now: Millis): void {
    this.#now = now
    const entry = this.paths[path]
    if (entry === undefined || this.#isClosed || plaintext.length < 4) return
    const isTraffic = this.#reader.read(entry, plaintext, now)
    entry.in.received(packetNumber, size, plaintext.readUInt32BE(0), isTraffic, now)
    if (!isTraffic) return
    this.#trafficAt = now
    entry.carriesTraffic(now)
  }

  /** An authentic datagram came again: it is counted, and nothing else. @param size - Of the whole IP packet, in bytes. */
  repeated(path: number, packetNumber: number, size: Bytes, now: Millis): void {
    this.paths[path]?.in.repeated(packetNumber, size, now)
  }

  /** Does what is due. @returns When to call it next. */
  step(now: Millis): Millis {
    this.#now = now
    if (this.#isClosed) return millis(Infinity)
    this.#judgePaths(now)
    for (const path of this.paths) this.#keepPath(path, now)
    if (this.isUp) {
      this.#keepLive(now)
      for (const each of this.#classes) this.#keepClass(each, now)
      this.#pump(now)
      if (now >= this.#reportAt) this.#sendReport(now)
    }
    this.#measure(now)
    return millis(now + this.#interval(now))
  }

  /** Says goodbye. Nothing is sent or taken after that. */
  close(now: Millis): void {
    if (this.#isClosed) return
    for (const path of this.paths) this.#emit(path, Buffer.from([0, 0, 0, 0, FRAME.close]), now)
    this.#isClosed = true
  }

  /** A key changed, an address moved: what only the caller knows. */
  note(kind: 'path_rebound' | 'rekeyed', path: number | undefined, evidence: Readonly<Record<string, number | string>>): void {
    const name = path === undefined ? undefined : this.paths[path]?.contract.name
    this.#watch.record({ at: this.#options.epochOrigin + this.#now, kind, evidence, ...(name === undefined ? {} : { path: name }) })
  }

  /** Everything known of the link. */
  snapshot(now: Millis): LinkSnapshot {
    return { ...this.#measured(now), events: this.#watch.events }
  }

  #measured(now: Millis): Omit<LinkSnapshot, 'events'> {
    const nameOf = (index: number) => this.paths[index]?.contract.name
    return {
      link: this.contract.name,
      class: this.contract.class,
      openedAt: this.#openedAt,
      paths: this.paths.map(path => path.snapshot(now)),
      classes: this.#classes.filter(({ id }) => this.contract.allowedClasses.includes(id)).map(each => each.snapshot(nameOf, now)),
    }
  }

  #classOf(id: TrafficClass): LiveClass | MessageClass {
    return id === 'live' ? this.live : this.messages[id]
  }

  /** The quickest of the living paths. */
  #best(): LinkPath | undefined {
    let best: LinkPath | undefined
    for (const path of this.#living) if (best === undefined || path.out.roundTrip < best.out.roundTrip) best = path
    return best
  }

  /** Room for the body of a data frame on every living path, with the parity that may cover it. */
  #room(): number {
    let mtu: number = 1500
    for (const path of this.#living) mtu = Math.min(mtu, path.mtu.mtu)
    return Math.min(MAX_PROTECTED_BYTES, mtu - DATAGRAM_OVERHEAD - DATA_HEADER_BYTES - PARITY_ROOM)
  }

  #interval(now: Millis): Millis {
    if (now - this.#trafficAt > TRAFFIC_MEMORY) return IDLE_STEP
    const isBusy = this.#classes.some(each => each.in.tracker.missingCount > 0 || each.out.hasWork(this.#window(each)))
    return isBusy ? BUSY_STEP : TRAFFIC_STEP
  }

  #judgePaths(now: Millis): void {
    let isNews = now - this.#choiceAt >= CHOICE_INTERVAL
    for (const path of this.paths) if (path.judge(now)) isNews = true
    if (!isNews) return
    this.#choiceAt = now
    const up = this.paths.filter(path => path.state === 'up')
    // When all fall silent at once it is more likely the far end that is busy. There is nothing better to use, either.
    this.#living = up.length > 0 ? up : this.paths.filter(path => now - (path.out.provenAt ?? -Infinity) < LAST_RESORT)
    const candidates = this.#living.map(({ index, upSince }) => ({ index, upSince }))
    const trips = this.#living.map(({ out }) => out.roundTrip)
    const difference = millis(trips.length < 2 ? 0 : (Math.max(...trips) - Math.min(...trips)) / 2)
    const indices = candidates.map(({ index }) => index)
    for (const each of this.#classes) {
      each.choice.update(candidates, now)
      each.in.tracker.usePaths(indices, difference)
      each.copies.forEach((queue, index) => {
        if (queue.length > 0 && !indices.includes(index)) queue.length = 0
      })
    }
  }

  #keepPath(path: LinkPath, now: Millis): void {
    path.out.step(now)
    if (now >= path.probeDueAt) this.#probe(path, undefined, now)
    if (path.state !== 'up') return
    const { probe } = path.mtu.step(now)
    if (probe !== undefined) this.#probe(path, probe, now)
    if (now >= path.in.feedbackDueAt) {
      const frame = path.in.feedback(path.index, now)
      const plaintext = this.#plaintext(feedbackLength(frame.arrivals.length), now)
      writeFeedback(plaintext, 4, frame)
      this.#emit(path, plaintext, now)
    }
  }

  /** Probes also say what was sent last, so that a lost end of a burst is noticed. @param size - To pad to, for MTU discovery. */
  #probe(path: LinkPath, size: number | undefined, now: Millis): void {
    const tails = this.#classes.filter(each => each.out.sequence > 0)
    const length = size === undefined ? 15 + 6 * tails.length : size - DATAGRAM_OVERHEAD
    const plaintext = this.#plaintext(length, now).fill(FRAME.padding, 4)
    let at = writeProbe(plaintext, 4, { id: path.probe(size === undefined, now), askedAt: this.#options.epochOrigin + now, size: size ?? 0 })
    for (const each of tails) at = writeTail(plaintext, at, each.index, each.out.sequence)
    this.#emit(path, plaintext, now)
  }

  #answer(path: LinkPath, frame: Parameters<typeof writeProbe>[2], now: Millis): void {
    const plaintext = this.#plaintext(31, now)
    const at = this.#options.epochOrigin + now
    writeAnswer(plaintext, 4, { ...frame, heardAt: at, answeredAt: at })
    this.#emit(path, plaintext, now)
  }

  #keepLive(now: Millis): void {
    const { live } = this
    const budget = live.budget(this.roundTrip)
    live.out.queue.expire(live.contract.queueDelayMillis, now)
    live.out.forget(millis(budget), now)
    for (const parity of live.fec.step(now)) live.parity.push(parity)
  }

  #keepClass(each: LiveClass | MessageClass, now: Millis): void {
    if (now >= each.tailDueAt) this.#sendTail(each, now)
    const best = this.#best()
    if (best === undefined) return
    const { roundTrip, variation } = best.out
    const { ranges } = each.in.step(now, { roundTrip, variation, budget: each.budget(roundTrip) })
    const isDue = each !== this.live && each.in.hasNews && now - each.toldAt >= TELL_INTERVAL
    if (ranges.length === 0 && !isDue) return
    each.in.told()
    each.toldAt = now
    const { cumulative, highest } = each.in.tracker
    const plaintext = this.#plaintext(11 + 6 * ranges.length, now)
    writeRequest(plaintext, 4, { classId: each.index, cumulative, highest, ranges })
    // The other one carries the copy, if there is another one.
    this.#emit(this.#living[this.#reportNumber++ % this.#living.length] ?? best, plaintext, now)
  }

  #sendTail(each: LiveClass | MessageClass, now: Millis): void {
    each.tailSent()
    for (const index of each.choice.chosen) {
      const path = this.paths[index]
      if (path === undefined) continue
      const plaintext = this.#plaintext(6, now)
      writeTail(plaintext, 4, each.index, each.out.sequence)
      this.#emit(path, plaintext, now)
    }
  }

  #sendReport(now: Millis): void {
    this.#reportAt = millis(now + REPORT_INTERVAL)
    const best = this.#best()
    if (best === undefined) return
    const plaintext = this.#plaintext(this.paths.length * (2 + MAX_PATH_REPORT_BYTES) + this.#classes.length * 64, now)
    let at = 4
    for (const { index, in: incoming } of this.paths) {
      plaintext[at] = FRAME.pathReport
      plaintext[at + 1] = index
      at = encodePathReport(plaintext, at + 2, { number: this.#reportNumber++, totals: incoming.statistics.totals(now), gauges: incoming.statistics.gauges(now) })
    }
    for (const each of this.#classes) at = writeClassReport(plaintext, at, each.report())
    this.#emit(best, plaintext.subarray(0, at), now)
  }

  #measure(now: Millis): void {
    if (now < this.#measureAt) return
    this.#measureAt = millis(now + REPORT_INTERVAL)
    this.live.measure(now)
    this.#watch.observe(this.#measured(now), this.#options.epochOrigin + now)
    this.#decideFec(now)
  }

  /** Parity for what retransmission cannot bring back in time. Where every packet travels twice already, there is none. */
  #decideFec(now: Millis): void {
    const path = this.paths[this.live.choice.chosen[0] ?? 0]
    const reported = path?.reported
    if (path === undefined || reported === undefined) return
    const { lossRatio, throughput } = reported.gauges
    const roundTrip = path.out.roundTrip
    const decision = this.live.choice.isDoubled
      ? undefined
      : decideFec({ lossRatio, meanBurst: meanBurst(reported.totals), budget: millis(this.live.budget(roundTrip)), roundTrip, packetsPerSecond: Math.max(1, throughput / 8 / PACKET_BYTES) })
    this.live.fec.configure(this.live.fecSwitch.step(decision, now))
  }

  #window(each: LiveClass | MessageClass): number {
    if (each === this.live) return Infinity
    let packets = 0
    for (const index of each.choice.chosen) {
      const path = this.paths[index]
      if (path !== undefined) packets += ((path.out.pace / 8 / PACKET_BYTES) * (path.out.roundTrip + TELL_INTERVAL)) / 1000
    }
    return Math.min(WINDOW.most, Math.max(WINDOW.least, WINDOW.roundTrips * packets))
  }

  /** Sends what the paths' paces allow, on the path with most room first. */
  #pump(now: Millis): void {
    const living = this.#living
    const [only] = living
    if (only === undefined) return
    for (let isAny = true; isAny; ) {
      isAny = false
      let path: LinkPath | undefined
      for (const each of living) if (each.out.canSend(now) && this.#ready(each) !== 0 && (path === undefined || each.out.creditRatio > path.out.creditRatio)) path = each
      if (path !== undefined) isAny = this.#sendOne(path, now)
    }
    for (const each of living) if (each.out.canSend(now)) each.out.ranDry()
  }

  /** Bit by class: has something for this path. */
  #ready(path: LinkPath): number {
    let ready = 0
    for (const each of this.#classes) {
      const hasCopies = (each.copies[path.index]?.length ?? 0) > 0
      if (hasCopies || ((each.parity.length > 0 || each.out.hasWork(this.#window(each))) && each.choice.chosen.includes(path.index))) ready |= 1 << each.index
    }
    return ready
  }

  #sendOne(path: LinkPath, now: Millis): boolean {
    const each = this.#classes[path.out.ledger.choose(this.#ready(path))]
    if (each === undefined) return false
    const parity = each.parity.shift()
    if (parity !== undefined) return this.#sendParity(each, parity, path, now)
    const copy = each.copies[path.index]?.shift()
    const packet = copy ?? each.out.next(this.#room(), now)
    if (packet === undefined) return false
    if (copy === undefined) this.#copy(each, packet, path)
    if (each === this.live && copy === undefined && (packet.flags & DATA_FLAG.again) === 0 && packet.body.length <= MAX_PROTECTED_BYTES) {
      for (const more of this.live.fec.add(packet.sequence, packet.body, now)) each.parity.push(more)
    }
    this.#sendPacket(each, packet, path, each.choice.isSpread || copy !== undefined, now)
    return true
  }

  #copy(each: LiveClass | MessageClass, packet: OutgoingPacket, path: LinkPath): void {
    if (each.choice.isDoubled) each.copyToOthers(packet, path.index, each.choice.chosen)
    else if (each === this.live && this.#doubled.size > 0 && this.#living.length > 1 && this.#doubled.has(packet.body.readUInt16BE(0))) {
      const other = this.#living.find(living => living !== path)
      if (other !== undefined) each.copyToOthers(packet, path.index, [other.index])
    }
  }

  #sendPacket(each: LiveClass | MessageClass, packet: OutgoingPacket, path: LinkPath, isSpread: boolean, now: Millis): void {
    const plaintext = this.#plaintext(DATA_HEADER_BYTES + packet.body.length, now)
    const flags = packet.flags | (isSpread ? DATA_FLAG.spread : 0)
    packet.body.copy(plaintext, writeDataHeader(plaintext, 4, each.index, flags, packet.sequence, packet.body.length))
    if (packet.endOf !== undefined && each instanceof MessageClass) each.out.queue.ended(packet.endOf, packet.sequence)
    each.sent(now)
    path.carriesTraffic(now)
    path.out.ledger.spent(each.index, this.#emit(path, plaintext, now, true))
  }

  #sendParity(each: LiveClass | MessageClass, parity: ParityPacket, path: LinkPath, now: Millis): boolean {
    const plaintext = this.#plaintext(PARITY_HEADER_BYTES + parity.symbol.length, now)
    writeParity(plaintext, 4, { classId: each.index, ...parity })
    each.fecPackets++
    each.fecBytes += parity.symbol.length
    path.out.ledger.spent(each.index, this.#emit(path, plaintext, now, true))
    return true
  }

  /** Room for frames behind the time of sending. */
  #plaintext(length: number, now: Millis): Buffer {
    const plaintext = this.#scratch.subarray(0, 4 + length)
    plaintext.writeUInt32BE(wrap32(now * 1000), 0)
    return plaintext
  }

  /** @returns The size of the IP packet. */
  #emit(path: LinkPath, plaintext: Buffer, now: Millis, isTraffic = false): number {
    const size = bytes(plaintext.length + HEADER_BYTES + TAG_BYTES + IP_UDP_BYTES)
    this.#options.output.transmit(path.index, path.out.send(size, isTraffic, now), plaintext)
    return size
  }
}

const meanBurst = ({ lostPackets, lossBursts }: PathTotals): number => (lossBursts === 0 ? 1 : Math.max(1, lostPackets / lossBursts))
