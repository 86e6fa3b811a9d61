import { confidenceInterval, mean } from '../statistics.ts'
import { DELIVERY_GOAL, UNDISTURBED_RATIO } from './fanout-run.ts'
import type { Shape } from '../accept/traffic-shape.ts'
import type { FigureOptions, FigureSheet } from '../report.ts'
import type { EngineName } from './fanout-engine.ts'
import type { FanoutWindow, SinkFlood } from './fanout-run.ts'

/** What one engine did in one round with one shape. */
export interface EngineRun {
  readonly engine: EngineName
  readonly shape: Shape
  readonly round: number
  readonly windows: readonly FanoutWindow[]
}

/** How much faster we want to be. */
const RATIO_GOALS: Partial<Record<EngineName, number>> = { mediasoup: 2, janus: 1 }
/** A receiver that needs more of its CPU may be the bottleneck. */
const BUSY_SINK_RATIO = 0.9

/** The last window of a run in which everybody got what they should: what the engine carries, as far as it was asked. */
export const lastCarried = ({ windows }: EngineRun): FanoutWindow | undefined => windows.findLast(({ deliveredRatio }) => deliveredRatio >= DELIVERY_GOAL)

/** Bits of UDP payload for each second of CPU time, in Gbit/s. */
export const gigabitsPerCore = ({ deliveredBytes, engineCpuSeconds }: FanoutWindow): number => (8 * deliveredBytes) / 1e9 / engineCpuSeconds

/** Adds every figure that follows from some rounds. @param floods - Without an engine, at least one. */
export function reportFanout(runs: readonly EngineRun[], floods: readonly SinkFlood[], sheet: FigureSheet): void {
  const arrived = Math.min(...floods.map(({ deliveredRatio }) => deliveredRatio))
  sheet.add({ name: 'receivers_packets_per_second', labels: {}, unit: '1/s', note: `of full packets from one flooding sender; ${(100 * arrived).toFixed(2)} % or more arrived` }, floods.map(({ packetsPerSecond }) => packetsPerSecond))
  withInterval(sheet, { name: 'call_limit_packets_per_second', labels: {}, unit: '1/s', note: 'full packets by a bare sendto each, for each second of CPU, the way into the receivers\' sockets included' }, floods.map(({ sentPerCpuSecond }) => sentPerCpuSecond))
  const callsPerSecond = mean(floods.map(({ sentPerCpuSecond }) => sentPerCpuSecond))
  for (const [key, group] of Map.groupBy(runs, ({ engine, shape }) => `${engine} ${shape}`)) {
    const [engine = '', shape = ''] = key.split(' ')
    reportCapacity(group, { engine, shape }, callsPerSecond, sheet)
    reportGrowth(group, { engine, shape }, sheet)
  }
  for (const [shape, ofShape] of Map.groupBy(runs, run => run.shape)) {
    reportRatios(ofShape, shape, sheet)
    reportEvenRatios(ofShape, shape, sheet)
  }
  warnOfBottlenecks(runs, sheet)
}

function reportCapacity(runs: readonly EngineRun[], labels: Readonly<Record<string, string>>, callsPerSecond: number, sheet: FigureSheet): void {
  const carried = runs.map(lastCarried).filter(window => window !== undefined)
  if (carried.length < runs.length) sheet.warnings.push(`${labels['engine'] ?? ''} did not deliver the ${labels['shape'] ?? ''} to the first number of viewers in ${runs.length - carried.length} of ${runs.length} rounds`)
  const at = [...new Set(carried.map(({ viewers }) => viewers))].join(', ')
  withInterval(sheet, { name: 'gbits_per_second_per_core', labels, unit: 'Gbit/s', note: `at ${at} viewers` }, carried.map(gigabitsPerCore))
  withInterval(sheet, { name: 'packets_per_second_per_core', labels, unit: '1/s' }, carried.map(({ deliveredPackets, engineCpuSeconds }) => deliveredPackets / engineCpuSeconds))
  withInterval(sheet, { name: 'call_limit_share', labels, unit: 'ratio', note: 'of what a bare system call for each packet sends on this core' }, carried.map(({ deliveredPackets, engineCpuSeconds }) => deliveredPackets / engineCpuSeconds / callsPerSecond))
  const broke = runs.filter(({ windows }) => (windows.at(-1)?.deliveredRatio ?? 0) < DELIVERY_GOAL).length
  sheet.add({ name: 'viewers_carried', labels, unit: 'viewers', note: broke === runs.length ? 'the next step got too little' : `not at its end in ${runs.length - broke} of ${runs.length} rounds` }, carried.map(({ viewers }) => viewers))
}

