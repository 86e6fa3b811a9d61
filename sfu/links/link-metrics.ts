import { Counter, Gauge } from 'prom-client'
import { LengthHistogram } from './length-histogram.ts'
import { LinkStandings } from './link-standing.ts'
import type { ClassSnapshot, ClassTotals, Direction, LinkSnapshot, PathGauges, PathSnapshot, PathTotals, Refusal } from '../../relay/links/measurement/link-snapshot.ts'
import type { LinkName } from '../../relay/wire/link.ts'
import type { Registry } from 'prom-client'

/** What an operator is shown of the links of a node: where the figures come from. */
export interface LinkDirectory {
  /** Every link that is open now. */
  snapshots(): readonly LinkSnapshot[]
  /** Datagrams refused at the links' port since the node started, by cause. They belong to no link: who sent them is not proven. */
  refusedDatagrams(): Readonly<Record<Refusal, number>>
  /** Links closed since the last call, as they were at the end. */
  takeClosed(): readonly LinkSnapshot[]
}

/** More names of links than this are not made label values. */
export const MAX_LINK_LABELS = 256
/** More names of paths than this, of one link, are not made label values: the far end may choose them. */
export const MAX_PATH_LABELS = 8
/** The label value of what is beyond these bounds: its counters are summed, its gauges are not shown. */
export const OTHER = 'other'

const DIRECTIONS = ['in', 'out'] as const
const SENT: readonly Direction[] = ['out']

type Labels = Readonly<Record<string, string>>

interface Row<Source> {
  readonly name: string
  readonly help: string
  readonly of: (source: Source) => number | undefined
}

const PATH_COUNTERS: readonly Row<PathTotals>[] = [
  { name: 'bytes_total', help: 'Bytes that arrived, with IP and UDP headers.', of: it => it.bytes },
  { name: 'packets_total', help: 'Datagrams that arrived.', of: it => it.packets },
  { name: 'lost_packets_total', help: 'Datagrams that never arrived, before repair.', of: it => it.lostPackets },
  { name: 'duplicate_packets_total', help: 'Datagrams that arrived more than once.', of: it => it.duplicatePackets },
  { name: 'reordered_packets_total', help: 'Datagrams that arrived after one sent later (RFC 4737 3.3).', of: it => it.reorderedPackets },
]

const PATH_DIRECTION_GAUGES: readonly Row<PathGauges>[] = [
  { name: 'jitter_seconds', help: 'Interarrival jitter (RFC 3550 6.4.1).', of: it => it.jitter / 1000 },
  { name: 'delay_variation_median_seconds', help: 'One-way delay above the shortest of the last half minute (RFC 3393): median of the last second.', of: it => it.delayVariation.p50 / 1000 },
  { name: 'delay_variation_p95_seconds', help: 'As the median, 95th percentile.', of: it => it.delayVariation.p95 / 1000 },
  { name: 'loss_ratio', help: 'Lost over sent in the last ten seconds, before repair.', of: it => it.lossRatio },
  { name: 'throughput_bytes_per_second', help: 'What arrived in the last second, with IP and UDP headers.', of: it => it.throughput / 8 },
]

const seconds = (duration: number | undefined): number | undefined => (duration === undefined ? undefined : duration / 1000)

const bytesPerSecond = (rate: number | undefined): number | undefined => (rate === undefined ? undefined : rate / 8)

const PATH_GAUGES: readonly Row<PathSnapshot>[] = [
  { name: 'up', help: '1 while a probe proves the path, else 0: also before the first answer.', of: it => (it.state === 'up' ? 1 : 0) },
  { name: 'round_trip_seconds', help: 'Smoothed round trip time (RFC 6298).', of: it => seconds(it.roundTrip) },
  { name: 'shortest_round_trip_seconds', help: 'Shortest round trip time.', of: it => seconds(it.shortestRoundTrip) },
  { name: 'capacity_bytes_per_second', help: 'What this end takes the path to carry from here. Absent while that is neither stated nor seen.', of: it => bytesPerSecond(it.capacity) },
  { name: 'headroom_bytes_per_second', help: 'Of the capacity, what is not in use. Absent with it.', of: it => bytesPerSecond(it.headroom) },
  { name: 'queueing_delay_seconds', help: "Queueing that this end's own traffic meets on the path.", of: it => it.queueingDelay / 1000 },
  { name: 'mtu_bytes', help: 'Largest IP packet known to pass (RFC 8899).', of: it => it.mtu },
  { name: 'clock_offset_seconds', help: "The far end's clock less this one's.", of: it => seconds(it.clockOffset) },
]

