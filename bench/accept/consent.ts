import { createInterface } from 'node:readline/promises'
import { inMegabits } from '../../clients/capture/line-figures.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { formatValue } from '../report.ts'
import { plannedLoad } from './acceptance-plan.ts'
import type { AcceptancePlan } from './acceptance-plan.ts'
import type { SayAcceptance } from './acceptance-words.ts'

/** What is asked about. */
export interface ConsentOptions {
  readonly plan: AcceptancePlan
  readonly host: string
  readonly paths: number
  /** By `--yes`. */
  readonly isGiven: boolean
  readonly speak: SayAcceptance
}

/**
 * Says what will be put on the line, and asks. Nothing was sent before.
 *
 * @throws {RelayFault} `bad_config` where nobody can be asked and nobody said yes; `wrong_state` for a no; the signal's reason.
 */
export async function requireConsent({ plan, host, paths, isGiven, speak }: ConsentOptions, signal: AbortSignal): Promise<void> {
  const { seconds, mostBitsPerSecond, bytesEachWay } = plannedLoad(plan, paths)
  process.stderr.write(`${speak('announce', { host, rate: inMegabits(mostBitsPerSecond), minutes: Math.ceil(seconds / 60), bytes: formatValue(bytesEachWay, 'bytes') })}\n`)
  if (isGiven) return
  if (!process.stdin.isTTY) throw new RelayFault('bad_config', 'nobody is there to ask: say --yes')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(speak('ask'), { signal })
    if (!/^(y|yes|はい)$/i.test(answer.trim())) throw new RelayFault('wrong_state', 'nothing was measured, as answered')
  } finally {
    terminal.close()
  }
}
