import { cleanup } from 'node-datachannel'
import { z } from 'zod'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { loadRecordedShapes, SHAPES } from '../accept/traffic-shape.ts'
import { placeOnCpus, yieldEngineCpu } from '../fanout/cpu-placement.ts'
import { ENGINES } from '../fanout/fanout-engine.ts'
import { reportFanout } from '../fanout/fanout-report.ts'
import { measureEngine, measureSink } from '../fanout/fanout-run.ts'
import { fanoutSchedule } from '../fanout/fanout-schedule.ts'
import { JanusEngine } from '../fanout/janus-engine.ts'
import { MediasoupEngine } from '../fanout/mediasoup-engine.ts'
import { buildC, buildGo } from '../fanout/native-program.ts'
import { PionEngine } from '../fanout/pion-engine.ts'
import { FigureSheet } from '../report.ts'
import type { EngineName, EngineOptions, FanoutEngine } from '../fanout/fanout-engine.ts'
import type { EngineRun } from '../fanout/fanout-report.ts'
import type { SinkFlood } from '../fanout/fanout-run.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const STEPS = [1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40]
const QUICK_STEPS = [8]
const QUICK_ENGINES: readonly EngineName[] = ['kenkyo', 'mediasoup', 'janus']
/** As long as it takes until every stream has begun with a keyframe. */
const WARM_UP_SECONDS = 1.1
const FLOOD_SECONDS = 0.5
/** Makes our worker send as the stock one does. @see scripts/mediasoup-worker/optional */
const WITHOUT_SEGMENTATION = { KENKYO_WORKER_GSO: 'off' }

const listOf = <Name extends string>(names: readonly [Name, ...Name[]]) => z.string().transform(text => text.split(',')).pipe(z.array(z.enum(names)).min(1))
const Options = z.strictObject({
  engines: listOf(ENGINES).optional(),
  shapes: listOf(SHAPES).default([...SHAPES]),
  viewers: z.string().transform(text => text.split(',').map(Number).sort((a, b) => a - b)).pipe(z.array(z.int().min(1).max(200)).min(1)).optional(),
  rounds: numeric(z.int().min(1).max(50)).optional(),
  seconds: numeric(z.number().min(0.5).max(60)).optional(),
  stockWorker: z.string().min(1).optional(),
})

type OpenEngine = (options: EngineOptions) => Promise<FanoutEngine>

/** How each engine is started that is there; the others are named. */
async function findEngines(names: readonly EngineName[], stockWorker: string | undefined, signal: AbortSignal, skip: (engine: EngineName, why: string) => void): Promise<Map<EngineName, OpenEngine>> {
  const engines = new Map<EngineName, OpenEngine>()
  for (const name of names) {
    if (name === 'janus') {
      if (JanusEngine.isInstalled()) engines.set(name, options => JanusEngine.open(options))
      else skip(name, 'Debian\'s package janus is not installed')
    } else if (name === 'pion') {
      const program = await buildGo('pion-sfu', signal).catch((error: unknown) => {
        signal.throwIfAborted()
        if (!(error instanceof RelayFault)) throw error
        return undefined
      })
      if (program === undefined) skip(name, 'it does not build; Debian\'s packages golang-go and golang-github-pion-webrtc.v3-dev are needed')
      else engines.set(name, options => PionEngine.open(program, options))
    } else {
      const environment = name === 'kenkyo' ? {} : stockWorker === undefined ? WITHOUT_SEGMENTATION : { MEDIASOUP_WORKER_BIN: stockWorker }
      engines.set(name, options => MediasoupEngine.open({ name, environment }, options))
    }
  }
  return engines
}

async function run(flags: Readonly<Record<string, unknown>>, { isQuick, signal, say }: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { engines: names = isQuick ? QUICK_ENGINES : ENGINES, shapes, stockWorker, rounds = isQuick ? 1 : 5, seconds = isQuick ? 1 : 2, viewers = isQuick ? QUICK_STEPS : STEPS } = result.data
  const sheet = new FigureSheet()
  const engines = await findEngines(names, stockWorker, signal, (engine, why) => void sheet.warnings.push(`${engine} was skipped: ${why}`))
  // Its threads would keep this process.
  await using scope = new AsyncDisposableStack()
  scope.defer(() => cleanup())
  const cpus = placeOnCpus()
  await using _cpus = await yieldEngineCpu(cpus, signal)
  const tools = { source: await buildC('rtp-source', signal), sink: await buildC('rtp-sink', signal), cpus }
  const recorded = await loadRecordedShapes()
  const floods: SinkFlood[] = []
  const runs: EngineRun[] = []
  for (let round = 0; round < rounds; round++) {
    floods.push(await measureSink(tools, fanoutSchedule(recorded, 'whole'), FLOOD_SECONDS, signal))
    for (const shape of shapes) {
      // Who goes first changes, so that nobody always has the machine as it is then.
      const order = [...engines.keys()]
      const turned = round % 2 === 0 ? order : order.toReversed()
      for (const engine of turned) {
        const open = engines.get(engine)
        if (open === undefined) continue
        const windows = await measureEngine({ tools, schedule: fanoutSchedule(recorded, shape), viewers, warmUpSeconds: WARM_UP_SECONDS, seconds, open, signal })
        say(`round ${round + 1} of ${rounds}, ${shape}, ${engine}: ${windows.map(each => `${each.viewers}: ${(100 * each.deliveredRatio).toFixed(2)} %`).join(', ')}`)
        runs.push({ engine, shape, round, windows })
      }
    }
  }
  reportFanout(runs, floods, sheet)
  return {
    parameters: { engines: [...engines.keys()].join(), shapes: shapes.join(), viewers: viewers.join(), rounds, seconds, engineCpu: cpus.engine, otherCpus: cpus.others, stockWorker: stockWorker ?? 'the same without segmentation' },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** How many viewers one core serves, beside other SFUs. */
export const fanout: Scenario = {
  name: 'fanout',
  needs: ['cc'],
  summary: 'Fan one microscope out to more and more viewers, by our media plane and by other SFUs, each on one core: Gbit/s, packets, delay, and where it ends.',
  configure: command =>
    command
      .option('--engines <list>', `who forwards: ${ENGINES.join()} (default all, quick ${QUICK_ENGINES.join()}; who is not installed is named)`)
      .option('--shapes <list>', `what is sent: ${SHAPES.join()} (default both)`)
      .option('--viewers <list>', `numbers of viewers, rising (default ${STEPS.join()}, quick ${QUICK_STEPS.join()})`)
      .option('--rounds <n>', 'how often everything is measured, engines in turn (default 5, quick 1)')
      .option('--seconds <n>', 'length of a window (default 2, quick 1)')
      .option('--stock-worker <file>', 'the worker of the bare library (default: the one that kenkyo uses, without segmentation)'),
  run,
}
