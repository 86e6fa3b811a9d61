import { performance } from 'node:perf_hooks'
import { z } from 'zod'
import { readManifest } from '../../clients/capture/recording.ts'
import { completeContract } from '../../relay/links/link-classes.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { LinkName, PathName } from '../../relay/wire/link.ts'
import { millis } from '../../relay/wire/units.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { MEASURED_LINES } from '../all/needs.ts'
import { LinkPair } from '../carriers/link-end.ts'
import { effortFor, measureAccuracy } from '../lines/accuracy.ts'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { FigureSheet } from '../report.ts'
import { chooseRenditions } from './choose-renditions.ts'
import { bulkOnLine, framesLost, totalsOf } from './link-figures.ts'
import { seededRandom } from './viewport-renditions.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { PathPolicy } from '../../relay/wire/link.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  cuts: numeric(z.int().min(1).max(10_000)).optional(),
  bondSeconds: numeric(z.int().min(3).max(600)).optional(),
  liveBitrate: numeric(z.number().min(1e6).max(200e6)).default(25e6),
  recording: z.string().min(1).optional(),
  seed: numeric(z.int()).default(20_261_124),
})

const LEAF = 'microscope'
const RATES = [60e6, 40e6] as const
const FIRST = symmetricLine({ name: 'first', roundTripMillis: 40, rateBitsPerSecond: RATES[0], lossRatio: 0.002 })
const LINES = [FIRST, symmetricLine({ name: 'second', roundTripMillis: 60, rateBitsPerSecond: RATES[1], lossRatio: 0.002 })]
/** Four round trips of the longer path. */
const BUDGET_MILLIS = 240
const PORT = 20_500
/** A line stays cut, and is then whole for at least so long. */
const CUT_MILLIS = 600
const WHOLE_MILLIS = { least: 1500, most: 2500 }
/** From stopping to send until everything has arrived, or never will. */
const DRAIN = millis(1500)

const epochNow = (): number => performance.timeOrigin + performance.now()

class PathsMeasurement {
  readonly #network: EmulatedNetwork
  readonly #recording: string
  readonly #renditions: readonly RenditionId[]
  readonly #sheet: FigureSheet
  readonly #context: BenchContext
  readonly #random: () => number

  constructor(network: EmulatedNetwork, recording: string, renditions: readonly RenditionId[], sheet: FigureSheet, context: BenchContext, seed: number) {
    this.#network = network
    this.#recording = recording
    this.#renditions = renditions
    this.#sheet = sheet
    this.#context = context
    this.#random = seededRandom(seed)
  }

