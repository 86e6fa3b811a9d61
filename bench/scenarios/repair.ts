import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { readManifest } from '../../clients/capture/recording.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { MEASURED_LINES } from '../all/needs.ts'
import { CARRIER_NAMES } from '../carriers/carrier.ts'
import { measureLoopback } from '../carriers/loopback-load.ts'
import { runCarrier } from '../carriers/carrier-run.ts'
import { SrtCarrier } from '../carriers/srt-carrier.ts'
import { effortFor, measureAccuracy } from '../lines/accuracy.ts'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { burstLoss } from '../lines/packet-loss.ts'
import { lineProfile } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import { chooseRenditions } from './choose-renditions.ts'
import { reportCosts, reportRepair } from './repair-report.ts'
import type { CarrierName } from '../carriers/carrier.ts'
import type { CarrierRun } from '../carriers/carrier-run.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { Measurement } from '../report.ts'
import type { RepairResult } from './repair-report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

/** Words separated by commas. */
const words = z.string().transform(text => text.split(','))

const Options = z.strictObject({
  seconds: numeric(z.int().min(2).max(3600)).optional(),
  rounds: numeric(z.int().min(1).max(100)).default(1),
  carriers: words.pipe(z.array(z.enum(CARRIER_NAMES)).min(1)).optional(),
  losses: words.transform(each => each.map(Number)).pipe(z.array(z.number().min(0).max(0.5)).min(1)).optional(),
  models: words.pipe(z.array(z.enum(['uniform', 'burst'])).min(1)).optional(),
  pyramidBitrate: numeric(z.number().min(1e6).max(1e9)).default(80e6),
  recording: z.string().min(1).optional(),
})
type Options = z.infer<typeof Options>

/** One line that loses enough to tell carriers apart, and the two that repair for themselves. */
const QUICK = { carriers: ['kenkyo', 'srt'], losses: [0.03], models: ['burst'] } satisfies Partial<Options>

const LEAF = 'microscope'
const LINE = { rateBitsPerSecond: 120e6, roundTripMillis: 40, jitterMillis: 8, queueMillis: 100 }
const MEAN_BURST_PACKETS = 4
/** Of the round trip: what live video may spend on being repaired. */
const BUDGET_ROUND_TRIPS = 4
const BUDGET = millis(BUDGET_ROUND_TRIPS * LINE.roundTripMillis)

type Setting = Pick<RepairResult, 'lossRatio' | 'model'>

/** The line of this scenario with so much loss, both ways alike. */
function lossyLine({ lossRatio, model }: Setting, jitterMillis = LINE.jitterMillis): LineProfile {
  const direction = {
    rateBitsPerSecond: LINE.rateBitsPerSecond, delayMillis: LINE.roundTripMillis / 2, jitterMillis, queue: { millis: LINE.queueMillis },
    loss: model === 'burst' ? burstLoss({ meanRatio: lossRatio, meanBurstPackets: MEAN_BURST_PACKETS }) : { model, ratio: lossRatio },
  }
  return lineProfile({ name: `repair-${model}`, note: 'Assumed: chosen to measure under.', up: direction, down: direction })
}

/** Without loss the models are one. */
const settingsOf = ({ losses = [0, 0.01, 0.03, 0.05], models = ['uniform', 'burst'] }: Pick<Options, 'losses' | 'models'>): Setting[] =>
  losses.flatMap(lossRatio => (lossRatio === 0 ? [{ lossRatio, model: 'uniform' as const }] : models.map(model => ({ lossRatio, model }))))

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const options = context.isQuick ? { ...QUICK, ...result.data } : result.data
  const { rounds } = options
  const { seconds = context.isQuick ? 3 : 20 } = options
  const { say, signal } = context
  const recording = options.recording ?? (await demoRecording({ onProgress: say, signal }))
  const manifest = await readManifest(recording)
  const { ids: renditions, bitsPerSecond } = chooseRenditions(manifest, options.pyramidBitrate)
  const sheet = new FigureSheet()
  const asked = options.carriers ?? [...CARRIER_NAMES]
  const carriers = asked.filter(carrier => carrier !== 'srt' || SrtCarrier.isInstalled())
  if (carriers.length < asked.length) sheet.warnings.push('srt was skipped: there is no srt-live-transmit; Debian has it in srt-tools')

  if (asked.includes('kenkyo')) {
    say('a link on loopback')
    await measureLoopback(sheet, { seconds: context.isQuick ? 2 : 10, isQuick: context.isQuick }, signal)
  }
  const measured = lossyLine({ lossRatio: 0.01, model: 'uniform' }, 0)
  const kindLine = lossyLine({ lossRatio: 0, model: 'uniform' }, 0)
  await using network = await EmulatedNetwork.open({ leaves: { [LEAF]: measured }, signal, isPreferred: true })
  say('measuring the line')
  await measureAccuracy({ network, leaf: LEAF, profile: measured, sheet, signal, setting: 'repair', effort: effortFor(context) })

  const runs = new Map<Setting, Map<CarrierName, CarrierRun[]>>(settingsOf(options).map(setting => [setting, new Map(carriers.map(carrier => [carrier, []]))]))
  for (let round = 1; round <= rounds; round++) {
    for (const [setting, byCarrier] of runs) {
      for (const [carrier, done] of byCarrier) {
        say(`round ${round} of ${rounds}, loss ${setting.lossRatio} ${setting.model}: ${carrier}`)
        try {
          done.push(await runCarrier({ network, carrier, recording, renditions, budget: BUDGET, kindLine, line: lossyLine(setting), seconds, signal }))
        } catch (error) {
          if (!(error instanceof RelayFault) || signal.aborted) throw error
          sheet.warnings.push(`${carrier} at ${setting.lossRatio} ${setting.model} failed: ${error.message}`)
        }
      }
    }
  }

  const rules = { budgetSeconds: BUDGET / 1000, lineDelaySeconds: LINE.roundTripMillis / 2000, framesPerSecond: renditions.length * manifest.pyramid.framesPerSecond, cores: availableParallelism(), hasToShare: network.priority.name === 'normal' }
  for (const [setting, byCarrier] of runs) for (const [carrier, done] of byCarrier) reportRepair(sheet, { ...setting, carrier, runs: done }, rules)
  for (const carrier of carriers) reportCosts(sheet, carrier, [...runs.values()].flatMap(byCarrier => byCarrier.get(carrier) ?? []))
  return {
    parameters: { seconds, rounds, ...LINE, meanBurstPackets: MEAN_BURST_PACKETS, budgetMillis: BUDGET, renditions: renditions.length, bitsPerSecond: Math.round(bitsPerSecond), recording, lines: network.description, priority: network.priority.name },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** What repair is for: a line that loses packets, and every frame there in time all the same. */
export const repair: Scenario = {
  name: 'repair',
  needs: MEASURED_LINES,
  summary: 'Carry the 80 Mbit/s pyramid over lossy lines by kenkyo\'s link, by SRT and by WebRTC: frames whole in time, overhead, added latency, CPU.',
  configure: command =>
    command
      .option('--seconds <n>', 'of each carrier on each line (default 20; quick 3)')
      .option('--rounds <n>', 'through all lines and carriers (default 1)')
      .option('--carriers <names>', `any of ${CARRIER_NAMES.join(',')} (default all; quick ${QUICK.carriers.join()})`)
      .option('--losses <ratios>', 'in each direction (default 0,0.01,0.03,0.05; quick 0.03)')
      .option('--models <names>', 'uniform, burst or both (default both; quick burst)')
      .option('--pyramid-bitrate <bit/s>', 'the overview and as many tiles as make this (default 80000000)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)'),
  run,
}
