import { TRAFFIC_CLASSES } from '../../relay/wire/link.ts'
import { REFUSALS } from '../../relay/links/measurement/link-snapshot.ts'
import { bitsPerSecond, bytes, millis } from '../../relay/wire/units.ts'
import type { ClassSnapshot, ClassTotals, Direction, LinkEvent, LinkSnapshot, PathGauges, PathSnapshot, PathTotals, Refusal } from '../../relay/links/measurement/link-snapshot.ts'
import type { LinkClass, LinkName, PathName, PathPolicy, TrafficClass } from '../../relay/wire/link.ts'
import type { LinkDirectory } from '../../sfu/links/link-metrics.ts'

/** What goes wrong, from the moment it is planted until it is mended. */
export type PlantedFault =
  | { readonly kind: 'path_down'; readonly link: string; readonly path: string }
  /** Before repair; repair keeps up. */
  | { readonly kind: 'loss'; readonly link: string; readonly path: string; readonly ratio: number }
  /** What repair does not bring back, of `live` in both directions. */
  | { readonly kind: 'loss_after_repair'; readonly link: string; readonly ratio: number }
  | { readonly kind: 'class_degraded'; readonly link: string; readonly class: TrafficClass }
  | { readonly kind: 'contract_broken'; readonly link: string }
  | { readonly kind: 'congestion'; readonly link: string; readonly path: string }
  | { readonly kind: 'clock_offset'; readonly link: string; readonly offset: number }
  | { readonly kind: 'junk'; readonly perSecond: number }

interface FakePath {
  readonly name: string
  readonly roundTrip: number
  readonly jitter: number
  readonly loss: number
  readonly capacity: number
}

interface FakeLinkPlan {
  readonly name: string
  readonly class: LinkClass
  readonly paths: readonly FakePath[]
  readonly policies: Readonly<Record<TrafficClass, PathPolicy>>
  /** Payload in bits per second, in and out. */
  readonly load: Readonly<Record<TrafficClass, Readonly<Record<Direction, number>>>>
}

const quiet = { in: 0, out: 0 }
const PLANS: readonly FakeLinkPlan[] = [
  {
    name: 'kita-hospital', class: 'best-effort',
    paths: [{ name: 'ftth', roundTrip: 18, jitter: 3, loss: 0.004, capacity: 120e6 }, { name: 'mobile', roundTrip: 41, jitter: 9, loss: 0.01, capacity: 60e6 }],
    policies: { live: 'failover', control: 'hitless', tiles: 'hitless', bulk: 'bond' },
    load: { live: { in: 62e6, out: 8e6 }, control: { in: 60e3, out: 60e3 }, tiles: quiet, bulk: { in: 0, out: 24e6 } },
  },
  {
    name: 'university', class: 'sinet',
    paths: [{ name: 'sinet', roundTrip: 9, jitter: 0.4, loss: 0, capacity: 900e6 }],
    policies: { live: 'single', control: 'single', tiles: 'single', bulk: 'single' },
    load: { live: { in: 0, out: 86e6 }, control: { in: 40e3, out: 40e3 }, tiles: { in: 0, out: 12e6 }, bulk: quiet },
  },
]

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] }
interface MutablePathTotals extends Mutable<Omit<PathTotals, 'burstsByLength' | 'gapsByLength'>> {
  burstsByLength: number[]
  gapsByLength: number[]
}

const PACKET_BYTES = 1200
const BURST_BOUNDS = [1, 2, 4, 8, 16, 32]
const GAP_BOUNDS = [10, 100, 1000, 10_000]
const STEP_MILLIS = 100
/** Events that a link keeps. */
const MAX_EVENTS = 256

const bucketOf = (bounds: readonly number[], value: number): number => {
  const index = bounds.findIndex(bound => value <= bound)
  return index < 0 ? bounds.length : index
}

const noPathTotals = (): MutablePathTotals =>
  ({ packets: 0, bytes: bytes(0), lostPackets: 0, lossBursts: 0, duplicatePackets: 0, reorderedPackets: 0, burstsByLength: Array<number>(7).fill(0), gapsByLength: Array<number>(5).fill(0) })
const noClassTotals = (): Mutable<ClassTotals> =>
  ({ packets: 0, bytes: bytes(0), retransmittedPackets: 0, retransmittedBytes: bytes(0), fecPackets: 0, fecBytes: bytes(0), fecRecoveredPackets: 0, deadlineMisses: 0, droppedPackets: 0 })

/** Links that nobody runs: they move with the clock that they are given, the same way for the same seed, and fail when told to. */
export class FakeLinks implements LinkDirectory {
  readonly #now: () => number
  readonly #links: FakeLink[]
  readonly #faults: PlantedFault[] = []
  readonly #refused = Object.fromEntries(REFUSALS.map(cause => [cause, 0])) as Record<Refusal, number>
  #steppedTo: number

