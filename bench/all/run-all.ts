import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../relay/runtime/clock.ts'
import { millis } from '../../relay/wire/units.ts'
import { sweepNamespaces } from '../lines/namespaces.ts'
import { describeTraces, findTraces, removeTraces, RUN_VARIABLE } from './leftovers.ts'
import { lackOf, readMeans } from './needs.ts'
import { runScenarioProcess } from './run-scenario.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import type { AllDocument, ScenarioRun } from './all-document.ts'
import type { Means } from './needs.ts'

/** What has ended may take so long to be gone from the kernel's tables. */
const SETTLE = millis(500)

/** How every scenario is run. */
export interface AllOptions {
  readonly scenarios: readonly Pick<Scenario, 'name' | 'needs' | 'argumentsAmongAll'>[]
  readonly isQuick: boolean
  /** Of one scenario, after which the next begins. */
  readonly limit: Millis
  /** The bench itself. */
  readonly main: string
  readonly means?: Means
  readonly say: (line: string) => void
  /** Told of each as it ends, among them those before the signal aborts. */
  readonly onRun?: (run: ScenarioRun) => void
}

/**
 * Runs scenarios one after the other, each in a process of its own with a folder of its own for temporary files.
 * What one leaves behind is found, named and removed before the next begins; when the signal aborts, too.
 *
 * @throws {unknown} The signal's reason, as soon as everything is gone.
 */
export async function runAll({ scenarios, isQuick, limit, main, means = readMeans(), say, onRun }: AllOptions, signal: AbortSignal): Promise<Pick<AllDocument, 'runs' | 'seconds' | 'leftovers'>> {
  const begun = systemClock.now()
  if (means.isRoot) await sweepNamespaces()
  await using scope = new AsyncDisposableStack()
  const run = randomBytes(8).toString('hex')
  const root = await mkdtemp(join(tmpdir(), 'kenkyo-all-'))
  scope.defer(() => rm(root, { recursive: true, force: true }))
  const [directory, reports] = [join(root, 'tmp'), join(root, 'reports')]
  await mkdir(directory)
  await mkdir(reports)
  const environment = { TMPDIR: directory, [RUN_VARIABLE]: run }
  const leftovers: string[] = []
  const tidy = async (scenario: string): Promise<void> => {
    if (describeTraces(await findTraces(run, directory)).length > 0) await systemClock.sleep(SETTLE)
    const traces = await findTraces(run, directory)
    leftovers.push(...describeTraces(traces).map(trace => `${scenario}: ${trace}`))
    await removeTraces(traces, directory)
  }
  const runs: ScenarioRun[] = []
  for (const { name, needs, argumentsAmongAll = [] } of scenarios) {
    const lack = lackOf(needs, means)
    say(`${runs.length + 1} of ${scenarios.length}: ${name}${lack === undefined ? '' : ` is skipped: ${lack}`}`)
    const args = [name, ...argumentsAmongAll, ...(isQuick ? ['--quick'] : [])]
    try {
      runs.push(lack === undefined ? await runScenarioProcess({ scenario: name, args, main, directory: reports, environment, limit, say }, signal) : { scenario: name, outcome: 'skipped', seconds: 0, reason: lack })
    } finally {
      await tidy(name)
    }
    const last = runs.at(-1)
    if (last !== undefined) onRun?.(last)
  }
  return { runs, seconds: (systemClock.now() - begun) / 1000, leftovers }
}
