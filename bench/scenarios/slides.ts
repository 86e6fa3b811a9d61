import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { readManifest } from '../../clients/capture/recording.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { MEASURED_LINES } from '../all/needs.ts'
import { effortFor, measureAccuracy } from '../lines/accuracy.ts'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { iperf } from '../lines/iperf.ts'
import { symmetricLine } from '../lines/profiles.ts'
import { FigureSheet, labelText } from '../report.ts'
import { measureBesideLive } from '../slides/beside-live.ts'
import { KenkyoTransfer } from '../slides/kenkyo-transfer.ts'
import { chooseTcp, cutFile, hasBbr, lackOf, parallelTcp, PEERS, startPeer } from '../slides/peers.ts'
import { followTransfer, PAYLOAD_RATIO } from '../slides/slide-transfer.ts'
import { FULL_SLIDE, writeSyntheticSlide } from '../slides/synthetic-slide.ts'
import { median } from '../statistics.ts'
import { chooseRenditions } from './choose-renditions.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { Measurement } from '../report.ts'
import type { Peer } from '../slides/peers.ts'
import type { SlideTransfer, TransferOutcome } from '../slides/slide-transfer.ts'
import type { BenchContext, Scenario } from './scenario.ts'

/** The lines of this scenario: loss both ways, a queue of one bandwidth-delay product. */
const LINES = {
  '20ms-1pct': { rateBitsPerSecond: 100e6, roundTripMillis: 20, lossRatio: 0.01 },
  '150ms-1pct': { rateBitsPerSecond: 100e6, roundTripMillis: 150, lossRatio: 0.01 },
  '150ms-3pct': { rateBitsPerSecond: 100e6, roundTripMillis: 150, lossRatio: 0.03 },
  sinet: { rateBitsPerSecond: 1e9, roundTripMillis: 15, lossRatio: 0.0001 },
} as const
type LineName = keyof typeof LINES
const LINE_NAMES = Object.keys(LINES) as LineName[]
const QUICK_LINES: readonly LineName[] = ['20ms-1pct']

const OURS = { udp: 'link', https: 'https' } as const
const CARRIERS = ['udp', 'https', ...PEERS, 'bbr-8'] as const
type Carrier = (typeof CARRIERS)[number]
/** Ours, and of the others the one with most streams. */
const QUICK_CARRIERS: readonly Carrier[] = ['udp', 'https', 'rclone']

const words = z.string().transform(text => text.split(','))

const Options = z.strictObject({
  bytes: numeric(z.int().min(5e6).max(2e9)).optional(),
  rounds: numeric(z.int().min(1).max(100)).optional(),
  limitSeconds: numeric(z.int().min(5).max(3600)).optional(),
  liveSeconds: numeric(z.int().min(0).max(600)).optional(),
  liveBitrate: numeric(z.number().min(1e6).max(90e6)).default(20e6),
  lines: words.pipe(z.array(z.enum(LINE_NAMES)).min(1)).optional(),
  carriers: words.pipe(z.array(z.enum(CARRIERS)).min(1)).optional(),
  /** What Linux has unless somebody chose otherwise; hosts differ. */
  tcp: z.enum(['cubic', 'bbr', 'reno']).default('cubic'),
  recording: z.string().min(1).optional(),
})

const LEAF = 'scanner'
/** Bytes of the whole synthetic slide, by which others are scaled. */
const FULL_BYTES = 725e6
/** Offered to a line without a rate, one after the other, until something is lost: what the emulator carries. */
const CEILING_STEPS = [200e6, 300e6, 400e6, 500e6, 600e6, 700e6, 800e6, 900e6, 1000e6]
const CEILING_LOSS = 0.001
/** What is used of the last rate that lost nothing: others need the cores, too. */
const CEILING_SHARE = 0.8
const GOAL_SHARE = 0.95
const GOAL_OF_BEST = 0.97
const GOAL_DELAY_SECONDS = 0.01

class SlidesMeasurement {
  readonly #network: EmulatedNetwork
  readonly #context: BenchContext
  readonly #sheet: FigureSheet
  readonly #directory: string
  readonly #file: string
  readonly #pieces: string
  readonly #limitSeconds: number
  #runs = 0

  constructor(network: EmulatedNetwork, sheet: FigureSheet, context: BenchContext, files: { readonly directory: string; readonly file: string; readonly pieces: string }, limitSeconds: number) {
    this.#network = network
    this.#sheet = sheet
    this.#context = context
    this.#directory = files.directory
    this.#file = files.file
    this.#pieces = files.pieces
    this.#limitSeconds = limitSeconds
  }

