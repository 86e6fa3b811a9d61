import { mkdtemp, rm } from 'node:fs/promises'
import { cpus as systemCpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { findFreePorts } from '../free-ports.ts'
import { readTreeUsage } from '../process-usage.ts'
import { FanoutViewer } from './fanout-viewer.ts'
import { RtpSink } from './rtp-sink.ts'
import { RtpSource } from './rtp-source.ts'
import type { CpuPlacement } from './cpu-placement.ts'
import type { EngineOptions, FanoutEngine } from './fanout-engine.ts'
import type { FanoutSchedule } from './fanout-schedule.ts'

/** What arrives later than this after the last packet left is not delivered: an engine that falls behind by more does not keep up. */
const DRAIN = millis(100)
/** An engine that still owes packets after so many of them is not measured. */
const MAX_DRAINS = 300
/** Packets of each viewer that are decrypted when it has joined. */
const SAMPLED_PACKETS = 50
/** Of the engine's CPU, the share that other work may take. A window in which it took more, and too little arrived, says nothing and is measured again. */
export const UNDISTURBED_RATIO = 0.05
const MAX_ATTEMPTS = 3
/** Below this share of what was sent an engine is at its end. */
export const DELIVERY_GOAL = 0.999

/** What is common to all runs. */
export interface FanoutTools {
  readonly source: string
  readonly sink: string
  readonly cpus: CpuPlacement
}

/** How one engine is measured with one shape. */
export interface FanoutRunOptions {
  readonly tools: FanoutTools
  readonly schedule: FanoutSchedule
  /** Numbers of viewers, rising. Those after the first that gets too little are left out. */
  readonly viewers: readonly number[]
  readonly warmUpSeconds: number
  readonly seconds: number
  readonly open: (options: EngineOptions) => Promise<FanoutEngine>
  readonly signal: AbortSignal
}

/** One window with so many viewers. */
export interface FanoutWindow {
  readonly viewers: number
  /** Packets that viewers got over those that they should have got. */
  readonly deliveredRatio: number
  /** UDP payload that viewers got. */
  readonly deliveredBytes: number
  readonly deliveredPackets: number
  readonly seconds: number
  /** Of all processes of the engine. */
  readonly engineCpuSeconds: number
  /** Of the engine's CPU, what everybody else took, the kernel's interrupts aside. */
  readonly othersCpuRatio: number
  /** From the source's send call to the kernel's time of arrival, in seconds. */
  readonly delay: { readonly p50: number; readonly p99: number }
  /** Datagrams dropped at the receivers' sockets. */
  readonly sinkDropped: number
  readonly sinkCpuRatio: number
  readonly sourceLatestSeconds: number
  /** Of {@link SAMPLED_PACKETS} for each viewer that joined, the share that was decrypted. */
  readonly decryptedRatio: number
}

/** What came of a flood without an engine. */
export interface SinkFlood {
  /** At the receivers. */
  readonly packetsPerSecond: number
  readonly deliveredRatio: number
  /** By the sender, for each second of CPU. */
  readonly sentPerCpuSecond: number
}

/** Starts one engine and raises the number of its viewers until they get too little. */
export async function measureEngine({ tools, schedule, viewers, warmUpSeconds, seconds, open, signal }: FanoutRunOptions): Promise<FanoutWindow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-fanout-'))
  await using scope = new AsyncDisposableStack()
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  const { cpus } = tools
  const ownPort = await findFreePorts(1)
  const engine = scope.use(await open({ schedule, sourcePort: ownPort, enter: ['taskset', '-c', cpus.engine], directory, signal }))
  const source = scope.use(await RtpSource.open({ program: tools.source, schedule, ports: engine.ports, ownPort, cpus: cpus.others, directory, signal }))
  const sink = scope.use(await RtpSink.open(tools.sink, Math.max(...viewers), cpus.others, signal))
  const joined: FanoutViewer[] = []
  const windows: FanoutWindow[] = []
  for (const count of viewers) {
    const before = joined.length
    while (joined.length < count) joined.push(scope.use(await FanoutViewer.open(await engine.offer(), sink, joined.length)))
    sink.sample(SAMPLED_PACKETS)
    await source.run(warmUpSeconds)
    await untilQuiet(sink, signal)
    const decrypted = joined.map(viewer => viewer.takeDecrypted()).slice(before)
    const window = await measureUndisturbed({ engine, source, sink, cpus, seconds, signal }, count)
    windows.push({ ...window, decryptedRatio: Math.min(...decrypted) / SAMPLED_PACKETS })
    if (window.deliveredRatio < DELIVERY_GOAL) break
  }
  return windows
}

