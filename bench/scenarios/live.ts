import { z } from 'zod'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { LocalNode } from '../local-node.ts'
import { FigureSheet } from '../report.ts'
import { measurePlayback } from './full-playback.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

/** Read often, so that a change of view is soon seen in `/metrics`. */
const STATS_INTERVAL_SECONDS = 0.5

const Options = z.strictObject({
  seconds: numeric(z.int().min(1).max(86_400)).optional(),
  receivers: numeric(z.int().min(1).max(32)).default(2),
  recording: z.string().min(1).optional(),
  workers: numeric(z.int().min(1).max(64)).optional(),
  frameDeadlineMillis: numeric(z.number().min(10).max(10_000)).default(500),
})

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { receivers, workers, frameDeadlineMillis, seconds = context.isQuick ? 8 : 30 } = result.data
  const recording = result.data.recording ?? (await demoRecording({ onProgress: context.say, signal: context.signal }))
  const { signal } = context
  const sheet = new FigureSheet()
  await using node = await LocalNode.open({ workers, statsIntervalSeconds: STATS_INTERVAL_SECONDS, signal })
  await using agent = await node.startAgent(['--source', 'recording', '--loop', '--input', recording], signal)
  await measurePlayback(node, agent, { receivers, seconds, frameDeadlineMillis }, sheet, context)
  return {
    parameters: { recording, seconds, receivers, workers: workers ?? 'default', frameDeadlineMillis },
    figures: sheet.figures,
    samples: sheet.samples,
    warnings: sheet.warnings,
  }
}

/** The whole way of live video: agent, node, and headless receivers. */
export const live: Scenario = {
  name: 'live',
  needs: [],
  summary: 'Play a recording through a node to headless receivers: intact frames, bits, CPU and memory.',
  configure: command =>
    command
      .option('--recording <directory>', 'the recording to play (default: the demo recording, made if there is none)')
      .option('--receivers <n>', 'headless receivers, each a process of its own that watches everything (default 2)')
      .option('--seconds <n>', 'how long to play to them (default 30, quick 8)')
      .option('--workers <n>', 'media workers of the node (default: one per core)')
      .option('--frame-deadline-millis <n>', 'from the first packet of an instant to the last one that counts (default 500)'),
  run,
}
