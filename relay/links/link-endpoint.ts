import { TRAFFIC_CLASSES } from '../wire/link.ts'
import { bitsPerSecond, bytes, millis } from '../wire/units.ts'
import { DATAGRAM_OVERHEAD, HEADER_BYTES, IP_UDP_BYTES, TAG_BYTES } from './carrier/datagram.ts'
import { DATA_FLAG, DATA_HEADER_BYTES, PARITY_ROOM } from './carrier/frames.ts'
import { LiveClass, MessageClass } from './link-class.ts'
import { FrameReader } from './frame-reader.ts'
import { LinkPath } from './link-path.ts'
import { LinkWatch } from './measurement/link-watch.ts'
import { isBulkTime, localMinuteOfDay } from './sharing/bulk-hours.ts'
import { SteadyTime } from './steady-time.ts'
import { ParityDecision } from './repair/parity-decision.ts'
import { PlaintextWriter } from './plaintext-writer.ts'
import { MAX_PROTECTED_BYTES } from './repair/incoming-class.ts'
import type { LinkContract, PathContract, TrafficClass } from '../wire/link.ts'
import type { BitsPerSecond, Bytes, Millis } from '../wire/units.ts'
import type { ParityPacket } from './repair/fec-encoder.ts'
import type { ProbeFrame, RequestFrame } from './carrier/frames.ts'
import type { LinkRole } from './carrier/sealing.ts'
import type { Direction, LinkSnapshot } from './measurement/link-snapshot.ts'
import type { RateControl } from './paths/rate-control.ts'
import type { Tail } from './plaintext-writer.ts'
import type { RepairRange } from './repair/sequence-tracker.ts'
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
  /** @param known - What a path is known to carry from this end. */
  readonly createRate: (known: BitsPerSecond | undefined) => RateControl
  /** Of the clock that `now` is of, in milliseconds since the epoch. */
  readonly epochOrigin: number
  /** Minutes since local midnight at a moment, in milliseconds since the epoch; this machine's time zone without it. */
  readonly minuteOfDay?: ((at: number) => number) | undefined
}