const CLASS_COUNTERS: readonly (Row<ClassTotals> & { readonly directions: readonly Direction[] })[] = [
  { name: 'bytes_total', help: 'Payload: out in first transmissions, in handed over whole.', of: it => it.bytes, directions: DIRECTIONS },
  { name: 'packets_total', help: 'As bytes, in packets.', of: it => it.packets, directions: DIRECTIONS },
  { name: 'retransmitted_bytes_total', help: 'Bytes of packets sent again.', of: it => it.retransmittedBytes, directions: DIRECTIONS },
  { name: 'retransmitted_packets_total', help: 'Packets sent again.', of: it => it.retransmittedPackets, directions: DIRECTIONS },
  { name: 'fec_bytes_total', help: 'Bytes of parity (forward error correction).', of: it => it.fecBytes, directions: DIRECTIONS },
  { name: 'fec_packets_total', help: 'Packets of parity (forward error correction).', of: it => it.fecPackets, directions: DIRECTIONS },
  { name: 'fec_recovered_packets_total', help: 'Packets that came about from parity; out: as the far end reports it.', of: it => it.fecRecoveredPackets, directions: DIRECTIONS },
  { name: 'deadline_misses_total', help: 'Packets given up at the deadline, that is loss after repair; out: as the far end reports it.', of: it => it.deadlineMisses, directions: DIRECTIONS },
  { name: 'dropped_packets_total', help: 'Packets dropped before sending, for waiting too long or for want of a path.', of: it => it.droppedPackets, directions: SENT },
]

const CLASS_GAUGES: readonly Row<ClassSnapshot>[] = [
  { name: 'queue_delay_seconds', help: 'How long the oldest waiting packet waits here.', of: it => it.queueDelay / 1000 },
  { name: 'media_delay_factor_seconds', help: 'Delay factor of the Media Delivery Index of what is received (RFC 4445 3.1), over the last second.', of: it => seconds(it.mdi?.delayFactor) },
  { name: 'media_loss_rate_packets_per_second', help: 'Media loss rate of the Media Delivery Index (RFC 4445 3.2).', of: it => it.mdi?.mediaLossRate },
]

/** By length: what {@link PathTotals} says of its arrays. */
const BURST_BOUNDS = [1, 2, 4, 8, 16, 32]
const GAP_BOUNDS = [10, 100, 1000, 10_000]

/** Turns what links count since they were opened into growth since the last reading. */
class Growth {
  readonly #links = new Map<LinkName, { readonly openedAt: number; readonly totals: Map<string, number> }>()

  /** A reader of one link's totals. A link that was opened again counts from 0; a total that falls adds nothing until it passes its highest. */
  of({ link, openedAt }: LinkSnapshot): (name: string, total: number) => number {
    let entry = this.#links.get(link)
    if (entry?.openedAt !== openedAt) this.#links.set(link, (entry = { openedAt, totals: new Map() }))
    const { totals } = entry
    return (name, total) => {
      const before = totals.get(name) ?? 0
      totals.set(name, Math.max(before, total))
      return Math.max(0, total - before)
    }
  }

  retain(present: ReadonlySet<LinkName>): void {
    for (const link of this.#links.keys()) if (!present.has(link)) this.#links.delete(link)
  }
}

/** The metrics of a node's links. `docs/METRICS.md` lists them; a test compares the two. */
export class LinkMetrics {
  readonly #growth = new Growth()
  readonly #standings = new LinkStandings()
  /** Paths by link. */
  readonly #labelled = new Map<string, Set<string>>()
  readonly #refusedBefore = new Map<string, number>()
  readonly #counters: ReadonlyMap<string, Counter>
  readonly #gauges: ReadonlyMap<string, Gauge>
  readonly #bursts: LengthHistogram<'link' | 'path' | 'direction'>
  readonly #gaps: LengthHistogram<'link' | 'path' | 'direction'>

