import { setTimeout as delay } from 'node:timers/promises'
import { Backoff } from '../../relay/wire/backoff.ts'
import { FINAL_ACCESS_FAULTS, toFault } from '../../relay/wire/fault.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { NodeSession } from './node-session.ts'
import { StageReporter } from './stage-reporter.ts'
import { UplinkEstimator } from './uplink-estimator.ts'
import { UplinkWatch } from './uplink-watch.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Entry } from '../../relay/runtime/kept-grant.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { FaultCode, RelayFault } from '../../relay/wire/fault.ts'
import type { PathContract } from '../../relay/wire/link.ts'
import type { Demand, SourceStatus } from '../../relay/wire/signaling.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'
import type { CarrierKind } from './carrier.ts'
import type { FrameSource, SourceEnd, SourcePlan } from './encoded-frame.ts'
import type { ArrivedImage, FramePump } from './frame-pump.ts'
import type { StillKeeper } from './stills/still-keeper.ts'
import type { NodeAccess } from '../../relay/runtime/node-access.ts'

/** Why an agent ended. */
export type AgentEnd =
  | { readonly code: 'done' }
  /** The source has nothing more to show. */
  | { readonly code: 'ended' }
  /** The node refuses it for good. */
  | { readonly code: 'refused'; readonly fault: RelayFault }

/** What an {@link Agent} stands on. */
export interface AgentOptions {
  readonly plan: SourcePlan
  readonly access: NodeAccess
  readonly pump: FramePump
  /** Hands over frames that people keep. */
  readonly stills: StillKeeper
  /** By what the pyramid reaches the node. */
  readonly carrier: CarrierKind
  /** Interfaces to use, for a link. */
  readonly linkPaths?: readonly PathContract[] | undefined
  /** What the line to the node is known to carry; without it, that is found out. */
  readonly uplinkBitrate?: BitsPerSecond | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Refusals that the same invitation, or certificate, will meet again however often it is tried. */
const FINAL_REFUSALS: ReadonlySet<FaultCode> = new Set([
  ...FINAL_ACCESS_FAULTS,
  'bad_message',
  'unsupported_media',
])

/** Short, because viewers wait: they are to see frames within 2 seconds of the node's return. */
const NODE_BACKOFF = { first: millis(300), cap: millis(1000) }
const SOURCE_BACKOFF = { first: millis(500), cap: millis(15_000) }
/** What lasted so long counts as a success, and the next trouble is retried at once. */
const STABLE_AFTER = millis(5000)
const WATCH_INTERVAL = millis(500)
/** The node hears of the source at least this often. */
const REPORT_INTERVAL = millis(4000)
/** The node hears this often when an image was captured, and of each image once. */
const CAPTURE_INTERVAL = millis(1000)
const COUNTERS_INTERVAL = millis(60_000)
/** A line of which nothing is known is taken to carry so many times everything there is. */
const UNKNOWN_LINE_FACTOR = 2
/** How often it is looked whether the image that shows the stage's place has been encoded. */
const STAGE_LOOK_INTERVAL = millis(25)
/** What a source makes while no node listens. */
const NOBODY: Demand = { serial: 0, renditions: [{ renditionId: OVERVIEW, cadence: 'key' }], woken: [] }

/**
 * Keeps a source running and a session with the node open, each on its own: while the node is away
 * frames are dropped, and while the source is away the node is told.
 */
export class Agent implements AsyncDisposable {
  readonly #options: AgentOptions
  readonly #stop = new AbortController()
  readonly #closed: Promise<AgentEnd>
  #session: NodeSession | undefined
  /** What the log said last. */
  #said: SourceStatus | undefined
  /** What the node heard last, in this session. */
  #reported: { readonly status: SourceStatus; readonly at: number } | undefined
  /** The image whose capture the node heard of last, in this session. */
  #told: ArrivedImage | undefined
  #source: FrameSource | undefined
  #demand: Demand = NOBODY
  #nodeOutages = 0
  #sourceRestarts = 0

