import { systemClock } from '../relay/runtime/clock.ts'
import { readReceiveBufferErrors } from './kernel-counters.ts'
import { LOCAL_LINK } from './node-metrics.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import { MEDIA_PATHS, WITHHELD_CAUSES } from '../relay/wire/signaling.ts'
import type { MediaPath, Role } from '../relay/wire/signaling.ts'
import type { Consultation } from './consultation.ts'
import type { NodeMetrics } from './node-metrics.ts'
import type { PublishedMedia } from './published-media.ts'
import type { WorkerPool } from './worker-pool.ts'
import type { Consumer, PlainTransport, Producer, ProducerStat, ConsumerStat, WebRtcTransport } from 'mediasoup/types'

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

/** What one stream's series are labelled with. `in` comes by the microscope's link; viewers come to the node itself. */
interface StreamLabels {
  readonly link: string
  readonly rendition: RenditionId
  readonly direction: Direction
}

/** Gauges of one rendition and direction, gathered over all its streams before they are shown. */
interface RenditionGauges {
  readonly labels: StreamLabels
  bitsPerSecond: number
  jitterSeconds: number
  score: number
}

/** Gauges of a link and a role, or a rendition, gathered before they are shown. */
interface LabelledValue<Labels> {
  readonly labels: Labels
  value: number
}
type Estimates = Map<string, LabelledValue<{ readonly link: string; readonly role: Role }>>
type Watchers = Map<string, LabelledValue<{ readonly link: string; readonly rendition: RenditionId }>>

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
    const watchers: Watchers = new Map()
    const estimates: Estimates = new Map()
    const readings: Promise<void>[] = []
    const publications: PublishedMedia[] = []
    const count = (link: string, rendition: RenditionId, value: number): void => {
      const key = `${link} ${rendition}`
      watchers.set(key, { labels: { link, rendition }, value: (watchers.get(key)?.value ?? 0) + value })
    }
    for (const { published, viewers } of this.#consultations()) {
      if (published !== undefined) {
        const { linkName: link } = published
        readings.push(this.#readTransport(published.transport, { link, role: 'microscope' }, estimates))
        for (const [rendition, producer] of published.producers) {
          count(link, rendition, 0)
          readings.push(this.#readStream(producer, { link, rendition, direction: 'in' }, gauges, this.#wasUndemanded(producer, published.flow.isDemanded(rendition))))
        }
        publications.push(published)
      }
      for (const { media } of viewers) {
        if (media === undefined || media.transport.closed) continue
        readings.push(this.#readTransport(media.transport, { link: LOCAL_LINK, role: 'viewer' }, estimates))
        for (const [rendition, consumer] of media.consumers) {
          if (!consumer.paused) count(media.published?.linkName ?? LOCAL_LINK, rendition, 1)
          readings.push(this.#readStream(consumer, { link: LOCAL_LINK, rendition, direction: 'out' }, gauges))
        }
      }
    }
    await Promise.allSettled(readings)
    this.#show(gauges, watchers, estimates)
    this.#showFlows(publications)
    this.#showExperience()
  }

  /** What viewers say of the picture, by the link that it comes by. */
  #showExperience(): void {
    const { viewerFrameRate, viewerFreezes, viewerLongestFreeze, viewerCaptureToGlass, viewerNativePixels, viewerMediaPaths } = this.#metrics
    const now = systemClock.now()
    const byMediaPath = new Map<MediaPath, number>(MEDIA_PATHS.map(path => [path, 0]))
    const worst = new Map<string, { framesPerSecond: number; nativePixelRatio: number; longestFreezeMillis: number }>()
    for (const { published, viewers } of this.#consultations()) {
      for (const { experience } of viewers) {
        for (const { link, freezes, captureToGlassMillis } of experience.take()) {
          viewerFreezes.inc({ link }, freezes)
          if (captureToGlassMillis !== null) viewerCaptureToGlass.observe({ link }, captureToGlassMillis.p50 / 1000)
        }
        const latest = published && experience.latest(published.publicationId, now)
        if (latest === undefined) continue
        if (latest.mediaPath !== undefined) byMediaPath.set(latest.mediaPath, (byMediaPath.get(latest.mediaPath) ?? 0) + 1)
        const known = worst.get(latest.link)
        worst.set(latest.link, {
          framesPerSecond: Math.min(latest.framesPerSecond, known?.framesPerSecond ?? Infinity),
          nativePixelRatio: Math.min(latest.nativePixelRatio, known?.nativePixelRatio ?? 1),
          longestFreezeMillis: Math.max(experience.longestFreeze(latest.link, now), known?.longestFreezeMillis ?? 0),
        })
      }
    }
    for (const [path, count] of byMediaPath) viewerMediaPaths.set({ media_path: path }, count)
    for (const gauge of [viewerFrameRate, viewerLongestFreeze, viewerNativePixels]) gauge.reset()
    for (const [link, { framesPerSecond, nativePixelRatio, longestFreezeMillis }] of worst) {
      viewerFrameRate.set({ link }, framesPerSecond)
      viewerNativePixels.set({ link }, nativePixelRatio)
      viewerLongestFreeze.set({ link }, longestFreezeMillis / 1000)
    }
  }

  /** Whether nobody asked for it since the last reading but one: what was on its way then has arrived. */
  #wasUndemanded(producer: Producer, isDemanded: boolean): boolean {
    const readings = isDemanded ? 0 : (this.#undemanded.get(producer) ?? 0) + 1
    this.#undemanded.set(producer, readings)
    return readings > 2
  }

  async #readStream(
    source: Producer | Consumer,
    labels: StreamLabels,
    gauges: Map<string, RenditionGauges>,
    isUndemanded = false,
  ): Promise<void> {
    // A paused consumer moves nothing; one last reading after pausing takes what is left.
    if (source.paused && this.#quiet.has(source)) return
    if (source.paused) this.#quiet.add(source)
    else this.#quiet.delete(source)
    const wanted = labels.direction === 'in' ? 'inbound-rtp' : 'outbound-rtp'
    for (const stats of (await source.getStats()) as StreamStats[]) {
      if (stats.type !== wanted) continue
      const bytes = this.#countStream(source, stats, labels)
      if (isUndemanded) this.#metrics.undemanded.inc({ link: labels.link }, bytes)
      if (source.paused) continue
      const key = `${labels.link} ${labels.rendition} ${labels.direction}`
      const gauge = gauges.get(key) ?? { labels, bitsPerSecond: 0, jitterSeconds: 0, score: 10 }
      gauge.bitsPerSecond += stats.bitrate
      // A stream's jitter is in ticks of its clock; every rendition's runs at 90 kHz.
      gauge.jitterSeconds = Math.max(gauge.jitterSeconds, stats.jitter / 90_000)
      gauge.score = Math.min(gauge.score, stats.score)
      gauges.set(key, gauge)
    }
  }

  #countStream(source: object, stats: StreamStats, { ...labels }: StreamLabels): number {
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
      metrics.transportRtt.observe({ link: labels.link, role }, stats.roundTripTime / 1000)
    }
    return bytes
  }

  async #readTransport(transport: WebRtcTransport | PlainTransport, far: { readonly link: string; readonly role: Role }, estimates: Estimates): Promise<void> {
    const [stats] = await transport.getStats()
    if (stats === undefined) return
    const count = (direction: Direction, kind: string, total: number): void => {
      const labels = { ...far, direction, kind }
      this.#metrics.transportBytes.inc(labels, this.#increments.take(transport, `${direction} ${kind}`, total))
    }
    count('in', 'all', stats.bytesReceived)
    count('in', 'rtp', stats.rtpBytesReceived)
    count('in', 'rtx', stats.rtxBytesReceived)
    count('out', 'all', stats.bytesSent)
    count('out', 'rtp', stats.rtpBytesSent)
    count('out', 'rtx', stats.rtxBytesSent)
    count('out', 'probation', stats.probationBytesSent)
    const estimate = 'availableOutgoingBitrate' in stats ? stats.availableOutgoingBitrate : undefined
    const key = `${far.link} ${far.role}`
    if (estimate !== undefined) estimates.set(key, { labels: far, value: Math.min(estimate, estimates.get(key)?.value ?? Infinity) })
  }

  /** By the link that the publication comes by. */
  #showFlows(publications: readonly PublishedMedia[]): void {
    const { uplinkBudget, withheld } = this.#metrics
    uplinkBudget.reset()
    withheld.reset()
    for (const link of new Set([LOCAL_LINK, ...publications.map(({ linkName }) => linkName)])) {
      const flows = publications.filter(({ linkName }) => linkName === link).map(({ flow }) => flow)
      const budgets = flows.map(({ uplink }) => uplink).filter(uplink => uplink !== undefined)
      if (budgets.length > 0) uplinkBudget.set({ link }, Math.min(...budgets) / 8)
      const all = flows.flatMap(flow => [...flow.flows]).flatMap(flow => flow.withheld)
      for (const cause of WITHHELD_CAUSES) withheld.set({ link, cause }, all.filter(item => item.cause === cause).length)
    }
  }

  #show(gauges: Map<string, RenditionGauges>, watchers: Watchers, estimates: Estimates): void {
    const { renditionRate, renditionJitter, renditionScore, renditionWatchers, transportEstimate } = this.#metrics
    for (const gauge of [renditionRate, renditionJitter, renditionScore, renditionWatchers, transportEstimate]) gauge.reset()
    for (const { labels: stream, bitsPerSecond, jitterSeconds, score } of gauges.values()) {
      const labels = { ...stream }
      renditionRate.set(labels, bitsPerSecond / 8)
      renditionJitter.set(labels, jitterSeconds)
      renditionScore.set(labels, score)
    }
    for (const { labels, value } of watchers.values()) renditionWatchers.set({ ...labels }, value)
    for (const { labels, value } of estimates.values()) transportEstimate.set({ ...labels }, value / 8)
  }
}
