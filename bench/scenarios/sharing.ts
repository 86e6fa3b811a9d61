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
import { median } from '../statistics.ts'
import { chooseRenditions } from './choose-renditions.ts'
import { bulkOnLine, delaysOf, framesLost, totalsOf } from './link-figures.ts'
import type { Measurement } from '../report.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { PairTotals } from './link-figures.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const Options = z.strictObject({
  seconds: numeric(z.int().min(4).max(600)).optional(),
  stepSeconds: numeric(z.int().min(4).max(120)).optional(),
  liveBitrate: numeric(z.number().min(1e6).max(90e6)).default(22e6),
  recording: z.string().min(1).optional(),
})

const LEAF = 'microscope'
const FULL = 100e6
const NARROW = 30e6
const ROUND_TRIP_MILLIS = 40
const BUDGET_MILLIS = 160
const PORT = 20_501
const DRAIN = millis(1500)

const line = (rateBitsPerSecond: number): LineProfile => symmetricLine({ name: 'sharing', roundTripMillis: ROUND_TRIP_MILLIS, rateBitsPerSecond })

class SharingMeasurement {
  readonly #network: EmulatedNetwork
  readonly #pair: LinkPair
  readonly #sheet: FigureSheet
  readonly #context: BenchContext

  constructor(network: EmulatedNetwork, pair: LinkPair, sheet: FigureSheet, context: BenchContext) {
    this.#network = network
    this.#pair = pair
    this.#sheet = sheet
    this.#context = context
  }