/** Waits for what an engine still owes: it must not count as delivered in the window to come. @throws {RelayFault} `timeout` when it owes some after half a minute. */
async function untilQuiet(sink: RtpSink, signal: AbortSignal): Promise<void> {
  let before = -1
  for (let waited = 0; waited < MAX_DRAINS; waited++) {
    await systemClock.sleep(DRAIN, signal)
    const { packets } = await sink.read()
    if (packets === before) return
    before = packets
  }
  throw new RelayFault('timeout', 'the engine still sends what it was given before')
}

/** One window, or the last of some while others had the engine's CPU and too little arrived. */
async function measureUndisturbed(options: WindowOptions, viewers: number): Promise<Omit<FanoutWindow, 'decryptedRatio'>> {
  for (let attempt = 1; ; attempt++) {
    const window = await measureWindow(options, viewers)
    if (attempt === MAX_ATTEMPTS || window.deliveredRatio >= DELIVERY_GOAL || window.othersCpuRatio <= UNDISTURBED_RATIO) return window
    await untilQuiet(options.sink, options.signal)
  }
}

interface WindowOptions {
  readonly cpus: CpuPlacement
  readonly engine: FanoutEngine
  readonly source: RtpSource
  readonly sink: RtpSink
  readonly seconds: number
  readonly signal: AbortSignal
}

async function measureWindow({ engine, source, sink, cpus, seconds, signal }: WindowOptions, viewers: number): Promise<Omit<FanoutWindow, 'decryptedRatio'>> {
  sink.reset()
  const { cpuSeconds: sinkCpuBefore } = await sink.read()
  const [cpuBefore, busyBefore, beganAt] = [cpuSecondsOf(engine.pid), busySecondsOf(cpus.engine), performance.now()]
  const sent = await source.run(seconds)
  await systemClock.sleep(DRAIN, signal)
  const engineCpuSeconds = cpuSecondsOf(engine.pid) - cpuBefore
  const othersCpuSeconds = Math.max(0, busySecondsOf(cpus.engine) - busyBefore - engineCpuSeconds)
  const othersCpuRatio = (1000 * othersCpuSeconds) / (performance.now() - beganAt)
  const got = await sink.read()
  if (sent.packets === 0) throw new RelayFault('unavailable', 'the source sent nothing')
  return {
    viewers,
    deliveredRatio: got.packets / (sent.packets * viewers),
    deliveredBytes: got.bytes,
    deliveredPackets: got.packets,
    seconds,
    engineCpuSeconds,
    othersCpuRatio,
    delay: got.delay,
    sinkDropped: got.dropped,
    sinkCpuRatio: (got.cpuSeconds - sinkCpuBefore) / seconds,
    sourceLatestSeconds: sent.latestSeconds,
  }
}

const cpuSecondsOf = (pid: number): number => readTreeUsage(pid).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)

/** Since the machine started. */
function busySecondsOf(cpu: string): number {
  const { user = 0, nice = 0, sys = 0 } = systemCpus()[Number(cpu)]?.times ?? {}
  return (user + nice + sys) / 1000
}

/**
 * What the receivers take by themselves: full packets as fast as a source that has the engine's CPU can send them, a
 * system call each, and what arrived of them. No engine that makes a call for each packet can send more.
 */
export async function measureSink({ source: program, sink: sinkProgram, cpus }: FanoutTools, schedule: FanoutSchedule, seconds: number, signal: AbortSignal): Promise<SinkFlood> {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-fanout-'))
  await using scope = new AsyncDisposableStack()
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  const sink = scope.use(await RtpSink.open(sinkProgram, 1, cpus.others, signal))
  const ports = schedule.tracks.map(() => sink.ports[0]?.outer ?? 0)
  const source = scope.use(await RtpSource.open({ program, schedule, ports, ownPort: await findFreePorts(1), cpus: cpus.engine, directory, signal }))
  sink.reset()
  const cpuBefore = cpuSecondsOf(source.pid)
  const sent = await source.flood(seconds)
  const cpuSeconds = cpuSecondsOf(source.pid) - cpuBefore
  await systemClock.sleep(DRAIN, signal)
  const { packets } = await sink.read()
  return { packetsPerSecond: packets / seconds, deliveredRatio: packets / sent.packets, sentPerCpuSecond: sent.packets / cpuSeconds }
}