function reportGrowth(runs: readonly EngineRun[], labels: Readonly<Record<string, string>>, sheet: FigureSheet): void {
  for (const [viewers, windows] of Map.groupBy(runs.flatMap(run => run.windows), window => window.viewers)) {
    const at = { ...labels, viewers: String(viewers) }
    sheet.add({ name: 'delivered_ratio', labels: at, unit: 'ratio' }, windows.map(({ deliveredRatio }) => deliveredRatio))
    withInterval(sheet, { name: 'cpu_ratio_per_viewer', labels: at, unit: 'ratio' }, windows.map(({ engineCpuSeconds, seconds }) => engineCpuSeconds / seconds / viewers))
    sheet.add({ name: 'added_latency_seconds', labels: at, unit: 's', note: 'median of the rounds\' medians' }, windows.map(({ delay }) => delay.p50))
    sheet.add({ name: 'added_latency_p99_seconds', labels: at, unit: 's', note: 'median of the rounds\' 99th percentiles' }, windows.map(({ delay }) => delay.p99))
  }
}

function reportRatios(runs: readonly EngineRun[], shape: Shape, sheet: FigureSheet): void {
  const ofRound = (engine: EngineName, round: number): number | undefined => {
    const run = runs.find(each => each.engine === engine && each.round === round)
    const window = run === undefined ? undefined : lastCarried(run)
    return window === undefined ? undefined : gigabitsPerCore(window)
  }
  const engines = new Set(runs.map(({ engine }) => engine))
  for (const against of engines.has('kenkyo') ? engines : []) {
    if (against === 'kenkyo') continue
    const ratios = [...new Set(runs.map(({ round }) => round))].map(round => (ofRound('kenkyo', round) ?? NaN) / (ofRound(against, round) ?? NaN)).filter(Number.isFinite)
    const bound = RATIO_GOALS[against]
    withInterval(sheet, { name: 'fanout_ratio', labels: { against, shape }, unit: 'ratio', ...(bound === undefined ? {} : { goal: { relation: '>=', bound } }) }, ratios)
  }
}

/** Of every number of viewers that both carried in the same round: what is not owed to who carries more. */
function reportEvenRatios(runs: readonly EngineRun[], shape: Shape, sheet: FigureSheet): void {
  const ours = runs.filter(({ engine }) => engine === 'kenkyo')
  const pairs = runs.flatMap(({ engine, round, windows }) => {
    const own = engine === 'kenkyo' ? undefined : ours.find(run => run.round === round)?.windows
    return windows.flatMap(theirs => {
      const mine = own?.find(({ viewers }) => viewers === theirs.viewers)
      if (mine === undefined || Math.min(mine.deliveredRatio, theirs.deliveredRatio) < DELIVERY_GOAL) return []
      return [{ against: engine, viewers: String(theirs.viewers), ratio: gigabitsPerCore(mine) / gigabitsPerCore(theirs) }]
    })
  })
  for (const group of Map.groupBy(pairs, ({ against, viewers }) => `${against} ${viewers}`).values()) {
    const [{ against, viewers } = { against: '', viewers: '' }] = group
    withInterval(sheet, { name: 'fanout_even_ratio', labels: { against, shape, viewers }, unit: 'ratio', note: 'both with so many viewers' }, group.map(({ ratio }) => ratio))
  }
}

function withInterval(sheet: FigureSheet, options: FigureOptions, sample: readonly number[]): void {
  if (sample.length === 0) {
    sheet.add(options, sample)
    return
  }
  const interval = confidenceInterval(sample)
  const digits = (value: number): string => String(Number(value.toPrecision(4)))
  const note = ['mean', interval === undefined ? '' : `95 % ${digits(interval.low)} to ${digits(interval.high)}`, options.note ?? ''].filter(part => part !== '').join('; ')
  sheet.add({ ...options, value: mean(sample), note }, sample)
}

function warnOfBottlenecks(runs: readonly EngineRun[], sheet: FigureSheet): void {
  const windows = runs.flatMap(run => run.windows)
  const dropped = windows.filter(({ sinkDropped }) => sinkDropped > 0)
  if (dropped.length > 0) sheet.warnings.push(`the receivers' sockets were full in ${dropped.length} of ${windows.length} windows, and ${dropped.reduce((sum, window) => sum + window.sinkDropped, 0)} packets were dropped there`)
  const disturbed = windows.filter(({ othersCpuRatio }) => othersCpuRatio > UNDISTURBED_RATIO)
  if (disturbed.length > 0) sheet.warnings.push(`other work took up to ${Math.max(...disturbed.map(({ othersCpuRatio }) => othersCpuRatio)).toFixed(2)} of the engine's CPU in ${disturbed.length} of ${windows.length} windows`)
  const busiest = Math.max(0, ...windows.map(({ sinkCpuRatio }) => sinkCpuRatio))
  if (busiest > BUSY_SINK_RATIO) sheet.warnings.push(`the receivers took up to ${busiest.toFixed(2)} of their CPU`)
  const undecrypted = Math.min(1, ...windows.map(({ decryptedRatio }) => decryptedRatio))
  if (undecrypted < 1) sheet.warnings.push(`of the packets that were decrypted as a sample, a viewer got ${undecrypted.toFixed(3)}`)
}