/** A path that traffic takes is heard of more often than that. */
const SILENT = millis(40)
/** How often an endpoint with traffic, or without, wants to be asked. */
const BUSY_STEP = millis(1)
const TRAFFIC_STEP = millis(2)
const IDLE_STEP = millis(8)
const TRAFFIC_MEMORY = millis(60)
const REPORT_INTERVAL = millis(500)
const CHOICE_INTERVAL = millis(50)
/** A path that packets of a class came or left on counts as used for so long: none is of use for longer without saying so. */
const USE_MEMORY = 500
/** With no path up, those that were so long ago are used on. */
const LAST_RESORT = millis(1000)
/** What came of messages is told this often. */
const TELL_INTERVAL = millis(20)
/** Messages under way, in packets: at least this, at most that, and so many round trips of the pace in between. */
const WINDOW = { least: 256, most: 32_768, roundTrips: 8 } as const
/** A typical datagram, for turning rates into packets. */
const PACKET_BYTES = 1250

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
  readonly #writer = new PlaintextWriter()
  readonly #parity: ParityDecision
  readonly #time: SteadyTime
  #living: readonly LinkPath[] = []
  #choiceAt = millis(-Infinity)
  #reportAt = millis(0)
  #reportNumber = 1
  #tellNumber = 0
  #measureAt = millis(0)
  #trafficAt = millis(-Infinity)
  #isClosed = false
  #isEnded = false
  #isBulkTime = true
  #bulkSince = millis(-Infinity)
  #doubled: ReadonlySet<number> = new Set()

  constructor(options: LinkEndpointOptions, now: Millis) {
    const { contract, role, output, createRate, epochOrigin } = options
    this.#options = options
    this.contract = contract
    this.#time = new SteadyTime(now)
    const shares = TRAFFIC_CLASSES.map(id => (contract.allowedClasses.includes(id) ? contract.traffic[id].guaranteedShare : 0))
    this.paths = contract.paths.map((path, index) => new LinkPath(path, index, createRate(role === 'initiator' ? knownRate(path) : undefined), shares))
    const messageClass = (id: Exclude<TrafficClass, 'live'>): MessageClass =>
      new MessageClass(id, TRAFFIC_CLASSES.indexOf(id), contract.traffic[id], body => output.message(id, body))
    this.live = new LiveClass('live', 0, contract.traffic.live, (flow, payload) => output.live(flow, payload), () => this.#time.now)
    this.#parity = new ParityDecision(this.live)
    this.messages = { control: messageClass('control'), tiles: messageClass('tiles'), bulk: messageClass('bulk') }
    this.#classes = [this.live, this.messages.control, this.messages.tiles, this.messages.bulk]
    this.#reader = new FrameReader(
      {
        paths: this.paths,
        classes: this.#classes.map(each => (contract.allowedClasses.includes(each.id) ? each : undefined)),
        epochOrigin: () => this.#epochOrigin,
        answer: (path, frame, at) => this.#answer(path, frame, at),
        arrived: (id, ticket) => output.arrived(id, ticket),
        closed: () => {
          this.#end('far end')
          output.closed()
        },
      },
      each => ({ path: this.#pathOf(each)?.out, budget: this.#budgetOf(each, 'out', this.#time.now) }),
    )
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
    return this.#reader.malformed + this.paths.reduce((sum, { lies }) => sum + lies, 0)
  }

  /** What a class may send in the long run, with everything around it, as far as is known. */
  capacityFor(id: TrafficClass): BitsPerSecond {
    const { choice } = this.#classOf(id)
    const rates = choice.chosen.map((index): number => this.paths[index]?.out.capacity ?? 0)
    if (rates.length === 0) return bitsPerSecond(0)
    return bitsPerSecond(choice.isDoubled ? Math.min(...rates) : rates.reduce((sum, rate) => sum + rate, 0))
  }

  /** Sends one packet of a flow, in its order, within the budget of the class. Where the contract does not allow that, it is dropped and counted. */
  sendLive(flow: number, payload: Buffer, at: Millis): void {
    if (!this.contract.allowedClasses.includes('live')) {
      this.live.refuse()
      return
    }
    const now = this.#time.advance(at)
    this.live.out.queue.push(flow, payload, this.#room(this.isUp ? this.#living : this.paths), now)
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

  /** Sends a message, an urgent one before others of its class. @returns A ticket by which `arrived` tells of it; undefined when there is no room, or it is too long, or not allowed. */
  sendMessage(id: Exclude<TrafficClass, 'live'>, body: Buffer, at: Millis, isUrgent = false): number | undefined {
    if (!this.contract.allowedClasses.includes(id)) return undefined
    const now = this.#time.advance(at)
    this.#trafficAt = now
    return this.messages[id].out.queue.push(body, now, isUrgent)
  }

  /**
   * Takes the plaintext of an authentic datagram that was not seen before.
   *
   * @param path - That it came on.
   * @param size - Of the whole IP packet, in bytes.
   */
  receive(path: number, packetNumber: number, plaintext: Buffer, size: number, at: Millis): void {
    const now = this.#time.advance(at)
    const entry = this.paths[path]
    if (entry === undefined || this.#isClosed || plaintext.length < 4) return
    const isTraffic = this.#reader.read(entry, plaintext, now)
    entry.in.received(packetNumber, size, plaintext.readUInt32BE(0), isTraffic, now)
    // What was asked for again does not wait for the next step.
    if (this.live.out.hasRequests) this.#pump(now)
    if (!isTraffic) return
    this.#trafficAt = now
    entry.carriesTraffic(now)
  }

  /** An authentic datagram came again: it is counted, and nothing else. @param size - Of the whole IP packet, in bytes. */
  repeated(path: number, packetNumber: number, size: Bytes, at: Millis): void {
    this.paths[path]?.in.repeated(packetNumber, size, this.#time.advance(at))
  }

  /** Does what is due. @returns When to call it next. */
  step(at: Millis): Millis {
    const now = this.#time.advance(at)
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
    return this.#time.outside(millis(now + this.#interval(now)))
  }

  /** Says goodbye. Nothing is sent or taken after that. */
  close(at: Millis): void {
    if (this.#isClosed) return
    const now = this.#time.advance(at)
    for (const path of this.paths) this.#emit(path, this.#writer.close(now), now)
    this.#end('this end')
    this.#isClosed = true
  }

  /** A key changed, an address moved: what only the caller knows. */
  note(kind: 'path_rebound' | 'rekeyed', path: number | undefined, evidence: Readonly<Record<string, number | string>>): void {
    const name = path === undefined ? undefined : this.paths[path]?.contract.name
    this.#watch.record({ at: this.#epochOrigin + this.#time.now, kind, evidence, ...(name === undefined ? {} : { path: name }) })
  }

  /** Everything known of the link. */
  snapshot(at: Millis): LinkSnapshot {
    const now = this.#time.advance(at)
    return { ...this.#measured(now), events: this.#watch.events }
  }

  #measured(now: Millis): Omit<LinkSnapshot, 'events'> {
    const nameOf = (index: number) => this.paths[index]?.contract.name
    return {
      link: this.contract.name,
      class: this.contract.class,
      openedAt: this.#openedAt,
      lies: this.lies,
      paths: this.paths.map(path => path.snapshot(now)),
      classes: this.#classes.filter(({ id }) => this.contract.allowedClasses.includes(id)).map(each => {
        const snapshot = each.snapshot(nameOf, now)
        return each.id === 'bulk' ? { ...snapshot, queueDelay: this.#bulkDelay(snapshot.queueDelay, now) } : snapshot
      }),
    }
  }

  /** What waits for its hours does not wait for a line. */
  #bulkDelay(waited: Millis, now: Millis): Millis {
    return this.#isBulkTime ? millis(Math.min(waited, now - this.#bulkSince)) : millis(0)
  }

  #end(by: 'this end' | 'far end'): void {
    if (this.#isEnded) return
    this.#isEnded = true
    const at = this.#epochOrigin + this.#time.now
    this.#watch.record({ at, kind: 'link_closed', evidence: { openMillis: at - this.#openedAt, by } })
  }

  /** Of {@link #time}, in milliseconds since the epoch. */
  get #epochOrigin(): number {
    return this.#options.epochOrigin - this.#time.ahead
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

  /**
   * The path that a class is repaired by: the slowest of those that it uses, or the quickest where all of it is on each.
   *
   * @param cameSince - Of what the far end sends: paths that it came on since count, too, since the far end may have
   *   chosen otherwise.
   */
  #pathOf(each: LiveClass | MessageClass, cameSince = Infinity): LinkPath | undefined {
    const { chosen, isDoubled } = each.choice
    let found: LinkPath | undefined
    for (const path of this.paths) {
      if (!chosen.includes(path.index) && !each.in.tracker.cameOn(path.index, cameSince)) continue
      if (found === undefined || path.out.roundTrip < found.out.roundTrip === isDoubled) found = path
    }
    return found ?? this.#best()
  }

  /**
   * How long a packet of a class is of use, by the slowest of the paths that it uses, or did of late: what travels on two
   * may come on either, and what was sent on one is repaired over another once that is gone.
   */
  #budgetOf(each: LiveClass | MessageClass, direction: Direction, now: Millis): number {
    let roundTrip = 0
    for (const { index, out } of this.paths) {
      const isUsed = each.choice.chosen.includes(index) || (direction === 'in' ? each.in.tracker.cameOn(index, now - USE_MEMORY) : each.leftOn(index, now - USE_MEMORY))
      if (isUsed) roundTrip = Math.max(roundTrip, out.roundTrip)
    }
    return each.budget(roundTrip === 0 ? this.roundTrip : millis(roundTrip))
  }

  /** Room for the body of a data frame on every one of these paths, with the parity that may cover it. */
  #room(paths: readonly LinkPath[]): number {
    let mtu: number = 1500
    for (const path of paths) mtu = Math.min(mtu, path.mtu.mtu)
    return Math.min(MAX_PROTECTED_BYTES, mtu - DATAGRAM_OVERHEAD - DATA_HEADER_BYTES - PARITY_ROOM)
  }

  #interval(now: Millis): Millis {
    // What waits is sent at its pace however long ago it was handed over.
    const isBusy = this.#classes.some(each => each.in.tracker.missingCount > 0 || each.out.hasWork(this.#window(each)))
    if (isBusy) return BUSY_STEP
    return now - this.#trafficAt > TRAFFIC_MEMORY ? IDLE_STEP : TRAFFIC_STEP
  }

  #judgePaths(now: Millis): void {
    let isNews = now - this.#choiceAt >= CHOICE_INTERVAL
    for (const path of this.paths) if (path.judge(now)) isNews = true
    if (!isNews) return
    this.#choiceAt = now
    this.#readHours(now)
    const up = this.paths.filter(path => path.state === 'up')
    // When all fall silent at once it is more likely the far end that is busy. There is nothing better to use, either.
    this.#living = up.length > 0 ? up : this.paths.filter(path => now - (path.out.provenAt ?? -Infinity) < LAST_RESORT)
    const candidates = this.#living.map(({ index, upSince }) => ({ index, upSince }))
    const delays = this.#living.map(({ index, out }) => ({ index, oneWay: millis(out.roundTrip / 2), variation: out.variation }))
    const indices = candidates.map(({ index }) => index)
    for (const each of this.#classes) {
      const { chosen, isDoubled } = each.choice
      each.choice.update(candidates, now)
      const isUrgent = each === this.live || each === this.messages.control
      if (isUrgent && !isDoubled && indices.length > 0) this.#resend(each, chosen.filter(index => !indices.includes(index)))
      each.in.tracker.usePaths(delays)
      each.copies.forEach((queue, index) => {
        if (queue.length > 0 && !indices.includes(index)) queue.length = 0
      })
    }
  }

  /** What left on paths since they last proved that they live is most likely lost. The far end would notice, but late. */
  #resend(each: LiveClass | MessageClass, gone: readonly number[]): void {
    for (const index of gone) {
      const { provenAt, roundTrip } = this.paths[index]?.out ?? {}
      if (provenAt !== undefined && roundTrip !== undefined) each.out.resend(index, millis(provenAt - roundTrip))
    }
  }

  #readHours(now: Millis): void {
    const { bulkHours } = this.contract
    if (bulkHours === undefined) return
    const wasBulkTime = this.#isBulkTime
    this.#isBulkTime = isBulkTime(bulkHours, (this.#options.minuteOfDay ?? localMinuteOfDay)(this.#epochOrigin + now))
    if (this.#isBulkTime && !wasBulkTime) this.#bulkSince = now
  }

  #keepPath(path: LinkPath, now: Millis): void {
    path.out.step(now)
    if (now >= path.probeDueAt) this.#probe(path, undefined, now)
    if (path.state !== 'up') return
    const { probe } = path.mtu.step(now)
    if (probe !== undefined) this.#probe(path, probe, now)
    if (now >= path.in.feedbackDueAt) this.#emit(path, this.#writer.feedback(path.in.feedback(path.index, now), now), now)
  }

  /** @param size - To pad to, for MTU discovery. */
  #probe(path: LinkPath, size: number | undefined, now: Millis): void {
    // To the far end a tail is of the way that packets took. It goes by another one when nothing comes by that way.
    const isSilent = (index: number): boolean => now - (this.paths[index]?.in.heardAt ?? -Infinity) > SILENT
    const tails = this.#classes.filter(({ out, choice: { chosen } }) => out.sequence > 0 && (chosen.includes(path.index) || chosen.some(isSilent))).map(tailOf)
    this.#emit(path, this.#writer.probe({ id: path.probe(size === undefined, now), askedAt: this.#epochOrigin + now, size: size ?? 0 }, tails, now), now)
  }

  #answer(path: LinkPath, frame: ProbeFrame, now: Millis): void {
    const at = this.#epochOrigin + now
    this.#emit(path, this.#writer.answer({ ...frame, heardAt: at, answeredAt: at }, now), now)
  }

  #keepLive(now: Millis): void {
    const { live } = this
    const roundTrip = this.#pathOf(live)?.out.roundTrip ?? this.roundTrip
    live.out.queue.expire(live.contract.queueDelayMillis, now)
    const usefulFor = this.#budgetOf(live, 'out', now) - roundTrip / 2
    let keptFor = usefulFor
    for (const { out } of this.#living) keptFor = Math.max(keptFor, live.budget(out.roundTrip) - out.roundTrip / 2)
    live.out.step(usefulFor, now, keptFor)
    live.expireCopies(usefulFor, now)
    for (const parity of live.fec.step(now)) live.parity.push(parity)
  }

  #keepClass(each: LiveClass | MessageClass, now: Millis): void {
    if (now >= each.tailDueAt) this.#sendTail(each, now)
    const path = this.#pathOf(each, now - USE_MEMORY)
    if (path === undefined) return
    const { roundTrip, variation } = path.out
    if (each !== this.live) each.expireCopies(Infinity, now)
    const { ranges } = each.in.step(now, { roundTrip, variation, budget: this.#budgetOf(each, 'in', now) })
    const isDue = each !== this.live && each.in.hasNews && now - each.toldAt >= TELL_INTERVAL
    if (ranges.length === 0 && !isDue) return
    each.in.told()
    each.toldAt = now
    const [best = path, ...others] = this.#byRoundTrip()
    if (ranges.length === 0) this.#request(each, ranges, [best, ...others][this.#tellNumber++ % (1 + others.length)] ?? best, now)
    else if (others.length === 0) this.#request(each, ranges, best, now)
    else {
      // A copy goes over another path than what it is a copy of.
      for (const [turn, way] of [best, ...others].entries()) {
        const due = ranges.filter(({ copy }) => copy % (1 + others.length) === turn)
        if (due.length > 0) this.#request(each, due, way, now)
      }
    }
  }

  #request(each: LiveClass | MessageClass, ranges: readonly RepairRange[], path: LinkPath, now: Millis): void {
    this.#emit(path, this.#writer.request(requestOf(each, ranges), now), now)
  }

  /** The living paths, the quickest first. */
  #byRoundTrip(): readonly LinkPath[] {
    return this.#living.length < 2 ? this.#living : [...this.#living].sort((a, b) => a.out.roundTrip - b.out.roundTrip)
  }

  #sendTail(each: LiveClass | MessageClass, now: Millis): void {
    each.tailSent()
    for (const index of each.choice.chosen) {
      const path = this.paths[index]
      if (path !== undefined) this.#emit(path, this.#writer.tail(tailOf(each), now), now)
    }
  }

  #sendReport(now: Millis): void {
    this.#reportAt = millis(now + REPORT_INTERVAL)
    const best = this.#best()
    if (best === undefined) return
    const paths = this.paths.map(({ index, in: { statistics } }) => ({ index, report: { number: this.#reportNumber++, totals: statistics.totals(now), gauges: statistics.gauges(now) } }))
    const allowed = this.#classes.filter(({ id }) => this.contract.allowedClasses.includes(id))
    // Once more what came: if the last word of that was lost, the far end waits for room for ever.
    const requests = allowed.filter(each => each !== this.live && each.in.tracker.highest > 0).map(each => requestOf(each, []))
    this.#emit(best, this.#writer.reports(paths, allowed.map(each => each.report()), requests, now), now)
  }

  #measure(now: Millis): void {
    if (now < this.#measureAt) return
    this.#measureAt = millis(now + REPORT_INTERVAL)
    this.live.measure(now)
    this.#watch.observe(this.#measured(now), this.#epochOrigin + now)
    this.#parity.step(this.paths[this.live.choice.chosen[0] ?? 0], now)
  }

  #window(each: LiveClass | MessageClass): number {
    if (each === this.live) return Infinity
    // What is under way is still repaired.
    if (each.id === 'bulk' && !this.#isBulkTime) return 0
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
    const hasCopies = (each.copies[path.index]?.length ?? 0) > 0
    const copy = each.takeCopy(path.index, now)
    if (hasCopies && copy === undefined) return true
    // A message is sent again for as long as it takes, and on a path that does not live now, perhaps.
    const packet = copy ?? each.out.next(this.#room(this.paths), now)
    if (packet === undefined) return false
    if (copy === undefined) this.#copy(each, packet, path, now)
    if (each === this.live && copy === undefined && (packet.flags & DATA_FLAG.again) === 0 && packet.body.length <= MAX_PROTECTED_BYTES) {
      for (const more of this.live.fec.add(packet.sequence, packet.body, now)) each.parity.push(more)
    }
    this.#sendPacket(each, packet, path, each.choice.isSpread || copy !== undefined, now)
    return true
  }

  #copy(each: LiveClass | MessageClass, packet: OutgoingPacket, path: LinkPath, now: Millis): void {
    if (each.choice.isDoubled) each.copyToOthers(packet, path.index, each.choice.chosen, now)
    else if (each === this.live && this.#doubled.size > 0 && this.#living.length > 1 && this.#doubled.has(packet.body.readUInt16BE(0))) {
      const other = this.#living.find(living => living !== path)
      if (other !== undefined) each.copyToOthers(packet, path.index, [other.index], now)
    }
  }

  #sendPacket(each: LiveClass | MessageClass, packet: OutgoingPacket, path: LinkPath, isSpread: boolean, now: Millis): void {
    const plaintext = this.#writer.data(each.index, packet, packet.flags | (isSpread ? DATA_FLAG.spread : 0), now)
    if (packet.endOf !== undefined && each instanceof MessageClass) each.out.queue.ended(packet.endOf, packet.sequence)
    packet.path = path.index
    each.sent(path.index, now)
    path.carriesTraffic(now)
    path.out.ledger.spent(each.index, this.#emit(path, plaintext, now, true))
  }

  #sendParity(each: LiveClass | MessageClass, parity: ParityPacket, path: LinkPath, now: Millis): boolean {
    const plaintext = this.#writer.parity({ classId: each.index, ...parity }, now)
    each.fecPackets++
    each.fecBytes += parity.symbol.length
    path.out.ledger.spent(each.index, this.#emit(path, plaintext, now, true))
    return true
  }

  /** @returns The size of the IP packet. */
  #emit(path: LinkPath, plaintext: Buffer, now: Millis, isTraffic = false): number {
    const size = bytes(plaintext.length + HEADER_BYTES + TAG_BYTES + IP_UDP_BYTES)
    this.#options.output.transmit(path.index, path.send(size, isTraffic, now), plaintext)
    return size
  }
}

const knownRate = ({ rateBitsPerSecond: rate }: PathContract): BitsPerSecond | undefined => (rate === undefined ? undefined : bitsPerSecond(rate))

/** What was sent last of a class. */
const tailOf = ({ index, out }: LiveClass | MessageClass): Tail => ({ index, sequence: out.sequence })

/** What came of a class, and what is asked for again. */
const requestOf = ({ index, in: { tracker } }: LiveClass | MessageClass, ranges: readonly RepairRange[]): RequestFrame => ({
  classId: index, cumulative: tracker.cumulative, highest: tracker.highest, ranges,
})
