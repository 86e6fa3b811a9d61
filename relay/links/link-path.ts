import { bitsPerSecond, bytes, millis } from '../wire/units.ts'
import { ClockOffset } from './measurement/clock-offset.ts'
import { PathReportGuard } from './measurement/path-report-guard.ts'
import { IncomingPath } from './paths/incoming-path.ts'
import { MtuSearch } from './paths/mtu-search.ts'
import { OutgoingPath } from './paths/outgoing-path.ts'
import type { PathContract } from '../wire/link.ts'
import type { Bytes, Millis } from '../wire/units.ts'
import type { AnswerFrame } from './carrier/frames.ts'
import type { PathGauges, PathSnapshot, PathState, PathTotals } from './measurement/link-snapshot.ts'
import type { PathReport } from './measurement/path-report.ts'
import type { RateControl } from './paths/rate-control.ts'

/** Each end asks each path for proof of life this often. */
const PROBE_INTERVAL = millis(25)
/** A path that proves nothing for so long is down. Of six answers in a row one comes through, even in bursts of loss. */
const SILENCE = millis(150)
/** A path that carries nothing but probes has fewer packets to prove itself by. */
const IDLE_SILENCE = millis(250)
/** A process that was not run for so long may have missed what came. */
const STALL = millis(50)
/** A path counts as carrying traffic for so long after the last of it. */
const TRAFFIC_MEMORY = millis(300)
/** A path that never answered, or stopped, is asked less often after a while. */
const PATIENCE = millis(10_000)
const SLOW_PROBE_INTERVAL = millis(250)
/** Probes whose answer is awaited. */
const MAX_PROBES = 64

const NO_TOTALS: PathTotals = {
  packets: 0, bytes: bytes(0), lostPackets: 0, lossBursts: 0, duplicatePackets: 0, reorderedPackets: 0,
  burstsByLength: [0, 0, 0, 0, 0, 0, 0], gapsByLength: [0, 0, 0, 0, 0],
}
const NO_GAUGES: PathGauges = { jitter: millis(0), delayVariation: { p50: millis(0), p95: millis(0) }, lossRatio: 0, throughput: 0 as PathGauges['throughput'] }

/** One path of a link with everything that is known of it. Does no I/O and reads no clock. */
export class LinkPath {
  readonly contract: PathContract
  readonly index: number
  readonly out: OutgoingPath
  readonly in = new IncomingPath()
  readonly mtu = new MtuSearch()
  readonly clock = new ClockOffset()
  readonly #guard = new PathReportGuard()
  readonly #probes = new Map<number, Millis>()
  #nextProbe = 1
  #probeAt = millis(-Infinity)
  #state: PathState = 'unproven'
  #upSince = millis(0)
  #outages = 0
  #trafficAt = millis(-Infinity)
  #judgedAt = millis(0)
  #deafUntil = 0
  #reported: PathReport | undefined

  constructor(contract: PathContract, index: number, rate: RateControl, shares: readonly number[]) {
    this.contract = contract
    this.index = index
    this.out = new OutgoingPath(rate, shares)
  }

  get state(): PathState {
    return this.#state
  }

  /** Since when it is up; meaningless while it is not. */
  get upSince(): Millis {
    return this.#upSince
  }

  /** What the far end said last of what it receives on this path. */
  get reported(): PathReport | undefined {
    return this.#reported
  }

  /** Reports of the far end that cannot be true. */
  get lies(): number {
    return this.out.lies + this.#guard.lies
  }

  /** Something other than housekeeping was sent, or came. */
  carriesTraffic(now: Millis): void {
    this.#trafficAt = now
  }

  /** Decides whether it lives. @returns Whether that changed. */
  judge(now: Millis): boolean {
    const { provenAt } = this.out
    // Whoever did not listen has not heard: what came meanwhile is still to be read.
    if (now - this.#judgedAt > STALL) this.#deafUntil = now + STALL
    this.#judgedAt = now
    if (this.#state === 'up' && now < this.#deafUntil) return false
    const patience = now - this.#trafficAt < TRAFFIC_MEMORY ? SILENCE : IDLE_SILENCE
    const isUp = provenAt !== undefined && now - provenAt < patience + Math.max(0, this.out.variation - 10)
    if (isUp === (this.#state === 'up')) return false
    if (!isUp && this.#state === 'unproven') return false
    this.#state = isUp ? 'up' : 'down'
    if (isUp) {
      this.#upSince = now
      this.out.rose(now)
    } else {
      this.#outages++
    }
    return true
  }

  /** When the next probe is due. */
  get probeDueAt(): Millis {
    const { provenAt } = this.out
    const isForlorn = this.#state !== 'up' && this.#probeAt - (provenAt ?? this.#upSince) > PATIENCE && this.#nextProbe > 400
    return millis(this.#probeAt + (isForlorn ? SLOW_PROBE_INTERVAL : PROBE_INTERVAL))
  }

  /** A datagram leaves. @param isTraffic - Whether it will be answered by feedback. @returns Its number. */
  send(size: Bytes, isTraffic: boolean, now: Millis): number {
    if (isTraffic && this.out.vanishes(size, this.mtu.mtu, now)) this.mtu.blackHole(now)
    return this.out.send(size, isTraffic, now)
  }

  /** Remembers a probe that leaves now. @returns Its number. */
  probe(isRegular: boolean, now: Millis): number {
    const id = this.#nextProbe
    this.#nextProbe = (id % 0xffff_ffff) + 1
    this.#probes.set(id, now)
    for (const oldest of this.#probes.keys()) {
      if (this.#probes.size <= MAX_PROBES) break
      this.#probes.delete(oldest)
    }
    if (isRegular) this.#probeAt = now
    return id
  }

  /** The far end answers a probe. What was never asked counts for nothing. @param epochOrigin - Of `now`, in milliseconds since the epoch. */
  answered({ id, askedAt, heardAt, answeredAt, size }: AnswerFrame, epochOrigin: number, now: Millis): void {
    const sentAt = this.#probes.get(id)
    if (sentAt === undefined) return
    this.#probes.delete(id)
    const held = answeredAt - heardAt
    if (!(held >= 0) || !this.out.answered(now - sentAt - held, now)) return
    this.clock.exchange(millis(askedAt), millis(heardAt), millis(answeredAt), millis(epochOrigin + now))
    if (size > 0) this.mtu.acknowledged(bytes(size), now)
  }

  /** The far end reports what it receives. What cannot be true changes nothing. */
  report(report: PathReport): void {
    this.#reported = this.#guard.accept(report, this.out.sentPackets) ?? this.#reported
  }

  /** Everything known of it. */
  snapshot(now: Millis): PathSnapshot {
    const capacity = this.out.isProven ? this.out.capacity : undefined
    return {
      path: this.contract.name,
      state: this.#state,
      outages: this.#outages,
      roundTrip: this.out.hasRoundTrip ? this.out.roundTrip : undefined,
      shortestRoundTrip: this.out.shortestRoundTrip,
      capacity,
      headroom: capacity === undefined ? undefined : bitsPerSecond(Math.max(0, capacity - this.out.sendingRate(now))),
      queueingDelay: this.out.queueingDelay,
      mtu: this.mtu.mtu,
      clockOffset: this.clock.offset,
      totals: { in: this.in.statistics.totals(now), out: this.#reported?.totals ?? NO_TOTALS },
      gauges: { in: this.in.statistics.gauges(now), out: this.#reported?.gauges ?? NO_GAUGES },
    }
  }
}
