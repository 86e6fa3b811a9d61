import { readReceiveBufferErrors } from './kernel-counters.ts'
import { LOCAL_LINK } from './node-metrics.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import { WITHHELD_CAUSES } from '../relay/wire/signaling.ts'
import type { Role } from '../relay/wire/signaling.ts'
import type { Consultation } from './consultation.ts'
import type { NodeMetrics } from './node-metrics.ts'
import type { FlowControl } from './flow/flow-control.ts'
import type { WorkerPool } from './worker-pool.ts'
import type { Consumer, Producer, ProducerStat, ConsumerStat, WebRtcTransport } from 'mediasoup/types'

type Direction = 'in' | 'out'
type StreamStats = ProducerStat | ConsumerStat

/**
 * Turns totals that a source keeps into increments; forgets a source when nobody else holds it.
 *
 * A total that falls adds nothing until it is past its highest again: packets counted as lost, for
 * one, may turn out to have been late.
 */
class Increments {
  readonly #totals = new WeakMap<object, Map<string, number>>()

  /** What was added to the highest total named `name` of `source` since the last call. */
  take(source: object, name: string, total: number): number {
    let totals = this.#totals.get(source)
    if (totals === undefined) this.#totals.set(source, (totals = new Map<string, number>()))
    const before = totals.get(name) ?? 0
    totals.set(name, Math.max(before, total))
    return Math.max(0, total - before)
  }
}

/** Gauges of one rendition and direction, gathered over all its streams before they are shown. */
interface RenditionGauges {
  bitsPerSecond: number
  jitterSeconds: number
  score: number
}

/** Reads the workers' statistics at an interval and keeps the node's metrics up to date. */
export class StatsCollector {
  readonly #metrics: NodeMetrics
  readonly #pool: WorkerPool
  readonly #consultations: () => Iterable<Consultation>
  readonly #log: Logger
  readonly #increments = new Increments()
  /** Sources that were paused at their last reading. */
  readonly #quiet = new WeakSet<object>()
  /** Readings in a row at which nobody asked for a rendition. */
  readonly #undemanded = new WeakMap<object, number>()
  readonly #timer: NodeJS.Timeout
  #isBusy = false