  /** Live alone, and live beside bulk. */
  async share(seconds: number): Promise<void> {
    const alone = await this.#play(seconds, false)
    const beside = await this.#play(seconds, true)
    const usual = median(alone.delays)
    this.#sheet.add({ name: 'live_delay_seconds', labels: { beside: 'nothing' }, unit: 's', note: "from a frame's last packet to its completion, 20 ms of line included" }, alone.delays.map(delay => delay / 1000))
    const added = beside.delays.map(delay => (delay - usual) / 1000)
    const sorted = added.toSorted((a, b) => a - b)
    this.#sheet.add(
      { name: 'live_added_delay_seconds', unit: 's', value: sorted[Math.floor(0.95 * sorted.length)] ?? NaN, note: 'the value is the 95th percentile; beside bulk, less the median of live alone', goal: { relation: '<=', bound: 0.01 } },
      added,
    )
    this.#sheet.add({ name: 'live_frames_lost', labels: { phase: 'steady' }, unit: 'frames', note: `of ${beside.sent} beside bulk; whole within ${BUDGET_MILLIS} ms counts`, goal: { relation: '<=', bound: 0 } }, [beside.lost])
    const left = FULL - alone.lineRate
    const shares = beside.bulkRates.map(rate => (8 * bulkOnLine(rate)) / left)
    this.#sheet.add(
      { name: 'bulk_share', unit: 'ratio', value: shares.reduce((sum, share) => sum + share, 0) / shares.length, note: `IP bytes that whole messages take when sent once, over what live alone left of the line (${(left / 1e6).toFixed(1)} Mbit/s); mean, samples are seconds`, goal: { relation: '>=', bound: 0.9 } },
      shares,
    )
  }

  /** The line becomes narrow, and wide again, while both flow. */
  async step(seconds: number): Promise<void> {
    const { initiator, responder } = this.#pair
    initiator.command({ type: 'play', isOn: true })
    initiator.command({ type: 'bulk', isOn: true })
    await this.#wait(5000)
    const begin = await totalsOf(this.#pair)
    for (const [name, rate] of [['down', NARROW], ['up', FULL]] as const) {
      this.#pair.takeFrames()
      await this.#network.change(LEAF, line(rate))
      const changedAt = performance.timeOrigin + performance.now()
      const rates: { readonly at: number; readonly carried: number }[] = []
      let before = await responder.totals()
      while (performance.timeOrigin + performance.now() < changedAt + seconds * 1000) {
        await this.#wait(250)
        const now = await responder.totals()
        const carried = now.livePayloadBytes - before.livePayloadBytes + (now.bulkBytes - before.bulkBytes)
        rates.push({ at: now.at - changedAt, carried: (8000 * carried) / (now.at - before.at) })
        before = now
      }
      const delays = this.#pair.takeFrames().map(({ sentAt, completedAt }) => ({ at: sentAt - changedAt, delay: completedAt - sentAt }))
      const late = delays.filter(({ delay }) => delay > ROUND_TRIP_MILLIS / 2 + 30)
      const calmAt = Math.max(0, ...late.filter(({ at }) => at >= 0).map(({ at, delay }) => at + delay))
      this.#sheet.add({ name: 'live_calm_after_seconds', labels: { step: name }, unit: 's', note: 'from the step until no frame took more than 30 ms longer than the line' }, [calmAt / 1000])
      this.#sheet.add({ name: 'live_longest_delay_seconds', labels: { step: name }, unit: 's', note: 'of a frame' }, [Math.max(...delays.map(({ delay }) => delay)) / 1000])
      const enough = rates.findIndex(({ carried }, index) => carried >= 0.8 * rate && (rates[index + 1]?.carried ?? 0) >= 0.8 * rate)
      if (name === 'up') this.#sheet.add({ name: 'recovery_seconds', labels: { step: name }, unit: 's', note: 'from the step until payload of live and bulk makes 80 % of the line' }, enough < 0 ? [] : [(rates[enough]?.at ?? 0) / 1000])
      this.#sheet.add({ name: 'carried_bits_per_second', labels: { step: name }, unit: 'bit/s', note: 'payload of live and bulk; samples are quarter seconds from the step on' }, rates.map(({ carried }) => carried))
    }
    initiator.command({ type: 'play', isOn: false })
    initiator.command({ type: 'bulk', isOn: false })
    await this.#wait(DRAIN)
    const end = await totalsOf(this.#pair)
    const sent = end.initiator.frames - begin.initiator.frames
    this.#sheet.add({ name: 'live_frames_lost', labels: { phase: 'steps' }, unit: 'frames', note: `of about ${sent} while the line went to 30 Mbit/s and back, at ${BUDGET_MILLIS} ms` }, [Math.max(0, framesLost(begin, end))])
  }

  async #play(seconds: number, hasBulk: boolean) {
    const { initiator } = this.#pair
    const before = await totalsOf(this.#pair)
    if (hasBulk) initiator.command({ type: 'bulk', isOn: true })
    initiator.command({ type: 'play', isOn: true })
    await this.#wait(4000)
    this.#pair.takeFrames()
    const lineBefore = await this.#network.counts(LEAF)
    const bulkRates: number[] = []
    const begin = await totalsOf(this.#pair)
    let last: PairTotals = begin
    for (let second = 0; second < seconds; second++) {
      await this.#wait(1000)
      const now = await totalsOf(this.#pair)
      bulkRates.push((now.responder.bulkBytes - last.responder.bulkBytes) / ((now.responder.at - last.responder.at) / 1000))
      last = now
    }
    const lineAfter = await this.#network.counts(LEAF)
    const delays = delaysOf(this.#pair.takeFrames())
    initiator.command({ type: 'play', isOn: false })
    initiator.command({ type: 'bulk', isOn: false })
    await this.#wait(DRAIN)
    const after = await totalsOf(this.#pair)
    const elapsed = (last.responder.at - begin.responder.at) / 1000
    return {
      delays, bulkRates,
      sent: after.initiator.frames - before.initiator.frames,
      lost: framesLost(before, after),
      lineRate: (8 * (lineAfter.up.bytes - lineBefore.up.bytes)) / elapsed,
    }
  }

  async #wait(duration: number): Promise<void> {
    await Promise.race([systemClock.sleep(millis(duration), this.#context.signal), this.#pair.failed, this.#network.failed])
  }
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { liveBitrate, stepSeconds = context.isQuick ? 4 : 15 } = result.data
  const { seconds = context.isQuick ? 4 : 30 } = result.data
  const recording = result.data.recording ?? (await demoRecording({ onProgress: context.say, signal: context.signal }))
  const { ids, bitsPerSecond } = chooseRenditions(await readManifest(recording), liveBitrate)
  const sheet = new FigureSheet()
  await using network = await EmulatedNetwork.open({ leaves: { [LEAF]: line(FULL) }, signal: context.signal, isPreferred: true })
  context.say('measuring the line')
  await measureAccuracy({ network, leaf: LEAF, profile: line(FULL), sheet, signal: context.signal, setting: 'sharing', effort: effortFor(context) })
  // Nothing is stated of the rate: it has to be found, and found again after the steps.
  const contract = completeContract({ name: LinkName.parse('bench'), class: 'best-effort', paths: [{ name: PathName.parse('only') }] })
  await using pair = await LinkPair.open({
    contract, host: network.nodeAddress, port: PORT, enter: { initiator: network.enter(LEAF), responder: network.enter('node') },
    recording, renditions: ids, budgetMillis: BUDGET_MILLIS, signal: context.signal,
  })
  const measurement = new SharingMeasurement(network, pair, sheet, context)
  context.say('live alone, then beside bulk')
  await measurement.share(seconds)
  context.say('the line becomes narrow, and wide again')
  await measurement.step(stepSeconds)
  return {
    parameters: { seconds, stepSeconds, recording, renditions: ids.length, liveBitsPerSecond: Math.round(bitsPerSecond), rate: FULL, narrow: NARROW, roundTripMillis: ROUND_TRIP_MILLIS, queueMillis: 100, lines: network.description },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** Whether bulk keeps out of live video's way, and leaves nothing unused. */
export const sharing: Scenario = {
  name: 'sharing',
  needs: MEASURED_LINES,
  summary: 'Bulk and live video on one 100 Mbit/s path: delay that bulk adds, what it gets of the rest, and steps of the rate.',
  configure: command =>
    command
      .option('--seconds <n>', 'of live alone, and of live beside bulk (default 30; quick 4)')
      .option('--step-seconds <n>', 'after each step (default 15; quick 4)')
      .option('--live-bitrate <bit/s>', 'of the live renditions (default 22000000)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)'),
  run,
}