  /** Cuts one of the two lines at random, again and again, while live frames flow. */
  async cut(policy: PathPolicy, cuts: number): Promise<void> {
    await using pair = await this.#open(policy)
    pair.initiator.command({ type: 'play', isOn: true })
    await this.#wait(pair, 3000)
    pair.takeFrames()
    pair.initiator.command({ type: 'play', isOn: false })
    await this.#wait(pair, DRAIN)
    const before = await totalsOf(pair)
    pair.initiator.command({ type: 'play', isOn: true })
    await this.#wait(pair, 2000)
    const recoveries: number[] = []
    for (let number = 1; number <= cuts; number++) {
      const line = this.#random() < 0.5 ? 0 : 1
      pair.takeFrames()
      await this.#network.cut(LEAF, line, true)
      const cutAt = epochNow()
      await this.#wait(pair, CUT_MILLIS)
      await this.#network.cut(LEAF, line, false)
      await this.#wait(pair, WHOLE_MILLIS.least + this.#random() * (WHOLE_MILLIS.most - WHOLE_MILLIS.least))
      // The second line carries nothing that is waited for, unless the first is away.
      if (line === 0) recoveries.push(recoveryOf(pair.takeFrames(), cutAt) / 1000)
      if (number % 20 === 0) this.#context.say(`${policy}: ${number} of ${cuts} cuts`)
    }
    pair.initiator.command({ type: 'play', isOn: false })
    await this.#wait(pair, DRAIN)
    const after = await totalsOf(pair)
    const sent = after.initiator.frames - before.initiator.frames
    const note = `of ${sent} frames sent in ${cuts} cuts of ${CUT_MILLIS} ms; whole within ${BUDGET_MILLIS} ms of their last packet's sending counts`
    this.#sheet.add({ name: 'frames_lost', labels: { policy }, unit: 'frames', note, ...(policy === 'hitless' ? { goal: { relation: '<=', bound: 0 } as const } : {}) }, [framesLost(before, after)])
    this.#sheet.add(
      {
        name: 'recovery_seconds', labels: { policy }, unit: 's',
        note: 'from cutting the preferred line to the completion of the first frame whose last packet left after the cut; one way of the other line (30 ms) included; samples are cuts',
        ...(policy === 'failover' ? { goal: { relation: '<=', bound: 0.3 } as const } : {}),
        ...(recoveries.length === 0 ? {} : { value: Math.max(...recoveries) }),
      },
      recoveries,
    )
  }

  /** Bulk over both at once. */
  async bond(seconds: number): Promise<void> {
    await using pair = await this.#open('bond')
    pair.initiator.command({ type: 'bulk', isOn: true })
    await this.#wait(pair, 4000)
    const shares: number[] = []
    let before = await totalsOf(pair)
    for (let second = 0; second < seconds; second++) {
      await this.#wait(pair, 1000)
      const now = await totalsOf(pair)
      const elapsed = (now.responder.at - before.responder.at) / 1000
      shares.push((8 * bulkOnLine(now.responder.bulkBytes - before.responder.bulkBytes)) / elapsed / (RATES[0] + RATES[1]))
      before = now
    }
    const value = shares.reduce((sum, share) => sum + share, 0) / shares.length
    this.#sheet.add({ name: 'bond_share', unit: 'ratio', value, note: 'IP bytes that whole messages take when sent once, over the sum of both rates; mean, samples are seconds', goal: { relation: '>=', bound: 0.9 } }, shares)
  }

  #open(policy: PathPolicy): Promise<LinkPair> {
    const contract = completeContract({
      name: LinkName.parse('bench'), class: 'best-effort',
      traffic: { live: { policy }, bulk: { policy: 'bond' } },
      paths: LINES.map(({ name }, index) => ({ name: PathName.parse(name), localAddress: this.#network.leafAddress(LEAF, index), remoteHost: this.#network.nodeAddressOf(index) })),
    })
    const enter = { initiator: this.#network.enter(LEAF), responder: this.#network.enter('node') }
    return LinkPair.open({ contract, host: '0.0.0.0', port: PORT, enter, recording: this.#recording, renditions: this.#renditions, budgetMillis: BUDGET_MILLIS, signal: this.#context.signal })
  }

  async #wait(pair: LinkPair, duration: number): Promise<void> {
    await Promise.race([systemClock.sleep(millis(duration), this.#context.signal), pair.failed, this.#network.failed])
  }
}

/** From a cut until a frame that left after it is whole, in milliseconds. */
function recoveryOf(frames: readonly { readonly sentAt: number; readonly completedAt: number }[], cutAt: number): number {
  const first = Math.min(...frames.filter(({ sentAt }) => sentAt >= cutAt).map(({ completedAt }) => completedAt))
  return first - cutAt
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { liveBitrate, seed } = result.data
  const { cuts = context.isQuick ? 2 : 100, bondSeconds = context.isQuick ? 3 : 30 } = result.data
  const recording = result.data.recording ?? (await demoRecording({ onProgress: context.say, signal: context.signal }))
  const { ids, bitsPerSecond } = chooseRenditions(await readManifest(recording), liveBitrate)
  const sheet = new FigureSheet()
  await using network = await EmulatedNetwork.open({ leaves: { [LEAF]: LINES }, signal: context.signal, isPreferred: true })
  context.say('measuring the first line')
  await measureAccuracy({ network, leaf: LEAF, profile: FIRST, sheet, signal: context.signal, setting: 'paths', effort: effortFor(context) })
  const measurement = new PathsMeasurement(network, recording, ids, sheet, context, seed)
  await measurement.bond(bondSeconds)
  await measurement.cut('hitless', cuts)
  await measurement.cut('failover', cuts)
  return {
    parameters: { cuts, cutMillis: CUT_MILLIS, bondSeconds, seed, recording, renditions: ids.length, bitsPerSecond: Math.round(bitsPerSecond), rates: RATES.join(), roundTripsMillis: '40,60', lossRatio: 0.002, budgetMillis: BUDGET_MILLIS, lines: network.description },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** What a second path is for. */
export const paths: Scenario = {
  name: 'paths',
  needs: MEASURED_LINES,
  summary: 'Two paths, one of them cut again and again: frames lost, time to recover, and what both carry together.',
  configure: command =>
    command
      .option('--cuts <n>', 'for each policy (default 100; quick 2)')
      .option('--bond-seconds <n>', 'of bulk over both paths (default 30; quick 3)')
      .option('--live-bitrate <bit/s>', 'of the live renditions (default 25000000)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)')
      .option('--seed <n>', 'of all random choices'),
  run,
}
