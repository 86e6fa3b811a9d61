import { z } from 'zod'
import { Host, Report } from '../report.ts'

/** One scenario of a run of all, and what became of it. */
const ScenarioRun = z.strictObject({
  scenario: z.string(),
  /** `failed` is what could not be measured to its end, or measured what must not be; `skipped` what cannot be measured here. */
  outcome: z.enum(['measured', 'failed', 'skipped']),
  seconds: z.number().min(0),
  /** Why it failed or was skipped. */
  reason: z.string().optional(),
  /** Without raw samples. */
  report: Report.optional(),
})
export type ScenarioRun = z.infer<typeof ScenarioRun>

/** One run of every scenario: the document that `all --json` writes, and that `bench/results/` keeps of releases. */
export const AllDocument = z.strictObject({
  kind: z.literal('kenkyo-bench-all'),
  /** Of the working tree; ends in `-dirty` when something in it is not committed. */
  commit: z.string(),
  startedAt: z.iso.datetime(),
  host: Host,
  quick: z.boolean(),
  seconds: z.number(),
  runs: z.array(ScenarioRun),
  /** What was left behind, and removed; empty when everything cleaned up after itself. */
  leftovers: z.array(z.string()),
})
export type AllDocument = z.infer<typeof AllDocument>

/** A report as it is kept: figures, without the samples that they were made from. */
export function condense(report: Report): Report {
  const { details: _details, ...rest } = report
  return { ...rest, samples: [] }
}
