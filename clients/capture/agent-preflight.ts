import { statfs } from 'node:fs/promises'
import { toFault } from '../../relay/wire/fault.ts'
import { judgePreflight } from '../../relay/wire/preflight-verdict.ts'
import { NOTHING_MEASURED } from '../../relay/wire/preflight.ts'
import { PathName } from '../../relay/wire/link.ts'
import { LinkProbe } from './link-probe.ts'
import type { NodeAddress } from '../../relay/runtime/invitation-link.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { PreflightMeasurement, PreflightResult } from '../../relay/wire/preflight.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'
import type { ProbeStep } from './link-probe.ts'
import type { LineMeasurement } from './line-measurement.ts'

const CLOCK_READINGS = 5

/** What {@link checkAgent} needs. */
export interface AgentPreflightOptions {
  readonly address: NodeAddress
  readonly clock: Clock
  readonly duration: Millis
  readonly load: BitsPerSecond
  /** Where this machine keeps what it makes. */
  readonly stateDir: string
  /** What this machine's clock says, in milliseconds since the epoch. */
  readonly wallNow: () => number
  readonly onStep: (step: ProbeStep) => void
}

/** What was found, and whether the node keeps it. */
export interface AgentPreflight {
  readonly measured: PreflightMeasurement
  readonly results: PreflightResult[]
  readonly isKept: boolean
}

/**
 * Checks the end at the microscope: the line to the node by a link, both disks, and the clock.
 *
 * @throws {RelayFault} The node's refusal; `unavailable` or `timeout` when it cannot be reached; the signal's reason.
 */
export async function checkAgent(options: AgentPreflightOptions, signal: AbortSignal): Promise<AgentPreflight> {
  const { address, clock, duration, load, onStep, stateDir } = options
  await using probe = await LinkProbe.open({ address, clock, duration, load, onStep }, signal)
  const node = await readNode(probe, options.wallNow)
  const line = await probe.measure({ name: PathName.parse('main') }, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    // A node without links: what concerns the line stays unknown.
    if (toFault(error).code !== 'unavailable') throw error
    return undefined
  })
  const measured = { ...NOTHING_MEASURED, ...node, ...(line === undefined ? {} : readLine(line)), ownDiskFreeBytes: await freeBytes(stateDir) }
  const results = judgePreflight('agent', measured)
  const isKept = await probe.ask('reportPreflight', { end: 'agent', results }).then(() => true, () => false)
  return { measured, results, isKept }
}

/** What a link measured of its only path. */
export function readLine(line: LineMeasurement): Partial<PreflightMeasurement> {
  if (!line.isUp) return { udp: false }
  const arrived = (1 - line.droppedRatio) * (1 - (line.lossAfterRepairRatio ?? 0))
  return {
    udp: true,
    lossRatio: line.lossRatio.in === null && line.lossRatio.out === null ? null : Math.max(line.lossRatio.in ?? 0, line.lossRatio.out ?? 0),
    up: { offeredBitsPerSecond: line.loadBitsPerSecond, arrivedBitsPerSecond: line.loadBitsPerSecond * arrived },
    roundTripMillis: line.roundTripIdleMillis,
  }
}

/** The quickest answer says most of the clock. */
async function readNode(probe: LinkProbe, wallNow: () => number): Promise<Partial<PreflightMeasurement>> {
  const readings = []
  for (let reading = 0; reading < CLOCK_READINGS; reading++) {
    const sentAt = performance.now()
    const { nodeTimeMillis, diskFreeBytes } = await probe.ask('readPreflight', {})
    const took = performance.now() - sentAt
    readings.push({ took, clockOffsetMillis: nodeTimeMillis - (wallNow() - took / 2), nodeDiskFreeBytes: diskFreeBytes })
  }
  const [{ clockOffsetMillis, nodeDiskFreeBytes } = { clockOffsetMillis: null, nodeDiskFreeBytes: null }] = readings.sort((a, b) => a.took - b.took)
  return { clockOffsetMillis, nodeDiskFreeBytes }
}

async function freeBytes(directory: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch {
    // Not there, or not told: nothing is known of it.
    return null
  }
}