  constructor(metrics: NodeMetrics, pool: WorkerPool, consultations: () => Iterable<Consultation>, intervalSeconds: number, log: Logger) {
    this.#metrics = metrics
    this.#pool = pool
    this.#consultations = consultations
    this.#log = log
    void readReceiveBufferErrors().then(total => this.#increments.take(this, 'RcvbufErrors', total ?? 0))
    this.#timer = setInterval(() => void this.#collect(), intervalSeconds * 1000)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #collect(): Promise<void> {
    // A worker under load may need longer than the interval; readings are never queued.
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      await Promise.all([this.#collectMachine(), this.#collectMedia()])
    } catch (err) {
      // A worker that dies in the middle takes its readings along.
      this.#log.debug({ err }, 'statistics reading failed')
    } finally {
      this.#isBusy = false
    }
  }

  async #collectMachine(): Promise<void> {
    const errors = await readReceiveBufferErrors()
    if (errors !== undefined) this.#metrics.udpReceiveBufferErrors.inc(this.#increments.take(this, 'RcvbufErrors', errors))
    for (const { worker, index } of this.#pool.running) {
      const { ru_utime: user, ru_stime: system } = await worker.getResourceUsage()
      this.#metrics.workerCpu.inc({ worker: String(index) }, this.#increments.take(worker, 'cpu', user + system) / 1000)
    }
  }

  async #collectMedia(): Promise<void> {
    const gauges = new Map<string, RenditionGauges>()
    const watchers = new Map<RenditionId, number>()
    const estimates = new Map<Role, number>()
    const readings: Promise<void>[] = []
    const flows: FlowControl[] = []
    for (const { published, viewers } of this.#consultations()) {
      if (published !== undefined) {
        readings.push(this.#readTransport(published.transport, 'microscope', estimates))
        for (const [id, producer] of published.producers) {
          watchers.set(id, watchers.get(id) ?? 0)
          readings.push(this.#readStream(producer, id, 'in', gauges, this.#wasUndemanded(producer, published.flow.isDemanded(id))))
        }
        flows.push(published.flow)
      }
      for (const { media } of viewers) {
        if (media === undefined || media.transport.closed) continue
        readings.push(this.#readTransport(media.transport, 'viewer', estimates))
        for (const [id, consumer] of media.consumers) {
          if (!consumer.paused) watchers.set(id, (watchers.get(id) ?? 0) + 1)
          readings.push(this.#readStream(consumer, id, 'out', gauges))
        }
      }
    }
    await Promise.allSettled(readings)
    this.#show(gauges, watchers, estimates)
    this.#showFlows(flows)
  }

  /** Whether nobody asked for it since the last reading but one: what was on its way then has arrived. */
  #wasUndemanded(producer: Producer, isDemanded: boolean): boolean {
    const readings = isDemanded ? 0 : (this.#undemanded.get(producer) ?? 0) + 1
    this.#undemanded.set(producer, readings)
    return readings > 2
  }

  async #readStream(
    source: Producer | Consumer,
    rendition: RenditionId,
    direction: Direction,
    gauges: Map<string, RenditionGauges>,
    isUndemanded = false,
  ): Promise<void> {
    // A paused consumer moves nothing; one last reading after pausing takes what is left.
    if (source.paused && this.#quiet.has(source)) return
    if (source.paused) this.#quiet.add(source)
    else this.#quiet.delete(source)
    const wanted = direction === 'in' ? 'inbound-rtp' : 'outbound-rtp'
    for (const stats of (await source.getStats()) as StreamStats[]) {
      if (stats.type !== wanted) continue
      const bytes = this.#countStream(source, stats, { link: LOCAL_LINK, rendition, direction })
      if (isUndemanded) this.#metrics.undemanded.inc({ link: LOCAL_LINK }, bytes)
      if (source.paused) continue
      const key = `${rendition} ${direction}`
      const gauge = gauges.get(key) ?? { bitsPerSecond: 0, jitterSeconds: 0, score: 10 }
      gauge.bitsPerSecond += stats.bitrate
      // A stream's jitter is in ticks of its clock; every rendition's runs at 90 kHz.
      gauge.jitterSeconds = Math.max(gauge.jitterSeconds, stats.jitter / 90_000)
      gauge.score = Math.min(gauge.score, stats.score)
      gauges.set(key, gauge)
    }
  }

  #countStream(source: object, stats: StreamStats, labels: { link: string; rendition: RenditionId; direction: Direction }): number {
    const metrics = this.#metrics
    const increments = this.#increments
    const bytes = increments.take(source, 'bytes', stats.byteCount)
    metrics.renditionBytes.inc(labels, bytes)
    metrics.renditionPackets.inc(labels, increments.take(source, 'packets', stats.packetCount))
    metrics.renditionLost.inc(labels, increments.take(source, 'lost', Math.max(0, stats.packetsLost)))
    metrics.renditionNacks.inc(labels, increments.take(source, 'nacks', stats.nackPacketCount))
    metrics.renditionRetransmitted.inc(labels, increments.take(source, 'retransmitted', stats.packetsRetransmitted))
    metrics.renditionPlis.inc(labels, increments.take(source, 'plis', stats.pliCount))
    if (stats.roundTripTime !== undefined && stats.roundTripTime > 0) {
      const role: Role = labels.direction === 'in' ? 'microscope' : 'viewer'
      metrics.transportRtt.observe({ link: LOCAL_LINK, role }, stats.roundTripTime / 1000)
    }
    return bytes
  }

  async #readTransport(transport: WebRtcTransport, role: Role, estimates: Map<Role, number>): Promise<void> {
    const [stats] = await transport.getStats()
    if (stats === undefined) return
    const count = (direction: Direction, kind: string, total: number): void => {
      const labels = { link: LOCAL_LINK, role, direction, kind }
      this.#metrics.transportBytes.inc(labels, this.#increments.take(transport, `${direction} ${kind}`, total))
    }
    count('in', 'all', stats.bytesReceived)
    count('in', 'rtp', stats.rtpBytesReceived)
    count('in', 'rtx', stats.rtxBytesReceived)
    count('out', 'all', stats.bytesSent)
    count('out', 'rtp', stats.rtpBytesSent)
    count('out', 'rtx', stats.rtxBytesSent)
    count('out', 'probation', stats.probationBytesSent)
    const estimate = stats.availableOutgoingBitrate
    if (estimate !== undefined) estimates.set(role, Math.min(estimate, estimates.get(role) ?? Infinity))
  }

  #showFlows(flows: readonly FlowControl[]): void {
    const { uplinkBudget, withheld } = this.#metrics
    uplinkBudget.reset()
    const budgets = flows.map(({ uplink }) => uplink).filter(uplink => uplink !== undefined)
    if (budgets.length > 0) uplinkBudget.set({ link: LOCAL_LINK }, Math.min(...budgets) / 8)
    const all = flows.flatMap(flow => [...flow.flows]).flatMap(flow => flow.withheld)
    for (const cause of WITHHELD_CAUSES) withheld.set({ link: LOCAL_LINK, cause }, all.filter(item => item.cause === cause).length)
  }

  #show(gauges: Map<string, RenditionGauges>, watchers: Map<RenditionId, number>, estimates: Map<Role, number>): void {
    const { renditionRate, renditionJitter, renditionScore, renditionWatchers, transportEstimate } = this.#metrics
    for (const gauge of [renditionRate, renditionJitter, renditionScore, renditionWatchers, transportEstimate]) gauge.reset()
    for (const [key, { bitsPerSecond, jitterSeconds, score }] of gauges) {
      const [rendition = '', direction = ''] = key.split(' ')
      const labels = { link: LOCAL_LINK, rendition, direction }
      renditionRate.set(labels, bitsPerSecond / 8)
      renditionJitter.set(labels, jitterSeconds)
      renditionScore.set(labels, score)
    }
    for (const [rendition, count] of watchers) renditionWatchers.set({ link: LOCAL_LINK, rendition }, count)
    for (const [role, estimate] of estimates) transportEstimate.set({ link: LOCAL_LINK, role }, estimate / 8)
  }
}
