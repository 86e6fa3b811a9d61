import { mean } from '../statistics.ts'
import { iperf, UDP_OVERHEAD_BYTES } from './iperf.ts'
import { lossSamplingError, meanLossRatio } from './packet-loss.ts'
import { ping, PING_BYTES } from './ping.ts'
import type { FigureSheet } from '../report.ts'
import type { EmulatedNetwork } from './emulated-network.ts'
import type { LineCounts } from './line-counts.ts'
import type { DirectionProfile, LineProfile } from './profiles.ts'

const RATE_PAYLOAD_BYTES = 1200
/** More than the line takes, by so much. */
const OVERLOAD = 1.3
const LOSS_PAYLOAD_BYTES = 200
/** As much of a rate as a measurement of loss uses, so that no queue overflows. */
const LOSS_SHARE_OF_RATE = 0.5
const LOSS_PACKETS_PER_SECOND = 8000
/** A loss of which fewer packets would be lost is not measured: there is nothing to compare. */
const FEWEST_LOSSES = 50
/** More than this of all packets gone, with nobody who says that he dropped them, is worth a warning. */
const UNEXPLAINED_RATIO = 0.001

/** The accuracy that a line has to have. */
export const ACCURACY_GOALS = { rateErrorRatio: 0.02, delayErrorSeconds: 0.001, lossErrorRatio: 0.1 } as const

/** How much is measured of a line. */
export interface AccuracyEffort {
  readonly pings: number
  readonly rateSeconds: number
  readonly lossPackets: number
  /** With a loss of which so many would be lost earlier, fewer packets are sent. */
  readonly enoughLosses?: number
}

/** A few seconds per line: what a scenario spends before it measures anything else. */
export const BRIEF_EFFORT: AccuracyEffort = { pings: 200, rateSeconds: 3, lossPackets: 20_000 }

/** As little as the goals for rate and delay can be judged by, and losses of 0.5 % and more. */
export const QUICK_EFFORT: AccuracyEffort = { pings: 100, rateSeconds: 2, lossPackets: 10_000, enoughLosses: FEWEST_LOSSES }

/** What a scenario spends on a line before it measures anything else. */
export const effortFor = ({ isQuick }: { readonly isQuick: boolean }): AccuracyEffort => (isQuick ? QUICK_EFFORT : BRIEF_EFFORT)

/** Which line is measured, and where the figures go. */
export interface AccuracyOptions {
  readonly network: EmulatedNetwork
  readonly leaf: string
  /** What the line is now. */
  readonly profile: LineProfile
  readonly sheet: FigureSheet
  readonly signal: AbortSignal
  readonly effort?: AccuracyEffort
  /** Label of the figures; the leaf's name by default. */
  readonly setting?: string
  /** Label of the figures: what else the machine does. */
  readonly load?: 'idle' | 'busy'
}

/**
 * Measures a line with tools that know nothing of the emulator, ping and iperf3, and adds how far it is off what
 * its profile says. Nothing else may be on the line meanwhile.
 *
 * @throws {RelayFault} `unavailable` or `timeout` when a tool fails, `unavailable` when the emulator dies.
 */
export async function measureAccuracy(options: AccuracyOptions): Promise<void> {
  await Promise.race([measureAll(options), options.network.failed])
}

async function measureAll(options: AccuracyOptions): Promise<void> {
  await measureDelay(options)
  for (const direction of ['up', 'down'] as const) {
    await measureRate(options, direction)
    await measureLoss(options, direction)
  }
}

const labelsOf = ({ setting, leaf, load = 'idle' }: AccuracyOptions, direction: 'up' | 'down' | 'both') => ({ setting: setting ?? leaf, direction, load })

async function measureDelay(options: AccuracyOptions): Promise<void> {
  const { network, leaf, profile, sheet, signal, effort = BRIEF_EFFORT } = options
  const { up, down } = profile
  const serialisation = ({ rateBitsPerSecond: rate = Infinity }: DirectionProfile): number => (PING_BYTES * 8000) / rate
  const expected = up.delayMillis + down.delayMillis + serialisation(up) + serialisation(down)
  const roundTrips = await ping(network, leaf, effort.pings, signal)
  const hasJitter = up.jitterMillis + down.jitterMillis > 0
  const meanError = roundTrips.length === 0 ? 0 : Math.abs(mean(roundTrips) - expected) / 2000
  sheet.add(
    {
      name: 'line_delay_error_seconds', labels: labelsOf(options, 'both'), unit: 's',
      ...(hasJitter ? { value: meanError, note: 'half of the error of the mean round trip; the samples have the jitter in them' } : { note: 'half of the error of the round trip' }),
      goal: { relation: '<=', bound: ACCURACY_GOALS.delayErrorSeconds },
    },
    roundTrips.map(roundTrip => Math.abs(roundTrip - expected) / 2000),
  )
}