  /** One slide by one carrier. @returns Bits per second; undefined when it failed, which a warning tells. */
  async carry(line: LineName, carrier: Carrier | 'cubic-8'): Promise<TransferOutcome | undefined> {
    const { signal } = this.#context
    const directory = join(this.#directory, `run-${++this.#runs}`)
    await mkdir(directory)
    try {
      if (carrier === 'bbr-8' || carrier === 'cubic-8') {
        const goodput = await parallelTcp({ network: this.#network, leaf: LEAF, control: carrier === 'bbr-8' ? 'bbr' : 'cubic', seconds: Math.min(20, this.#limitSeconds), signal })
        return { goodput, isWhole: false, setupSeconds: 0 }
      }
      let before = 0
      const note = async (): Promise<void> => void (before = (await this.#network.counts(LEAF)).up.bytes)
      await using transfer = await this.#start(carrier, directory, note)
      const outcome = await followTransfer(transfer, { network: this.#network, leaf: LEAF, before, limitSeconds: this.#limitSeconds, signal })
      if (transfer instanceof KenkyoTransfer && transfer.fellBack) throw new RelayFault('unavailable', 'no link came up')
      return outcome
    } catch (error) {
      if (!(error instanceof RelayFault) || signal.aborted) throw error
      this.#sheet.warnings.push(`${carrier} over ${line} failed: ${error.message}`)
      return undefined
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }

  async #start(carrier: 'udp' | 'https' | Peer, directory: string, onReady: () => Promise<void>): Promise<SlideTransfer> {
    const { signal } = this.#context
    const shared = { network: this.#network, leaf: LEAF, file: this.#file, directory, signal }
    if (carrier === 'udp' || carrier === 'https') return KenkyoTransfer.open({ ...shared, carrier: OURS[carrier] }, onReady)
    await onReady()
    return startPeer(carrier, { ...shared, pieces: this.#pieces })
  }
}

/** The highest rate at which the emulator's line loses nothing of its own, in bits per second of IP. */
async function emulatorCeiling(network: EmulatedNetwork, roundTripMillis: number, { signal, say }: BenchContext): Promise<number> {
  await network.change(LEAF, symmetricLine({ roundTripMillis }))
  let ceiling = CEILING_STEPS[0] ?? 0
  for (const rate of CEILING_STEPS) {
    const payloadBytes = 1472
    const intervals = await iperf(network, LEAF, { direction: 'up', bitsPerSecond: (rate * payloadBytes) / 1500, payloadBytes, seconds: 4, signal })
    const packets = intervals.reduce((sum, interval) => sum + interval.packets, 0)
    const lost = intervals.reduce((sum, interval) => sum + interval.lost, 0)
    const carried = intervals.reduce((sum, { bytes }) => sum + bytes, 0) / intervals.reduce((sum, { seconds }) => sum + seconds, 0)
    say(`${rate / 1e6} Mbit/s offered: ${((8 * carried * 1500) / payloadBytes / 1e6).toFixed(0)} carried, ${lost} of ${packets} lost`)
    if (packets === 0 || lost / packets > CEILING_LOSS || (8 * carried * 1500) / payloadBytes < 0.97 * rate) return ceiling
    ceiling = rate
  }
  return ceiling
}

const profileOf = (name: LineName, rateBitsPerSecond: number): LineProfile =>
  symmetricLine({ ...LINES[name], rateBitsPerSecond, queueMillis: LINES[name].roundTripMillis, name })

/** What can be had of a line at best. */
const limitOf = (name: LineName, rate: number): number => rate * (1 - LINES[name].lossRatio) * PAYLOAD_RATIO

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { isQuick, say, signal } = context
  const options = result.data
  const { bytes = isQuick ? 15e6 : 250e6, rounds = isQuick ? 1 : 3, limitSeconds = isQuick ? 5 : 40, liveSeconds = isQuick ? 2 : 20, liveBitrate, lines = isQuick ? QUICK_LINES : LINE_NAMES } = options
  const sheet = new FigureSheet()
  const carriers = runnable(options.carriers ?? (isQuick ? QUICK_CARRIERS : CARRIERS), sheet)
  await using scope = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-slides-'))
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  say('drawing a slide')
  const file = join(directory, 'slide.svs')
  const slide = await writeSyntheticSlide(file, scaledSlide(bytes))
  const pieces = await cutFile(file)
  const recording = liveSeconds === 0 ? undefined : (options.recording ?? (await demoRecording({ onProgress: say, signal })))
  const renditions = recording === undefined ? [] : chooseRenditions(await readManifest(recording), liveBitrate).ids

  const first = profileOf(lines[0] ?? '20ms-1pct', 100e6)
  await using network = await EmulatedNetwork.open({ leaves: { [LEAF]: first }, signal, isPreferred: true })
  await chooseTcp(network, LEAF, options.tcp)
  const rates = new Map<LineName, number>(lines.map(line => [line, LINES[line].rateBitsPerSecond]))
  if (lines.includes('sinet')) {
    say('how much the emulator carries')
    const ceiling = await emulatorCeiling(network, LINES.sinet.roundTripMillis, context)
    sheet.add({ name: 'emulator_ceiling_bits_per_second', unit: 'bit/s', note: `of IP packets of 1500 bytes, in steps of 100 Mbit/s; sinet is a line of ${CEILING_SHARE} times that, at most 1 Gbit/s` }, [ceiling])
    rates.set('sinet', Math.min(1e9, CEILING_SHARE * ceiling))
  }
  const measurement = new SlidesMeasurement(network, sheet, context, { directory, file, pieces }, limitSeconds)
  const outcomes = new Map(lines.map(line => [line, new Map(carriers.map(carrier => [carrier, [] as TransferOutcome[]]))]))
  for (const line of lines) {
    const profile = profileOf(line, rates.get(line) ?? 0)
    await network.change(LEAF, profile)
    if (line !== 'sinet') await measureAccuracy({ network, leaf: LEAF, profile, sheet, signal, setting: line, effort: effortFor(context) })
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [line, byCarrier] of outcomes) {
      await network.change(LEAF, profileOf(line, rates.get(line) ?? 0))
      for (const [carrier, done] of byCarrier) {
        say(`round ${round} of ${rounds}, ${line}: ${carrier}`)
        const outcome = await measurement.carry(line, carrier)
        if (outcome === undefined) continue
        done.push(outcome)
        say(`${(outcome.goodput / 1e6).toFixed(1)} Mbit/s${outcome.isWhole ? '' : ', not to its end'}`)
      }
    }
  }
  for (const [line, byCarrier] of outcomes) reportGoodput(sheet, line, rates.get(line) ?? 0, byCarrier)
  if (recording !== undefined) {
    for (const line of lines) {
      say(`${line}: live video alone, and beside a slide`)
      const profile = profileOf(line, rates.get(line) ?? 0)
      await network.change(LEAF, profile)
      reportLive(sheet, line, await measureBesideLive({ network, leaf: LEAF, recording, renditions, budgetMillis: Math.max(160, 4 * LINES[line].roundTripMillis), directory, seconds: liveSeconds, signal }))
    }
  }
  return {
    parameters: { bytes: slide.bytes, tiles: slide.tiles, rounds, limitSeconds, liveSeconds, liveBitrate, tcp: options.tcp, carriers: carriers.join(','), ...Object.fromEntries([...rates].map(([line, rate]) => [`rate ${line}`, rate])), lines: network.description, priority: network.priority.name },
    figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings,
  }
}

/** Of the carriers that were asked for, those that this machine has. */
function runnable(wanted: readonly Carrier[], sheet: FigureSheet): (Carrier | 'cubic-8')[] {
  return wanted.flatMap((carrier): (Carrier | 'cubic-8')[] => {
    if (carrier === 'bbr-8') {
      if (hasBbr()) return ['bbr-8']
      sheet.warnings.push('bbr-8 was skipped: this kernel has no tcp_bbr; cubic-8 is there instead')
      return ['cubic-8']
    }
    const lack = carrier === 'udp' || carrier === 'https' ? undefined : lackOf(carrier)
    if (lack === undefined) return [carrier]
    sheet.warnings.push(`${carrier} was skipped: there is no ${lack}; Debian has it`)
    return []
  })
}

/** A slide like the large one, of about so many bytes. */
function scaledSlide(bytes: number): typeof FULL_SLIDE {
  const scale = Math.sqrt(bytes / FULL_BYTES)
  return { ...FULL_SLIDE, width: Math.ceil(FULL_SLIDE.width * scale), height: Math.ceil(FULL_SLIDE.height * scale) }
}

function reportGoodput(sheet: FigureSheet, line: LineName, rate: number, byCarrier: ReadonlyMap<Carrier | 'cubic-8', readonly TransferOutcome[]>): void {
  const limit = limitOf(line, rate)
  const medians = new Map([...byCarrier].filter(([, done]) => done.length > 0).map(([carrier, done]) => [carrier, median(done.map(({ goodput }) => goodput)) / limit]))
  const bestPeer = Math.max(0, ...[...medians].filter(([carrier]) => !(carrier in OURS)).map(([, share]) => share))
  for (const [carrier, done] of byCarrier) {
    const shares = done.map(({ goodput }) => goodput / limit)
    const isOurs = carrier in OURS
    const bound = carrier === 'udp' && line !== 'sinet' ? Math.max(GOAL_SHARE, GOAL_OF_BEST * bestPeer) : GOAL_OF_BEST * bestPeer
    const whole = done.filter(({ isWhole }) => isWhole).length
    const spread = shares.length < 2 ? '' : `; from ${Math.min(...shares).toFixed(3)} to ${Math.max(...shares).toFixed(3)}`
    sheet.add(
      {
        name: 'goodput_share', labels: { line, carrier }, unit: 'ratio',
        note: `of ${(limit / 1e6).toFixed(1)} Mbit/s${carrier.endsWith('-8') ? ', from memory to memory' : `; ${whole} of ${done.length} to the end`}${spread}`,
        ...(carrier === 'udp' || (isOurs && bestPeer > 0 && line === 'sinet') ? { goal: { relation: '>=', bound } as const } : {}),
      },
      shares,
    )
    if (isOurs) sheet.add({ name: 'transfer_setup_seconds', labels: { line, carrier }, unit: 's', note: 'from starting the scanner until half a megabyte had left' }, done.map(({ setupSeconds }) => setupSeconds))
  }
}

function reportLive(sheet: FigureSheet, line: LineName, { alone, beside }: Awaited<ReturnType<typeof measureBesideLive>>): void {
  if (alone.delays.length === 0 || beside.delays.length === 0) {
    sheet.warnings.push(`live_added_delay_seconds${labelText({ line })} was not measured: no frames came`)
    return
  }
  const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b)
  const p95 = (values: readonly number[]): number => sorted(values)[Math.floor(0.95 * values.length)] ?? NaN
  const usual = median(alone.delays)
  const added = beside.delays.map(delay => (delay - usual) / 1000)
  const ownAdded = (p95(alone.delays) - usual) / 1000
  sheet.add(
    {
      name: 'live_added_delay_seconds', labels: { line }, unit: 's', value: p95(beside.delays) / 1000 - p95(alone.delays) / 1000,
      note: `95th percentile beside a slide less that of live alone, which repair makes ${(1000 * ownAdded).toFixed(1)} ms longer than its median; samples are delays less that median`, goal: { relation: '<=', bound: GOAL_DELAY_SECONDS },
    },
    added,
  )
  sheet.add({ name: 'live_frames_lost', labels: { line }, unit: 'frames', note: `of ${beside.sent} beside a slide; ${alone.lost} of ${alone.sent} alone`, goal: { relation: '<=', bound: alone.lost } }, [beside.lost])
  sheet.add({ name: 'slide_beside_live_bits_per_second', labels: { line }, unit: 'bit/s', note: 'durable bytes of chunks' }, [beside.chunkBitsPerSecond])
}

/** Whole slides over long and lossy lines, by our carriers and others. */
export const slides: Scenario = {
  name: 'slides',
  needs: MEASURED_LINES,
  summary: 'Carry a slide over lossy and long lines by link, by HTTPS, and by rsync, curl, rclone, aria2 and BBR: goodput, and what it does to live video on the link.',
  configure: command =>
    command
      .option('--bytes <n>', 'of the slide (default 250000000; quick 15000000)')
      .option('--rounds <n>', 'through all lines and carriers (default 3; quick 1)')
      .option('--limit-seconds <n>', 'after which a transfer is judged by what it brought (default 40; quick 5)')
      .option('--live-seconds <n>', 'of live alone, and of live beside a slide; 0: none (default 20; quick 2)')
      .option('--live-bitrate <bit/s>', 'of the live renditions (default 20000000)')
      .option('--lines <names>', `any of ${LINE_NAMES.join(',')} (default all; quick ${QUICK_LINES.join()})`)
      .option('--carriers <names>', `any of ${CARRIERS.join(',')} (default all; quick ${QUICK_CARRIERS.join()})`)
      .option('--tcp <control>', 'congestion control of whoever chooses none: cubic, bbr or reno (default cubic)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)'),
  run,
}