  private constructor(options: AgentOptions) {
    this.#options = options
    const keepers = [this.#keepSource(), this.#keepSession(), this.#watch()]
    this.#closed = Promise.race(keepers)
      .finally(() => this.#stop.abort())
      .then(async end => {
        await Promise.allSettled(keepers)
        return end
      })
  }

  /** Starts at once, and keeps trying whatever fails. */
  static open(options: AgentOptions): Agent {
    return new Agent(options)
  }

  /** Settles once, with the reason, when everything it started has ended. Rejects only for a bug. */
  get closed(): Promise<AgentEnd> {
    return this.#closed
  }

  /** Idempotent: ends the source and the session. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted
  }

  async #keepSource(): Promise<AgentEnd> {
    const { clock, log, plan, pump } = this.#options
    const backoff = new Backoff(SOURCE_BACKOFF)
    while (!this.#isStopping()) {
      const openedAt = clock.now()
      const end = await this.#runSource()
      if (end.code === 'done' || this.#isStopping()) return { code: 'done' }
      if (end.code === 'ended') return { code: 'ended' }
      pump.sourceFailed(end.fault.code)
      this.#sourceRestarts++
      if (clock.now() - openedAt > STABLE_AFTER) backoff.succeeded()
      const wait = backoff.next()
      log.warn({ source: plan.kind, err: end.fault, retryInMillis: Math.round(wait) }, 'source failed')
      await pause(wait, this.#stop.signal)
    }
    return { code: 'done' }
  }

  async #runSource(): Promise<SourceEnd> {
    const { log, plan, pump } = this.#options
    pump.sourceStarted()
    try {
      await using source = await plan.open(frame => pump.push(frame), this.#stop.signal)
      log.info({ source: plan.kind }, 'source is running')
      this.#source = source
      source.demand?.(this.#demand)
      return await source.closed
    } catch (error) {
      return { code: 'failed', fault: toFault(error) }
    } finally {
      this.#source = undefined
    }
  }

  async #keepSession(): Promise<AgentEnd> {
    const { clock, log } = this.#options
    const backoff = new Backoff(NODE_BACKOFF)
    let known: FaultCode | undefined
    while (!this.#isStopping()) {
      const openedAt = clock.now()
      const { fault, wasOpen, isCurable } = await this.#runSession()
      if (this.#isStopping()) break
      // Another agent took this one's place with the same invitation; fighting over it would serve nobody.
      const isReplaced = wasOpen && fault.code === 'conflict'
      if (isReplaced || (FINAL_REFUSALS.has(fault.code) && !isCurable)) return { code: 'refused', fault }
      if (clock.now() - openedAt > STABLE_AFTER) {
        backoff.succeeded()
        known = undefined
      }
      // Said once per kind of trouble, not once per attempt.
      log[fault.code === known ? 'debug' : 'warn']({ err: fault }, 'no session with the node')
      known = fault.code
      await pause(backoff.next(), this.#stop.signal)
    }
    return { code: 'done' }
  }

  /** One session from joining to its end; returns why it ended, or why there was none. */
  async #runSession(): Promise<{ readonly fault: RelayFault; readonly wasOpen: boolean; readonly isCurable: boolean }> {
    const { access, carrier, clock, linkPaths, log, plan, pump, uplinkBitrate } = this.#options
    const estimator = this.#createEstimator()
    let [wasOpen, entry] = [false, undefined as Entry | undefined]
    const ended = (fault: RelayFault) => ({ fault, wasOpen, isCurable: entry !== undefined && access.refused(entry, fault) })
    try {
      using held = await access.enter(this.#stop.signal)
      entry = held
      await using session = await NodeSession.open(
        {
          address: access.address,
          entry,
          pyramid: plan.pyramid,
          stage: plan.stage?.stage ?? null,
          estimator,
          carrier,
          linkPaths,
          uplinkBitrate,
          onNoLink: fault => log.warn({ err: fault }, 'no link to the node: publishing over WebRTC, which repairs less'),
          clock,
          onStage: stage => log.debug({ stage }, 'session with the node advances'),
        },
        this.#stop.signal,
      )
      log.info({ renditions: plan.pyramid.renditions.length, carrier: session.carrier.kind }, 'publishing')
      wasOpen = true
      this.#session = session
      this.#reported = undefined
      this.#told = undefined
      pump.attach(session.carrier)
      using _watch = this.#watchUplink(session)
      this.#obey(session)
      const stopped = Promise.withResolvers<RelayFault>()
      const stop = (): void => stopped.resolve(toFault(this.#stop.signal.reason))
      this.#stop.signal.addEventListener('abort', stop, { once: true })
      const fault = await Promise.race([session.closed, stopped.promise])
      this.#stop.signal.removeEventListener('abort', stop)
      this.#nodeOutages++
      return ended(fault)
    } catch (error) {
      return ended(toFault(error))
    } finally {
      this.#session = undefined
      pump.detach()
      pump.limit(undefined)
      this.#setDemand(NOBODY)
    }
  }

  /** None for a node on this machine, whose line is memory; it would measure how busy the machine is. */
  #createEstimator(): UplinkEstimator | undefined {
    const { access, plan, uplinkBitrate } = this.#options
    if (access.address.isLoopback && uplinkBitrate === undefined) return undefined
    const sum = plan.pyramid.renditions.reduce((total, rendition) => total + rendition.bitsPerSecond, 0)
    return new UplinkEstimator({ initial: uplinkBitrate ?? bitsPerSecond(UNKNOWN_LINE_FACTOR * sum) })
  }

  #watchUplink(session: NodeSession): UplinkWatch | undefined {
    const { clock, log, pump, uplinkBitrate } = this.#options
    const meter = session.carrier.uplink
    if (meter === undefined) return undefined
    return new UplinkWatch({
      meter,
      isKnown: uplinkBitrate !== undefined,
      clock,
      onLimit: rate => pump.limit(rate),
      onReport: rate => {
        log.debug({ bitsPerSecond: rate, queueMillis: meter.queueingDelay }, 'the line to the node carries')
        session.reportUplink(rate).catch((error: unknown) => log.debug({ err: error }, 'the node did not take an estimate'))
      },
    })
  }

  #obey(session: NodeSession): void {
    const { log, plan, pump, stills } = this.#options
    const reporter = new StageReporter(mediaTicks => pump.timestampOf(mediaTicks))
    session.obey({
      demand: demand => {
        pump.demand(demand)
        session.carrier.prioritise?.(demand.renditions.map(({ renditionId }) => renditionId))
        this.#setDemand(demand)
      },
      moveStage: (target, command) => {
        reporter.commanded(command)
        plan.stage?.command(target, command)
      },
      stopStage: command => {
        reporter.commanded(command)
        plan.stage?.stop(command)
      },
      keepStill: still => stills.want(still, this.#source, (stillId, fault) => {
        session.reportStill(stillId, fault).catch((error: unknown) => log.debug({ err: error }, 'the node did not take what became of a still'))
      }, this.#stop.signal),
    })
    let timer: NodeJS.Timeout | undefined
    const look = (): void => {
      if (this.#session !== session) return
      for (const state of reporter.take()) session.reportStage(state).catch((error: unknown) => log.debug({ err: error }, 'the node did not take a position'))
      if (!reporter.isWaiting) return
      timer ??= setTimeout(() => {
        timer = undefined
        look()
      }, STAGE_LOOK_INTERVAL)
    }
    plan.stage?.onPosition(position => {
      reporter.moved(position)
      look()
    })
  }

  #setDemand(demand: Demand): void {
    this.#demand = demand
    this.#source?.demand?.(demand)
  }

  /** Tells the node how the source is doing, and the log how everything is. */
  async #watch(): Promise<AgentEnd> {
    let countersAt = this.#options.clock.now()
    while (!this.#isStopping()) {
      await pause(WATCH_INTERVAL, this.#stop.signal)
      this.#report()
      this.#reportCapture()
      const now = this.#options.clock.now()
      if (now - countersAt < COUNTERS_INTERVAL) continue
      countersAt = now
      this.#logCounters()
    }
    return { code: 'done' }
  }

  #report(): void {
    const { clock, log, pump } = this.#options
    const status = pump.status
    if (this.#said !== undefined && isNews(status, this.#said)) log.info({ ...status }, 'source changed its state')
    this.#said = status
    const now = clock.now()
    const last = this.#reported
    if (this.#session === undefined || (last !== undefined && !isNews(status, last.status) && now - last.at < REPORT_INTERVAL)) return
    this.#reported = { status, at: now }
    this.#session.reportSource(status).catch((error: unknown) => log.debug({ err: error }, 'the node did not take a report'))
  }

  #reportCapture(): void {
    const { clock, log, pump } = this.#options
    const image = pump.newestImage
    if (this.#session === undefined || image === undefined || image === this.#told) return
    if (this.#told !== undefined && image.arrivedAt - this.#told.arrivedAt < CAPTURE_INTERVAL - WATCH_INTERVAL / 2) return
    this.#told = image
    const capturedAtMillis = performance.timeOrigin + performance.now() - (clock.now() - image.arrivedAt)
    this.#session.reportCapture(image.timestamp, capturedAtMillis).catch((error: unknown) => log.debug({ err: error }, 'the node did not take a time of capture'))
  }

  #logCounters(): void {
    const { log, pump } = this.#options
    const counters = {
      ...this.#session?.carrier.counts,
      ...pump.takeDropped(),
      nodeOutages: this.#nodeOutages,
      sourceRestarts: this.#sourceRestarts,
      residentBytes: process.memoryUsage.rss(),
    }
    log.info({ ...pump.status, ...counters }, 'counters')
  }
}

const isNews = (status: SourceStatus, before: SourceStatus): boolean => status.state !== before.state || status.fault !== before.fault

/** Waits, or returns early when the signal aborts. */
async function pause(duration: number, signal: AbortSignal): Promise<void> {
  await delay(duration, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}