async function measureRate(options: AccuracyOptions, direction: 'up' | 'down'): Promise<void> {
  const { network, leaf, profile, sheet, signal, effort = BRIEF_EFFORT } = options
  const { rateBitsPerSecond: rate, loss } = profile[direction]
  if (rate === undefined) return
  const packetBytes = RATE_PAYLOAD_BYTES + UDP_OVERHEAD_BYTES
  const intervals = await iperf(network, leaf, {
    direction, seconds: effort.rateSeconds, payloadBytes: RATE_PAYLOAD_BYTES, signal,
    bitsPerSecond: (OVERLOAD * rate * RATE_PAYLOAD_BYTES) / packetBytes,
  })
  const expected = rate * (1 - meanLossRatio(loss))
  const measured = intervals.map(({ bytes, seconds }) => (bytes * 8 * (packetBytes / RATE_PAYLOAD_BYTES)) / seconds)
  sheet.add(
    {
      name: 'line_rate_error_ratio', labels: labelsOf(options, direction), unit: 'ratio',
      ...(measured.length === 0 ? {} : { value: Math.abs(mean(measured) / expected - 1) }),
      note: 'of the mean rate of IP packets; samples are of half a second', goal: { relation: '<=', bound: ACCURACY_GOALS.rateErrorRatio },
    },
    measured.map(each => Math.abs(each / expected - 1)),
  )
}

async function measureLoss(options: AccuracyOptions, direction: 'up' | 'down'): Promise<void> {
  const { network, leaf, profile, sheet, signal, effort = BRIEF_EFFORT } = options
  const { loss, rateBitsPerSecond: rate = Infinity } = profile[direction]
  const expected = meanLossRatio(loss)
  const labels = labelsOf(options, direction)
  if (expected === 0) return
  if (expected * effort.lossPackets < FEWEST_LOSSES) {
    sheet.warnings.push(`line_loss_error_ratio of ${labels.setting} ${direction} was not measured: of ${effort.lossPackets} packets at ${expected} too few would be lost to tell`)
    return
  }
  const packetsPerSecond = Math.min(LOSS_PACKETS_PER_SECOND, (LOSS_SHARE_OF_RATE * rate) / (8 * (LOSS_PAYLOAD_BYTES + UDP_OVERHEAD_BYTES)))
  const wanted = Math.min(effort.lossPackets, (effort.enoughLosses ?? Infinity) / expected)
  const before = await network.counts(leaf)
  const intervals = await iperf(network, leaf, {
    direction, payloadBytes: LOSS_PAYLOAD_BYTES, bitsPerSecond: packetsPerSecond * 8 * LOSS_PAYLOAD_BYTES, signal,
    // The first and the last interval are not counted.
    seconds: Math.ceil(wanted / packetsPerSecond) + 1,
  })
  const after = await network.counts(leaf)
  const packets = intervals.reduce((sum, interval) => sum + interval.packets, 0)
  const lost = intervals.reduce((sum, interval) => sum + interval.lost, 0)
  const deviation = lossSamplingError(loss, packets)
  sheet.add(
    {
      name: 'line_loss_error_ratio', labels, unit: 'ratio', value: Math.abs(lost / packets / expected - 1),
      note: `of ${lost} in ${packets} packets at ${expected}; one standard deviation is ${deviation.toFixed(3)}; samples are of half a second`,
      // What chance alone may miss is no goal.
      ...(2 * deviation > ACCURACY_GOALS.lossErrorRatio ? {} : { goal: { relation: '<=', bound: ACCURACY_GOALS.lossErrorRatio } as const }),
    },
    packets === 0 ? [] : intervals.filter(interval => interval.packets > 0).map(interval => Math.abs(interval.lost / interval.packets / expected - 1)),
  )
  warnOfStrays(options, direction, before[direction], after[direction], lost / packets)
}

/** Says so when the tool misses packets that the emulator did not lose. */
function warnOfStrays({ sheet, ...options }: AccuracyOptions, direction: 'up' | 'down', before: LineCounts, after: LineCounts, seenRatio: number): void {
  const packets = after.packets - before.packets
  const dropped = after.lost - before.lost + (after.queueFull - before.queueFull)
  const overruns = after.overruns - before.overruns
  const { setting, load } = labelsOf({ sheet, ...options }, direction)
  if (overruns > 0) sheet.warnings.push(`${setting} ${direction} ${load}: the kernel dropped ${overruns} packets before the emulator saw them`)
  const unexplained = seenRatio - dropped / packets
  // Not the same packets were counted: iperf3's first and last intervals are among the emulator's.
  if (unexplained > UNEXPLAINED_RATIO + 0.1 * seenRatio) {
    sheet.warnings.push(`${setting} ${direction} ${load}: ${unexplained.toFixed(4)} of all packets were missing at the receiver and not dropped by the emulator`)
  }
}
