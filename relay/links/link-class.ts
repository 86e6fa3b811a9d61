import { MAX_PATHS } from '../wire/link.ts'
import { bytes, millis } from '../wire/units.ts'
import { CLASS_REPORT_FIELDS, LIVE_HEADER_BYTES, MESSAGE_HEADER_BYTES } from './carrier/frames.ts'
import { MediaDeliveryIndex } from './measurement/media-delivery-index.ts'
import { PathChoice } from './paths/path-choice.ts'
import { FecEncoder } from './repair/fec-encoder.ts'
import { FecSwitch } from './repair/fec-policy.ts'
import { FlowOrder } from './repair/flow-order.ts'
import { IncomingClass, MAX_PROTECTED_BYTES } from './repair/incoming-class.ts'
import { MessageAssembler } from './repair/message-assembler.ts'
import { LiveQueue } from './sharing/live-queue.ts'
import { MessageQueue } from './sharing/message-queue.ts'
import { OutgoingClass } from './sharing/outgoing-class.ts'
import type { TrafficClass, TrafficContract } from '../wire/link.ts'
import type { Millis } from '../wire/units.ts'
import type { ClassReport } from './carrier/frames.ts'
import type { ClassSnapshot, ClassTotals } from './measurement/link-snapshot.ts'
import type { FlowSink } from './repair/flow-order.ts'
import type { ParityPacket } from './repair/fec-encoder.ts'
import type { OutgoingPacket } from './sharing/packet-queue.ts'

/** A block of parity is closed at the latest after so long: its packets cannot wait for the next image. */
const MAX_BLOCK_AGE = millis(12)
/** How often a live class says what it sent last, once it has nothing more to send. */
const TAIL_AFTER = [millis(6), millis(18), millis(40)] as const
/** Copies for another path that wait at most. */
const MAX_COPIES = 8192
/** A copy is of use while the first may still be on its way; later, what was lost is asked for. */
const MAX_COPY_WAIT = millis(100)

/** One class of traffic of a link, both ways. Does no I/O and reads no clock. */
export abstract class LinkClass {
  readonly id: TrafficClass
  readonly index: number
  readonly contract: TrafficContract
  readonly choice: PathChoice
  abstract readonly out: OutgoingClass<LiveQueue> | OutgoingClass<MessageQueue>
  abstract readonly in: IncomingClass
  /** Parity that waits to be sent. */
  readonly parity: ParityPacket[] = []
  /** By path: packets that left on the other one already. */
  readonly copies: OutgoingPacket[][] = [[], [], [], []]
  /** When the far end was last told what came. */
  toldAt = millis(-Infinity)
  /** Of the class, in front of every body. */
  protected abstract readonly headerBytes: number
  #reported: ClassReport | undefined
  #copiesUsefulFor = Infinity
  /** By path. */
  readonly #leftAt = new Float64Array(MAX_PATHS).fill(-Infinity)
  #sentAt = millis(-Infinity)
  #tails: number = TAIL_AFTER.length
  #tailAllAt = millis(Infinity)
  fecPackets = 0
  fecBytes = 0

  constructor(id: TrafficClass, index: number, contract: TrafficContract) {
    this.id = id
    this.index = index
    this.contract = contract
    this.choice = new PathChoice(contract.policy)
  }

  /** From sending to the last moment of use; Infinity where a packet always is. */
  abstract budget(roundTrip: Millis): number

  /** Packets dropped before they were sent. */
  abstract get droppedPackets(): number

  protected abstract get mdi(): ClassSnapshot['mdi']

  /** A packet left on a path: the others it is to leave on get it, too. */
  copyToOthers(packet: OutgoingPacket, path: number, others: readonly number[], now: Millis): void {
    packet.copiedAt = now
    for (const other of others) {
      const queue = this.copies[other]
      if (other === path || queue === undefined) continue
      queue.push(packet)
      if (queue.length > MAX_COPIES) queue.splice(0, queue.length - MAX_COPIES)
    }
  }