  /** @param now - Milliseconds since the epoch. */
  constructor(seed: number, now: () => number) {
    this.#now = now
    this.#steppedTo = now()
    this.#links = PLANS.map((plan, index) => new FakeLink(plan, randomFrom(seed + index), now()))
  }

  snapshots(): readonly LinkSnapshot[] {
    this.#advance()
    return this.#links.filter(link => link.isOpen).map(link => link.snapshot())
  }

  refusedDatagrams(): Readonly<Record<Refusal, number>> {
    this.#advance()
    return this.#refused
  }

  takeClosed(): readonly LinkSnapshot[] {
    return []
  }

  plant(fault: PlantedFault): void {
    this.#advance()
    this.#faults.push(fault)
    if (fault.kind !== 'junk') this.#find(fault.link).begin(fault, this.#steppedTo)
  }

  /** Takes every fault back. */
  mend(): void {
    this.#advance()
    for (const fault of this.#faults.splice(0)) if (fault.kind !== 'junk') this.#find(fault.link).end(fault, this.#steppedTo)
  }

  close(link: string): void {
    this.#advance()
    this.#find(link).isOpen = false
  }

  /** Closes the link and opens it again: its totals begin at 0. */
  reopen(link: string): void {
    this.#advance()
    const index = this.#links.indexOf(this.#find(link))
    this.#links[index] = new FakeLink(this.#links[index]!.plan, randomFrom(index), this.#steppedTo)
  }

  #find(name: string): FakeLink {
    const link = this.#links.find(it => it.plan.name === name)
    if (link === undefined) throw new Error(`there is no fake link ${name}`)
    return link
  }

  #advance(): void {
    for (; this.#steppedTo + STEP_MILLIS <= this.#now(); this.#steppedTo += STEP_MILLIS) {
      for (const link of this.#links) link.step(this.#faults.filter(fault => 'link' in fault && fault.link === link.plan.name))
      const junk = this.#faults.find(fault => fault.kind === 'junk')
      if (junk !== undefined) this.#refused.malformed += (junk.perSecond * STEP_MILLIS) / 1000
    }
  }
}

/** Mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

interface MovingPath {
  readonly plan: FakePath
  readonly totals: Record<Direction, MutablePathTotals>
  gauges: Record<Direction, PathGauges>
  roundTrip: number
  queueing: number
  outages: number
  isDown: boolean
}

class FakeLink {
  readonly plan: FakeLinkPlan
  isOpen = true
  readonly #random: () => number
  readonly #openedAt: number
  readonly #paths: MovingPath[]
  readonly #classes = new Map(TRAFFIC_CLASSES.map(id => [id, { totals: { in: noClassTotals(), out: noClassTotals() }, queueDelay: 0, switches: 0, missed: 0 }]))
  #events: LinkEvent[] = []
  #clockOffset = 0.4
  /** Wanders slowly about 1. */
  #swing = 1

  constructor(plan: FakeLinkPlan, random: () => number, openedAt: number) {
    this.plan = plan
    this.#random = random
    this.#openedAt = openedAt
    const still: PathGauges = { jitter: millis(0), delayVariation: { p50: millis(0), p95: millis(0) }, lossRatio: 0, throughput: bitsPerSecond(0) }
    this.#paths = plan.paths.map(path => ({ plan: path, totals: { in: noPathTotals(), out: noPathTotals() }, gauges: { in: still, out: still }, roundTrip: path.roundTrip, queueing: 0, outages: 0, isDown: false }))
    this.#tell(openedAt, 'link_opened', { paths: plan.paths.length })
    for (const path of plan.paths) this.#tell(openedAt, 'path_up', { roundTripMillis: path.roundTrip }, path.name)
  }

  begin(fault: PlantedFault, at: number): void {
    if (fault.kind === 'path_down') {
      const path = this.#path(fault.path)
      path.isDown = true
      path.outages++
      this.#tell(at, 'path_down', { roundTripMillis: Math.round(path.roundTrip), lossRatioIn: path.gauges.in.lossRatio, lossRatioOut: path.gauges.out.lossRatio, queueingDelayMillis: path.queueing, capacityBitsPerSecond: path.plan.capacity, outages: path.outages }, fault.path)
      for (const it of this.#classes.values()) it.switches++
    } else if (fault.kind === 'class_degraded') {
      this.#tell(at, 'class_degraded', { lossAfterRepairRatio: 0.021, deadlineMisses: 1180, droppedRatio: 0, droppedPackets: 0, queueDelayMillis: 0.4, promisedQueueDelayMillis: 20, toleratedLossRatio: 0.001 }, undefined, fault.class)
    } else if (fault.kind === 'contract_broken') {
      this.#tell(at, 'contract_broken', { term: 'lossRatioIn', lossRatio: 0.034, promisedLossRatio: 0.01, lostPackets: 12_040, sentPackets: 354_118, windowSeconds: 60 })
    }
  }

  end(fault: PlantedFault, at: number): void {
    if (fault.kind === 'path_down') {
      this.#path(fault.path).isDown = false
      this.#tell(at, 'path_up', { roundTripMillis: this.#path(fault.path).plan.roundTrip }, fault.path)
    } else if (fault.kind === 'class_degraded') this.#tell(at, 'class_recovered', { lossAfterRepairRatio: 0, deadlineMisses: 0, droppedRatio: 0, droppedPackets: 0, queueDelayMillis: 0.4, promisedQueueDelayMillis: 20, degradedMillis: 38_400 }, undefined, fault.class)
    else if (fault.kind === 'contract_broken') this.#tell(at, 'contract_kept', { term: 'lossRatioIn', lossRatio: 0.004, promisedLossRatio: 0.01, lostPackets: 1395, sentPackets: 354_118, windowSeconds: 60, brokenMillis: 92_000 })
    else if (fault.kind === 'clock_offset') this.#clockOffset = 0.4
  }

  step(faults: readonly PlantedFault[]): void {
    this.#swing += (this.#random() - 0.5) * 0.04 + (1 - this.#swing) * 0.02
    const up = this.#paths.filter(path => !path.isDown)
    const lateRatio = faults.find(fault => fault.kind === 'loss_after_repair')?.ratio ?? 0
    for (const fault of faults) if (fault.kind === 'clock_offset') this.#clockOffset = fault.offset
    for (const path of this.#paths) {
      const loss = faults.find(fault => fault.kind === 'loss' && fault.path === path.plan.name)
      const isCongested = faults.some(fault => fault.kind === 'congestion' && fault.path === path.plan.name)
      this.#stepPath(path, up, loss?.kind === 'loss' ? loss.ratio : path.plan.loss, isCongested)
    }
    for (const id of TRAFFIC_CLASSES) this.#stepClass(id, up, id === 'live' ? lateRatio : 0, faults.some(fault => fault.kind === 'congestion'))
  }

  #load(id: TrafficClass, direction: Direction): number {
    return this.plan.load[id][direction] * (id === 'live' ? this.#swing : 1)
  }

  #stepPath(path: MovingPath, up: readonly MovingPath[], loss: number, isCongested: boolean): void {
    path.queueing = path.isDown ? 0 : isCongested ? 38 + this.#random() * 12 : Math.max(0, path.queueing * 0.9 + this.#random() * 0.25)
    path.roundTrip += (path.plan.roundTrip + path.queueing + this.#random() * path.plan.jitter - path.roundTrip) * 0.125
    for (const direction of ['in', 'out'] as const) {
      const share = (id: TrafficClass): number => {
        if (path.isDown) return 0
        const policy = this.plan.policies[id]
        if (policy === 'hitless') return 1
        if (policy === 'bond') return path.plan.capacity / up.reduce((sum, it) => sum + it.plan.capacity, 0)
        return path === up[0] ? 1 : 0
      }
      // Probes flow on every path that lives.
      const load = TRAFFIC_CLASSES.reduce((sum, id) => sum + this.#load(id, direction) * share(id), path.isDown ? 0 : 20_000)
      const sent = Math.ceil(((load / 8) * (STEP_MILLIS / 1000)) / PACKET_BYTES)
      const lost = this.#lose(path.totals[direction], sent, loss)
      const totals = path.totals[direction]
      totals.packets += sent - lost
      totals.bytes = bytes(totals.bytes + (sent - lost) * (PACKET_BYTES + 28))
      if (this.#random() < 0.02 && sent > 10) totals.reorderedPackets += 2
      if (this.#random() < 0.01 && sent > 10) totals.duplicatePackets++
      const before = path.gauges[direction]
      path.gauges[direction] = {
        jitter: millis(before.jitter + (path.plan.jitter * (0.4 + this.#random()) - before.jitter) / 16),
        delayVariation: { p50: millis(path.plan.jitter * 0.4 + path.queueing), p95: millis(path.plan.jitter * (1.2 + this.#random() * 0.6) + path.queueing) },
        lossRatio: before.lossRatio + ((sent === 0 ? 0 : lost / sent) - before.lossRatio) / 60,
        throughput: bitsPerSecond(before.throughput + (((sent - lost) * (PACKET_BYTES + 28) * 8 * 1000) / STEP_MILLIS - before.throughput) / 4),
      }
    }
  }

  /** Loses packets of `totals` in bursts of 1 to 12. @returns how many. */
  #lose(totals: MutablePathTotals, sent: number, ratio: number): number {
    let left = 0
    for (let count = 0; count < sent; count++) if (this.#random() < ratio) left++
    const lost = left
    while (left > 0) {
      const length = Math.min(left, 1 + Math.floor(this.#random() ** 3 * 12))
      left -= length
      totals.lossBursts++
      totals.burstsByLength[bucketOf(BURST_BOUNDS, length)]!++
      totals.gapsByLength[bucketOf(GAP_BOUNDS, Math.round((sent / lost) * (0.3 + this.#random() * 2)))]!++
    }
    totals.lostPackets += lost
    return lost
  }

  #stepClass(id: TrafficClass, up: readonly MovingPath[], lateRatio: number, isCongested: boolean): void {
    const it = this.#classes.get(id)!
    it.queueDelay = isCongested && id !== 'control' ? 30 + this.#random() * 40 : this.#random() * (id === 'bulk' ? 6 : 0.6)
    for (const direction of ['in', 'out'] as const) {
      const totals = it.totals[direction]
      const wanted = Math.ceil(((this.#load(id, direction) / 8) * (STEP_MILLIS / 1000)) / PACKET_BYTES)
      if (up.length === 0) {
        if (direction === 'out') totals.droppedPackets += wanted
        continue
      }
      const lossRatio = up[0]!.gauges[direction].lossRatio
      const late = direction === 'in' || lateRatio > 0 ? Math.round(wanted * lateRatio) : 0
      const repaired = Math.round(wanted * lossRatio)
      const parity = lossRatio > 0.002 && id === 'live' ? Math.ceil(wanted * 0.03) : 0
      totals.packets += wanted - (direction === 'in' ? late : 0)
      totals.bytes = bytes(totals.bytes + (wanted - (direction === 'in' ? late : 0)) * PACKET_BYTES)
      totals.retransmittedPackets += repaired
      totals.retransmittedBytes = bytes(totals.retransmittedBytes + repaired * PACKET_BYTES)
      totals.fecPackets += parity
      totals.fecBytes = bytes(totals.fecBytes + parity * PACKET_BYTES)
      totals.fecRecoveredPackets += Math.min(parity, Math.round(repaired / 2))
      totals.deadlineMisses += late
      if (direction === 'in') it.missed = late
    }
  }

  snapshot(): LinkSnapshot {
    return {
      link: this.plan.name as LinkName, class: this.plan.class, openedAt: this.#openedAt, lies: 0,
      paths: this.#paths.map(path => this.#snapshotPath(path)),
      classes: TRAFFIC_CLASSES.map(id => this.#snapshotClass(id)),
      events: [...this.#events],
    }
  }

  #snapshotPath(path: MovingPath): PathSnapshot {
    const copy = (totals: MutablePathTotals): PathTotals => ({ ...totals, burstsByLength: [...totals.burstsByLength], gapsByLength: [...totals.gapsByLength] })
    const used = path.gauges.out.throughput
    return {
      path: path.plan.name as PathName, state: path.isDown ? 'down' : 'up', outages: path.outages,
      roundTrip: millis(path.roundTrip), shortestRoundTrip: millis(path.plan.roundTrip),
      capacity: bitsPerSecond(path.plan.capacity), headroom: bitsPerSecond(path.queueing > 20 ? 0 : Math.max(0, path.plan.capacity - used)), queueingDelay: millis(path.queueing),
      mtu: bytes(1500), clockOffset: millis(this.#clockOffset),
      totals: { in: copy(path.totals.in), out: copy(path.totals.out) }, gauges: { ...path.gauges },
    }
  }

  #snapshotClass(id: TrafficClass): ClassSnapshot {
    const it = this.#classes.get(id)!
    const policy = this.plan.policies[id]
    const live = this.#paths.find(path => !path.isDown)
    return {
      class: id, policy, path: policy === 'bond' || policy === 'hitless' ? undefined : (live?.plan.name as PathName | undefined),
      switches: it.switches, queueDelay: millis(it.queueDelay), totals: { in: { ...it.totals.in }, out: { ...it.totals.out } },
      mdi: id === 'live' && this.plan.load.live.in > 0 ? { delayFactor: millis(12 + this.#swing * 4), mediaLossRate: it.missed * (1000 / STEP_MILLIS) } : undefined,
    }
  }

  #path(name: string): MovingPath {
    const path = this.#paths.find(it => it.plan.name === name)
    if (path === undefined) throw new Error(`there is no fake path ${name}`)
    return path
  }

  #tell(at: number, kind: LinkEvent['kind'], evidence: LinkEvent['evidence'], path?: string, id?: TrafficClass): void {
    this.#events = [...this.#events, { at, kind, path: path as PathName | undefined, class: id, evidence }].slice(-MAX_EVENTS)
  }
}
