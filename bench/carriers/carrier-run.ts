import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../relay/runtime/clock.ts'
import { millis } from '../../relay/wire/units.ts'
import { FRAME_DEADLINE } from './carrier.ts'
import { judgeFrames, parseArrivalLog, parseSentLog, sentBytes } from './frame-outcomes.ts'
import { machineLoad, receiveBufferErrors } from './machine-load.ts'
import { PublishedCarrier } from './published-carrier.ts'
import { SrtCarrier } from './srt-carrier.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { BothCounts } from '../lines/line-emulator.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { ProcessUsage } from '../process-usage.ts'
import type { CarrierName, CarrierOptions, RunningCarrier } from './carrier.ts'
import type { FrameOutcome } from './frame-outcomes.ts'
import type { MachineReading } from './machine-load.ts'

/** From the change of the line until the carrier has settled on it. */
const WARM_UP = millis(5000)
/** From the end of the window until every frame of it was judged and is in the logs. */
const DRAIN = millis(FRAME_DEADLINE + 1000)
const LEAF = 'microscope'

/** How one carrier is measured on one line. */
export interface CarrierRunOptions extends Omit<CarrierOptions, 'directory'> {
  readonly carrier: CarrierName
  /** While it connects, so that connecting is not what is measured. */
  readonly kindLine: LineProfile
  readonly line: LineProfile
  readonly seconds: number
}

/** What was measured in one window. */
export interface CarrierRun {
  readonly seconds: number
  readonly outcomes: readonly FrameOutcome[]
  /** RTP headers and payloads handed to the carrier. */
  readonly sentBytes: number
  /** What the line saw meanwhile. */
  readonly line: Record<'upBytes' | 'upPackets' | 'upLost' | 'queueFull' | 'overruns', number>
  /** CPU time by end. */
  readonly cpuSeconds: ReadonlyMap<string, number>
  /** Of all cores, everything on the machine included. */
  readonly machineBusyRatio: number
  readonly receiverDelay: Millis
  readonly receiveBufferErrors: number
}

/** Lets one carrier carry over one line for a while. @throws {RelayFault} when any part of it fails. */
export async function runCarrier(options: CarrierRunOptions): Promise<CarrierRun> {
  const { network, carrier: name, kindLine, line, seconds, renditions, budget, signal } = options
  await using scope = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-carrier-'))
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  await network.change(LEAF, kindLine)
  const carrier = scope.use(await openCarrier(name, { ...options, directory }))
  const wait = (duration: Millis): Promise<void> => Promise.race([systemClock.sleep(duration, signal), carrier.failed, network.failed])
  await network.change(LEAF, line)
  await wait(WARM_UP)
  const before = await readState(options, carrier)
  carrier.takeLongestDelay()
  await wait(millis(seconds * 1000))
  const after = await readState(options, carrier, before)
  const receiverDelay = carrier.takeLongestDelay()
  await wait(DRAIN)
  const sent = parseSentLog(await readFile(carrier.sentLog, 'utf8'))
  const arrivals = parseArrivalLog(await readFile(carrier.arrivalLog, 'utf8'))
  const window = { from: before.at, to: after.at }
  return {
    seconds: (after.at - before.at) / 1000, receiverDelay,
    // SRT hands on what it has when its own time comes, and drops what comes later.
    outcomes: judgeFrames(sent, arrivals, { ...window, renditions: new Set(renditions), budget: name === 'srt' ? undefined : budget }),
    sentBytes: sentBytes(sent, window),
    line: lineChange(before.counts, after.counts),
    cpuSeconds: new Map([...after.cpuSeconds].map(([end, total]) => [end, total - (before.cpuSeconds.get(end) ?? 0)])),
    machineBusyRatio: after.machine.busyRatio,
    receiveBufferErrors: after.receiveBufferErrors - before.receiveBufferErrors,
  }
}

function openCarrier(name: CarrierName, options: CarrierOptions): Promise<RunningCarrier> {
  switch (name) {
    case 'srt':
      return SrtCarrier.open(options)
    case 'kenkyo':
      return PublishedCarrier.open(options, 'link')
    case 'webrtc':
      return PublishedCarrier.open(options, 'webrtc')
    default:
      return name satisfies never
  }
}

interface State {
  /** Since the epoch. */
  readonly at: Millis
  readonly counts: BothCounts
  readonly cpuSeconds: ReadonlyMap<string, number>
  readonly machine: { readonly busyRatio: number; readonly reading: MachineReading }
  readonly receiveBufferErrors: number
}

async function readState({ network }: CarrierRunOptions, carrier: RunningCarrier, before?: State): Promise<State> {
  const usage = carrier.usage()
  const sum = (processes: readonly ProcessUsage[]): number => processes.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0)
  // One process per end is enough: those of one end share its namespace.
  const ends = new Set([...usage.values()].flatMap(processes => processes.slice(0, 1)).map(({ pid }) => pid))
  return {
    at: millis(performance.timeOrigin + performance.now()),
    counts: await network.counts(LEAF),
    cpuSeconds: new Map([...usage].map(([end, processes]) => [end, sum(processes)])),
    machine: machineLoad(before?.machine.reading),
    receiveBufferErrors: [...ends].reduce((total, pid) => Math.max(total, receiveBufferErrors(pid)), 0),
  }
}

const lineChange = (before: BothCounts, after: BothCounts): CarrierRun['line'] => ({
  upBytes: after.up.bytes - before.up.bytes,
  upPackets: after.up.packets - before.up.packets,
  upLost: after.up.lost - before.up.lost,
  queueFull: after.up.queueFull - before.up.queueFull + (after.down.queueFull - before.down.queueFull),
  overruns: after.up.overruns - before.up.overruns + (after.down.overruns - before.down.overruns),
})