  /** Copies that waited too long are of no use any more: a path that cannot carry all is not to fall ever further behind. @param usefulFor - From first sending. */
  expireCopies(usefulFor: number, now: Millis): void {
    this.#copiesUsefulFor = usefulFor
    for (const queue of this.copies) {
      let expired = 0
      for (let packet = queue[0]; packet !== undefined && this.#isStale(packet, now); packet = queue[expired]) expired++
      if (expired > 0) queue.splice(0, expired)
    }
  }

  /** The copy that goes next on a path, if one is of use. */
  takeCopy(path: number, now: Millis): OutgoingPacket | undefined {
    const queue = this.copies[path]
    for (let packet = queue?.shift(); packet !== undefined; packet = queue?.shift()) if (!this.#isStale(packet, now)) return packet
    return undefined
  }

  #isStale({ copiedAt, sentAt }: OutgoingPacket, now: Millis): boolean {
    return now - copiedAt > Math.min(MAX_COPY_WAIT, this.contract.queueDelayMillis) || now - sentAt > this.#copiesUsefulFor
  }

  /** Something left: sooner or later the far end has to know that nothing came after it. */
  sent(path: number, now: Millis): void {
    this.#leftAt[path] = now
    this.#sentAt = now
    this.#tails = 0
    this.#tailAllAt = millis(now + TAIL_AFTER[0])
  }

  /** Whether something left on a path since. */
  leftOn(path: number, since: number): boolean {
    return (this.#leftAt[path] ?? -Infinity) >= since
  }

  /** When to say what was sent last; Infinity when it was said. */
  get tailDueAt(): number {
    return this.#tailAllAt
  }

  /** It was said. */
  tailSent(): void {
    this.#tails++
    const next = TAIL_AFTER[this.#tails]
    this.#tailAllAt = next === undefined ? millis(Infinity) : millis(this.#sentAt + next)
  }

  /** What the far end said last of what it received. */
  get reported(): ClassReport | undefined {
    return this.#reported
  }

  /** The far end says what it received; older than the last, that changes nothing. @returns false for what cannot be. */
  hear(report: ClassReport): boolean {
    if (knownOf(report) > this.out.sequence) return false
    if (this.#reported === undefined || knownOf(report) >= knownOf(this.#reported)) this.#reported = report
    return true
  }

  /** What the far end is told of what came. */
  report(): ClassReport {
    const { packets, bytes: size, retransmittedPackets, retransmittedBytes, fecPackets, fecBytes, fecRecoveredPackets, deadlineMisses } = this.in.counts
    return { classId: this.index, values: [packets, size, retransmittedPackets, retransmittedBytes, fecPackets, fecBytes, fecRecoveredPackets, deadlineMisses] }
  }

  /** Everything known of it. @param pathName - By index. */
  snapshot(pathName: (index: number) => ClassSnapshot['path'], now: Millis): ClassSnapshot {
    const { chosen, switches } = this.choice
    const [only] = chosen
    return {
      class: this.id,
      policy: this.contract.policy,
      path: only === undefined || chosen.length > 1 ? undefined : pathName(only),
      switches,
      queueDelay: this.out.queue.waited(now),
      totals: { in: this.#incoming(), out: this.#outgoing() },
      mdi: this.mdi,
    }
  }

  #incoming(): ClassTotals {
    const { malformed: _malformed, ...counts } = this.in.counts
    return { ...counts, bytes: bytes(counts.bytes), retransmittedBytes: bytes(counts.retransmittedBytes), fecBytes: bytes(counts.fecBytes), droppedPackets: 0 }
  }

  #outgoing(): ClassTotals {
    const { packets, bytes: size, retransmittedPackets, retransmittedBytes } = this.out.counts
    return {
      packets, bytes: bytes(size - packets * this.headerBytes), retransmittedPackets, retransmittedBytes: bytes(retransmittedBytes),
      fecPackets: this.fecPackets, fecBytes: bytes(this.fecBytes), droppedPackets: this.droppedPackets,
      fecRecoveredPackets: fieldOf(this.#reported, 'fecRecoveredPackets'), deadlineMisses: fieldOf(this.#reported, 'deadlineMisses'),
    }
  }
}

const fieldOf = (report: ClassReport | undefined, field: (typeof CLASS_REPORT_FIELDS)[number]): number => report?.values[CLASS_REPORT_FIELDS.indexOf(field)] ?? 0

/** Packets of whose fate a report tells. */
const knownOf = (report: ClassReport): number => Math.max(fieldOf(report, 'packets'), fieldOf(report, 'fecRecoveredPackets')) + fieldOf(report, 'deadlineMisses')

/** Without a deadline in the contract a live packet is of use for four round trips, within these bounds. */
const LIVE_ROUND_TRIPS = 4
const LIVE_BUDGET = { least: 60, most: 500 } as const

/** Packets of flows, repaired within a budget. */
export class LiveClass extends LinkClass {
  override readonly out = new OutgoingClass(new LiveQueue())
  override readonly in: IncomingClass
  readonly fec = new FecEncoder({ maxBodyLength: MAX_PROTECTED_BYTES, maxBlockAge: MAX_BLOCK_AGE })
  readonly fecSwitch = new FecSwitch()
  protected override readonly headerBytes = LIVE_HEADER_BYTES
  readonly #mdi = new MediaDeliveryIndex()
  #dropped = 0
  #lastMdi: ClassSnapshot['mdi']
  #missed = 0

  constructor(id: TrafficClass, index: number, contract: TrafficContract, sink: FlowSink, clock: () => Millis) {
    super(id, index, contract)
    const order = new FlowOrder((flow, payload) => {
      this.#mdi.received(bytes(payload.length), clock())
      sink(flow, payload)
    })
    this.in = new IncomingClass(
      {
        take: (sequence, body) => order.push(body.readUInt16BE(0), body.readUInt16BE(2), sequence, body.subarray(LIVE_HEADER_BYTES), body.readUInt8(4)),
        release: firstMissing => order.release(firstMissing),
      },
      true,
    )
  }

  override budget(roundTrip: Millis): number {
    return this.contract.deadlineMillis ?? Math.min(LIVE_BUDGET.most, Math.max(LIVE_BUDGET.least, LIVE_ROUND_TRIPS * roundTrip))
  }

  override get droppedPackets(): number {
    this.#dropped += this.out.queue.takeDropped()
    return this.#dropped
  }

  /** A packet that must not be sent is dropped. */
  refuse(): void {
    this.#dropped++
  }

  /** Once a second: the index of the second that ends. */
  measure(now: Millis): void {
    this.#mdi.lost(this.in.counts.deadlineMisses - this.#missed)
    this.#missed = this.in.counts.deadlineMisses
    this.#lastMdi = this.#mdi.take(now)
  }

  protected override get mdi(): ClassSnapshot['mdi'] {
    return this.#lastMdi
  }
}

/** Messages, delivered whole. */
export class MessageClass extends LinkClass {
  override readonly out = new OutgoingClass(new MessageQueue())
  override readonly in: IncomingClass
  protected override readonly headerBytes = MESSAGE_HEADER_BYTES

  constructor(id: TrafficClass, index: number, contract: TrafficContract, sink: (message: Buffer) => void) {
    super(id, index, contract)
    const assembler = new MessageAssembler(id === 'control', sink)
    this.in = new IncomingClass(
      {
        take: (_sequence, body) => {
          const fate = assembler.push(body.readUInt32BE(0), body.readUInt32BE(4), body.readUInt32BE(8), body.subarray(MESSAGE_HEADER_BYTES))
          if (fate !== 'taken') this.in.counts.malformed++
          return true
        },
        release: () => undefined,
      },
      false,
    )
  }

  /** A deadline in the contract changes nothing: a message that misses a packet would hold up all that follow it. */
  override budget(): number {
    return Infinity
  }

  override get droppedPackets(): number {
    return 0
  }

  protected override get mdi(): ClassSnapshot['mdi'] {
    return undefined
  }
}
