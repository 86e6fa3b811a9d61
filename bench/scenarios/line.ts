import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { MEASURED_LINES } from '../all/needs.ts'
import { measureAccuracy, QUICK_EFFORT } from '../lines/accuracy.ts'
import { BusyCores } from '../lines/busy-cores.ts'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { burstLoss } from '../lines/packet-loss.ts'
import { lineProfile, parseLineProfile, symmetricLine } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import type { AccuracyEffort } from '../lines/accuracy.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const LEAF = 'far-end'

const Options = z.strictObject({
  profile: z.string().min(1).optional(),
  busy: z.boolean().default(false),
  emulator: z.enum(['netem', 'user-space']).optional(),
})

const FULL_EFFORT: AccuracyEffort = { pings: 1000, rateSeconds: 6, lossPackets: 100_000 }
/** Losses in bursts take more packets to tell. */
const BURST_EFFORT: AccuracyEffort = { ...FULL_EFFORT, lossPackets: 240_000 }

interface Setting {
  readonly name: string
  readonly profile: LineProfile
  readonly effort: AccuracyEffort
}

/** Each looks at one thing. */
function standardSettings(): Setting[] {
  const line = (name: string, options: Parameters<typeof symmetricLine>[0]): Setting => ({ name, profile: symmetricLine({ ...options, name }), effort: FULL_EFFORT })
  const burst = { delayMillis: 5, loss: burstLoss({ meanRatio: 0.02, meanBurstPackets: 4 }) }
  return [
    line('rtt-4', { roundTripMillis: 4 }),
    line('rtt-40', { roundTripMillis: 40 }),
    line('rate-10', { roundTripMillis: 20, rateBitsPerSecond: 10e6, queueMillis: 50 }),
    line('rate-100', { roundTripMillis: 20, rateBitsPerSecond: 100e6, queueMillis: 50 }),
    line('uniform-1', { roundTripMillis: 10, lossRatio: 0.01 }),
    { name: 'burst-2', profile: lineProfile({ name: 'burst-2', note: 'Assumed: chosen to measure under.', up: burst, down: burst }), effort: BURST_EFFORT },
  ]
}

async function run(flags: Readonly<Record<string, unknown>>, { isQuick, signal, say }: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { profile, busy, emulator } = result.data
  const chosen: Setting[] = profile === undefined ? standardSettings() : [{ name: 'profile', profile: parseLineProfile(profile), effort: FULL_EFFORT }]
  const settings = chosen.map(setting => (isQuick ? { ...setting, effort: QUICK_EFFORT } : setting))
  const [first] = settings
  if (first === undefined) throw new Error('there are settings')
  const sheet = new FigureSheet()
  await using network = await EmulatedNetwork.open({ leaves: { [LEAF]: first.profile }, signal, emulator })
  for (const load of busy ? (['idle', 'busy'] as const) : (['idle'] as const)) {
    await using _cores = load === 'busy' ? await BusyCores.open() : undefined
    for (const setting of settings) {
      say(`${setting.name}, ${load}`)
      await network.change(LEAF, setting.profile)
      await measureAccuracy({ network, leaf: LEAF, profile: setting.profile, effort: setting.effort, setting: setting.name, load, sheet, signal })
    }
  }
  const { up, down } = await network.counts(LEAF)
  for (const [direction, { lateness, delivered }] of [['up', up], ['down', down]] as const) {
    sheet.warnings.push(
      `${direction}: ${delivered} packets left on average ${lateness.meanMillis.toFixed(3)} ms late by the emulator's own clock, p99 ${lateness.p99Millis.toFixed(2)} ms, at most ${lateness.longestMillis.toFixed(2)} ms`,
    )
  }
  return { parameters: { profile: profile ?? 'standard settings', busy, emulator: network.description }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** How accurate emulated lines are, measured by ping and iperf3. */
export const line: Scenario = {
  name: 'line',
  needs: MEASURED_LINES,
  summary: 'Measure emulated lines with ping and iperf3: how far rate, delay and loss are off what was asked for. Takes root.',
  configure: command =>
    command
      .option('--profile <line>', 'one line by name, as JSON or as a .json file (default: a handful of settings that look at one thing each)')
      .option('--busy', 'measure everything once more while all cores are kept busy')
      .option('--emulator <which>', 'netem or user-space (default: netem where the kernel has it)'),
  run,
}
