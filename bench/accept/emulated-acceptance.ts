import { randomBytes } from 'node:crypto'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { runMeasuring, startAnswering } from './acceptance-ends.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { AcceptanceMeasurement } from './acceptance-measurement.ts'
import type { AcceptancePlan } from './acceptance-plan.ts'

const LEAF = 'here'

/** Lines to measure in this machine, for learning. */
export interface EmulatedAcceptance {
  readonly line: string
  /** The second is a second path. */
  readonly profiles: readonly LineProfile[]
  readonly plan: AcceptancePlan
  readonly seed?: number
  readonly say: (line: string) => void
}

/** Measures emulated lines as if they were there. @throws {RelayFault} As {@link runMeasuring}; `unavailable` without root. */
export async function measureEmulated({ line, profiles, plan, seed, say }: EmulatedAcceptance, signal: AbortSignal): Promise<AcceptanceMeasurement> {
  await using network = await EmulatedNetwork.open({ leaves: { [LEAF]: profiles }, signal, isPreferred: true, seed })
  const keyHex = randomBytes(32).toString('hex')
  await using scope = new AsyncDisposableStack()
  const { program, port } = await startAnswering({ keyHex, address: '0.0.0.0', port: 0 }, network.enter('node'), signal)
  scope.use(program)
  const paths = profiles.map(({ name }, index) => ({ name, host: network.nodeAddressOf(index), port, localAddress: network.leafAddress(LEAF, index) }))
  const measuring = runMeasuring({ keyHex, line, isSimulated: true, plan, paths, enter: network.enter(LEAF), say }, signal)
  return await Promise.race([measuring, network.failed, program.failed])
}
