import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { runSequence } from '../simulation/ledger-sequence.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { FigureSheet } from '../report.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  sequences: numeric(z.int().min(1).max(10_000_000)).optional(),
  seed: numeric(z.int().min(1).max(0x7fff_ffff)).default(1),
})

const SEQUENCES = { full: 100_000, quick: 2000 } as const
const STEPS = 60
const TELL_EVERY = 10_000

async function run(flags: Readonly<Record<string, unknown>>, { isQuick, signal, say }: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { seed, sequences = isQuick ? SEQUENCES.quick : SEQUENCES.full } = result.data
  const total = { violations: 0, requests: 0, refusals: 0, offersTaken: 0 }
  for (let number = 1; number <= sequences; number++) {
    const { violations, requests, refusals, offersTaken } = runSequence(seed + number - 1, STEPS)
    for (const violation of violations) say(`sequence ${seed + number - 1}: ${violation}`)
    total.violations += violations.length
    total.requests += requests
    total.refusals += refusals
    total.offersTaken += offersTaken
    if (number % TELL_EVERY === 0) say(`${number} of ${sequences}`)
    // So that an interrupt is heard.
    await setImmediate()
    signal.throwIfAborted()
  }
  const sheet = new FigureSheet()
  sheet.add({ name: 'admission_violations', unit: 'violations', value: total.violations, note: `${total.refusals} of ${total.requests} requests refused, ${total.offersTaken} offers taken up`, goal: { relation: '<=', bound: 0 } }, [total.violations])
  return { parameters: { sequences, seed, steps: STEPS }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** Whether the ledger of links keeps its word, whoever asks in whatever order. */
export const admission: Scenario = {
  name: 'admission',
  needs: [],
  summary: 'Reserve links in random order, beside a book of our own: is one ever promised more than it carries?',
  configure: command => command.option('--sequences <n>', `how many, of ${STEPS} steps (default ${SEQUENCES.full}; quick ${SEQUENCES.quick})`).option('--seed <n>', 'of the first; the others follow (default 1)'),
  run,
}