  constructor(registry: Registry) {
    const registers = [registry]
    const perPath = ['link', 'path'] as const
    const perPathDirection = ['link', 'path', 'direction'] as const
    const perClass = ['link', 'class'] as const
    const counter = (name: string, help: string, labelNames: readonly string[]): [string, Counter] =>
      [name, new Counter({ name: `kenkyo_link_${name}`, help, labelNames: [...labelNames], registers })]
    const gauge = (name: string, help: string, labelNames: readonly string[]): [string, Gauge] =>
      [name, new Gauge({ name: `kenkyo_link_${name}`, help, labelNames: [...labelNames], registers })]
    this.#counters = new Map([
      ...PATH_COUNTERS.map(({ name, help }) => counter(`path_${name}`, help, perPathDirection)),
      counter('path_outages_total', 'Times that a path went down.', perPath),
      ...CLASS_COUNTERS.map(({ name, help, directions }) => counter(`class_${name}`, help, directions === DIRECTIONS ? [...perClass, 'direction'] : perClass)),
      counter('class_switches_total', 'Times that a class moved from one path to another.', perClass),
      counter('far_end_lies_total', 'Frames and claims of the far end that made no sense.', ['link']),
      counter('refused_datagrams_total', "Datagrams refused at the links' port.", ['cause']),
    ])
    this.#gauges = new Map([
      gauge('opened_timestamp_seconds', 'When the link was opened, in seconds since the epoch.', ['link']),
      gauge('contract_breaches', 'Promises of the contract that are broken now.', ['link']),
      ...PATH_GAUGES.map(({ name, help }) => gauge(`path_${name}`, help, perPath)),
      ...PATH_DIRECTION_GAUGES.map(({ name, help }) => gauge(`path_${name}`, help, perPathDirection)),
      ...CLASS_GAUGES.map(({ name, help }) => gauge(`class_${name}`, help, perClass)),
      gauge('class_degraded', '1 while the class is not served as agreed, else 0.', perClass),
    ])
    this.#bursts = new LengthHistogram({
      name: 'kenkyo_link_path_loss_burst_packets', help: 'Lengths of runs of consecutive lost datagrams (RFC 3611 4.7.2), before repair.',
      labelNames: perPathDirection, buckets: BURST_BOUNDS, registers,
    })
    this.#gaps = new LengthHistogram({
      name: 'kenkyo_link_path_loss_gap_packets', help: 'Datagrams that arrived between two bursts of loss.',
      labelNames: perPathDirection, buckets: GAP_BOUNDS, registers,
    })
  }

  /**
   * Takes in what the links say now: once a second, so that little is lost when one closes, and at each scrape.
   * Gauges show this reading alone: what is unknown in it is absent.
   */
  read(directory: LinkDirectory): void {
    const snapshots = directory.snapshots()
    for (const metric of this.#gauges.values()) metric.reset()
    for (const snapshot of snapshots) this.#readLink(snapshot)
    const present = new Set(snapshots.map(({ link }) => link))
    this.#growth.retain(present)
    this.#standings.retain(present)
    for (const [cause, total] of Object.entries(directory.refusedDatagrams())) {
      this.#add('refused_datagrams_total', { cause }, Math.max(0, total - (this.#refusedBefore.get(cause) ?? 0)))
      this.#refusedBefore.set(cause, total)
    }
  }

  #readLink(snapshot: LinkSnapshot): void {
    const link = this.#labelOf(snapshot.link)
    const grew = this.#growth.of(snapshot)
    const { degraded, broken } = this.#standings.read(snapshot)
    this.#show('opened_timestamp_seconds', { link }, snapshot.openedAt / 1000)
    this.#show('contract_breaches', { link }, broken.length)
    this.#add('far_end_lies_total', { link }, grew('lies', snapshot.lies))
    for (const path of snapshot.paths) this.#readPath(link, path, grew)
    for (const it of snapshot.classes) {
      this.#readClass(link, it, grew)
      this.#show('class_degraded', { link, class: it.class }, degraded.includes(it.class) ? 1 : 0)
    }
  }

  #readPath(link: string, path: PathSnapshot, grew: (name: string, total: number) => number): void {
    const labels = { link, path: this.#pathLabelOf(link, path.path) }
    this.#add('path_outages_total', labels, grew(`${path.path} outages`, path.outages))
    for (const { name, of } of PATH_GAUGES) this.#show(`path_${name}`, labels, of(path))
    for (const direction of DIRECTIONS) {
      const totals = path.totals[direction]
      const grewHere = (name: string, total: number): number => grew(`${path.path} ${direction} ${name}`, total)
      const sides = { ...labels, direction }
      const grown = new Map(PATH_COUNTERS.map(({ name, of }) => [name, grewHere(name, of(totals) ?? 0)]))
      for (const [name, increment] of grown) this.#add(`path_${name}`, sides, increment)
      this.#bursts.add(sides, totals.burstsByLength.map((total, index) => grewHere(`burst ${index}`, total)), grown.get('lost_packets_total') ?? 0)
      this.#gaps.add(sides, totals.gapsByLength.map((total, index) => grewHere(`gap ${index}`, total)), grown.get('packets_total') ?? 0)
      // Before the first datagram there is nothing that these could be true of.
      if (totals.packets === 0) continue
      for (const { name, of } of PATH_DIRECTION_GAUGES) this.#show(`path_${name}`, sides, of(path.gauges[direction]))
    }
  }

  #readClass(link: string, it: ClassSnapshot, grew: (name: string, total: number) => number): void {
    const labels = { link, class: it.class }
    this.#add('class_switches_total', labels, grew(`${it.class} switches`, it.switches))
    for (const { name, of } of CLASS_GAUGES) this.#show(`class_${name}`, labels, of(it))
    for (const { name, of, directions } of CLASS_COUNTERS) {
      for (const direction of directions) {
        const increment = grew(`${it.class} ${direction} ${name}`, of(it.totals[direction]) ?? 0)
        this.#add(`class_${name}`, directions === DIRECTIONS ? { ...labels, direction } : labels, increment)
      }
    }
  }

  #labelOf(link: LinkName): string {
    if (this.#labelled.has(link)) return link
    if (this.#labelled.size >= MAX_LINK_LABELS) return OTHER
    this.#labelled.set(link, new Set())
    return link
  }

  #pathLabelOf(link: string, path: string): string {
    const paths = this.#labelled.get(link)
    if (paths === undefined || (!paths.has(path) && paths.size >= MAX_PATH_LABELS)) return OTHER
    paths.add(path)
    return path
  }

  #add(name: string, labels: Labels, increment: number): void {
    this.#counters.get(name)?.inc(labels, increment)
  }

  #show(name: string, labels: Labels, value: number | undefined): void {
    if (value !== undefined && labels['link'] !== OTHER && labels['path'] !== OTHER) this.#gauges.get(name)?.set(labels, value)
  }
}
