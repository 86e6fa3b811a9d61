import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { FigureSheet } from '../report.ts'
import { INVARIANTS, judgeNetwork, violations } from '../simulation/link-judge.ts'
import { describeNetwork, randomNetwork } from '../simulation/random-network.ts'
import type { Measurement } from '../report.ts'
import type { Invariant, Verdict } from '../simulation/link-judge.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  networks: numeric(z.int().min(1).max(10_000_000)).optional(),
  seed: numeric(z.int().min(1).max(0x7fff_ffff)).default(1),
})

const NETWORKS = { full: 10_000, quick: 150 } as const
const TELL_EVERY = 500
/** Violations that are described at length, per invariant. */
const MOST_DESCRIBED = 3

/** What all networks together showed. */
class NetworkTally {
  readonly checked = new Map<Invariant, number>()
  readonly violated = new Map<Invariant, number[]>()
  readonly liveLossBefore: number[] = []
  readonly liveLossAfter: number[] = []
  readonly controlDelays: number[] = []
  readonly utilisations: number[] = []
  readonly recoveries: number[] = []
  readonly #say: (line: string) => void

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  add(verdict: Verdict): void {
    for (const { invariant } of verdict.checks) this.checked.set(invariant, (this.checked.get(invariant) ?? 0) + 1)
    for (const { invariant, value, bound, evidence } of violations(verdict)) {
      const seeds = this.violated.get(invariant) ?? []
      if (seeds.at(-1) === verdict.network.seed) continue
      seeds.push(verdict.network.seed)
      this.violated.set(invariant, seeds)
      this.#say(`${invariant} violated: ${value.toPrecision(4)} instead of at most ${bound.toPrecision(4)} ${evidence}; again with --networks 1 --seed ${verdict.network.seed}`)
      if (seeds.length <= MOST_DESCRIBED) this.#say(describeNetwork(verdict.network))
    }
    const { liveLoss, controlDelay, utilisation, recovery } = verdict.figures
    if (liveLoss !== undefined) {
      this.liveLossBefore.push(liveLoss.before)
      this.liveLossAfter.push(liveLoss.after)
    }
    if (controlDelay !== undefined) this.controlDelays.push(controlDelay)
    if (utilisation !== undefined) this.utilisations.push(utilisation)
    if (recovery !== undefined) this.recoveries.push(recovery)
  }

  report(sheet: FigureSheet, seconds: readonly number[]): void {
    sheet.add({ name: 'networks', unit: 'networks', value: seconds.length, note: 'p50 to p99: seconds of computing for one' }, seconds)
    for (const invariant of INVARIANTS) {
      const checked = this.checked.get(invariant) ?? 0
      const seeds = this.violated.get(invariant) ?? []
      if (checked === 0) sheet.warnings.push(`${invariant} was not looked at: no network had it`)
      else sheet.add({ name: 'violations', labels: { invariant }, unit: 'networks', value: seeds.length, note: `looked at ${checked} times`, goal: { relation: '<=', bound: 0 } }, [seeds.length])
      if (seeds.length > 0) sheet.warnings.push(`${invariant} was violated with seeds ${seeds.slice(0, 20).join(', ')}${seeds.length > 20 ? ' and more' : ''}`)
    }
    sheet.add({ name: 'live_loss_ratio', labels: { when: 'before_repair' }, unit: 'ratio', note: 'of networks without events, with room and time to repair' }, this.liveLossBefore)
    sheet.add({ name: 'live_loss_ratio', labels: { when: 'after_repair' }, unit: 'ratio' }, this.liveLossAfter)
    sheet.add({ name: 'control_delay_seconds', unit: 's', note: 'of each network without outages the 99th percentile' }, this.controlDelays)
    sheet.add({ name: 'utilisation_ratio', unit: 'ratio', note: 'of the sum of paths, where bulk always waited' }, this.utilisations)
    sheet.add({ name: 'recovery_seconds', unit: 's', note: 'longest silence of live after one of two paths was cut' }, this.recoveries)
  }
}

async function run(flags: Readonly<Record<string, unknown>>, { isQuick, signal, say }: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { seed, networks = isQuick ? NETWORKS.quick : NETWORKS.full } = result.data
  const tally = new NetworkTally(say)
  const seconds: number[] = []
  for (let number = 1; number <= networks; number++) {
    const startedAt = performance.now()
    tally.add(judgeNetwork(randomNetwork(seed + number - 1)))
    seconds.push((performance.now() - startedAt) / 1000)
    if (number % TELL_EVERY === 0) say(`${number} of ${networks}`)
    // So that an interrupt is heard.
    await setImmediate()
    signal.throwIfAborted()
  }
  const sheet = new FigureSheet()
  tally.report(sheet, seconds)
  return { parameters: { networks, seed }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** Many networks that nobody chose: what has to be true of a link on all of them. */
export const networks: Scenario = {
  name: 'networks',
  needs: [],
  summary: 'Judge whole links on thousands of simulated networks: deadlines, order, repair, sharing, convergence, fairness.',
  configure: command => command.option('--networks <n>', `how many (default ${NETWORKS.full}; quick ${NETWORKS.quick})`).option('--seed <n>', 'of the first; the others follow (default 1)'),
  run,
}
