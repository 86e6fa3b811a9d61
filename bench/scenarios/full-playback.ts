import { systemClock } from '../../relay/runtime/clock.ts'
import { millis } from '../../relay/wire/units.ts'
import { sumSamples } from '../exposition.ts'
import { readTreeUsage } from '../process-usage.ts'
import { ReceiverProcess } from '../receiver/receiver-process.ts'
import { growth } from '../statistics.ts'
import { UsageSampler } from '../usage-sampler.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { MetricSample } from '../exposition.ts'
import type { LocalNode } from '../local-node.ts'
import type { ProcessUsage } from '../process-usage.ts'
import type { ChildProgram } from '../processes.ts'
import type { ReceiverSecond, RenditionSecond } from '../receiver/messages.ts'
import type { FigureSheet } from '../report.ts'
import type { BenchContext } from './scenario.ts'

/** From the first packet until every rendition flows, its first frames are judged and buffers have settled. */
const WARM_UP = millis(4000)
const SAMPLE_INTERVAL = millis(1000)
const PROGRESS_INTERVAL_SECONDS = 10
/** A receiver this busy may lose packets by itself. */
const BUSY_RECEIVER_RATIO = 0.8

/** How the playback is measured. */
export interface PlaybackOptions {
  readonly receivers: number
  readonly seconds: number
  readonly frameDeadlineMillis: number
}

interface Playback {
  /** By receiver, then by second. */
  readonly seconds: readonly (readonly ReceiverSecond[])[]
  readonly usage: UsageSampler
  readonly before: readonly MetricSample[]
  readonly after: readonly MetricSample[]
}

/** Plays every rendition to every receiver, and measures what arrives and what it costs. */
export async function measurePlayback(
  node: LocalNode,
  agent: ChildProgram,
  options: PlaybackOptions,
  sheet: FigureSheet,
  context: BenchContext,
): Promise<void> {
  const seconds = Array.from({ length: options.receivers }, (): ReceiverSecond[] => [])
  let isRecording = false
  await using scope = new AsyncDisposableStack()
  const receivers = await Promise.all(
    seconds.map(async (list, index) =>
      scope.use(
        await ReceiverProcess.open({
          name: `receiver ${index + 1}`,
          invitation: await node.invite('viewer', `receiver-${index + 1}`),
          frameDeadline: millis(options.frameDeadlineMillis),
          signal: context.signal,
          onSecond: second => {
            if (isRecording) list.push(second)
          },
        }),
      ),
    ),
  )
  const guard = [node.program.failed, agent.failed, ...receivers.map(receiver => receiver.failed)]
  const wait = (duration: number): Promise<void> => Promise.race([systemClock.sleep(millis(duration), context.signal), ...guard])
  await Promise.all(receivers.map(receiver => receiver.watch(receiver.pyramid.renditions.map(({ id }) => id))))
  await wait(WARM_UP)
  const usage = new UsageSampler()
  const readUsage = (): void => usage.sample(readGroups(node, agent, receivers), systemClock.now())
  const before = await node.metrics()
  readUsage()
  isRecording = true
  for (let second = 1; second <= options.seconds; second++) {
    await wait(SAMPLE_INTERVAL)
    readUsage()
    if (second % PROGRESS_INTERVAL_SECONDS === 0) context.say(`played ${second} of ${options.seconds} seconds to ${options.receivers} receivers`)
  }
  isRecording = false
  const after = await node.metrics()
  sheet.add({ name: 'join_seconds', unit: 's', note: 'from starting to join until media could flow' }, receivers.map(({ joinTime }) => joinTime / 1000))
  const playback: Playback = { seconds, usage, before, after }
  reportFrames(playback, sheet)
  reportFlow(playback, sheet)
  reportCosts(playback, sheet)
}

function readGroups(node: LocalNode, agent: ChildProgram, receivers: readonly ReceiverProcess[]): Map<string, readonly ProcessUsage[]> {
  const [main, ...workers] = readTreeUsage(node.program.pid)
  return new Map<string, readonly ProcessUsage[]>([
    ['node', main === undefined ? [] : [main]],
    ['worker', workers],
    ['agent', readTreeUsage(agent.pid)],
    ...receivers.map(({ program }, index) => [`receiver ${index + 1}`, readTreeUsage(program.pid)] as const),
  ])
}

const judgedOf = ({ intact, damaged, missing }: RenditionSecond): number => intact + damaged + missing

function reportFrames({ seconds }: Playback, sheet: FigureSheet): void {
  const tiles = new Map<RenditionId, { ratios: number[]; intact: number; judged: number }>()
  const damaged: number[] = []
  const missing: number[] = []
  for (const second of seconds.flat()) {
    damaged.push(Object.values(second.renditions).reduce((sum, tally) => sum + tally.damaged, 0))
    missing.push(Object.values(second.renditions).reduce((sum, tally) => sum + tally.missing, 0))
    for (const [id, tally] of Object.entries(second.renditions) as [RenditionId, RenditionSecond][]) {
      const tile = tiles.get(id) ?? { ratios: [], intact: 0, judged: 0 }
      tiles.set(id, tile)
      if (judgedOf(tally) === 0) continue
      tile.ratios.push(tally.intact / judgedOf(tally))
      tile.intact += tally.intact
      tile.judged += judgedOf(tally)
    }
  }
  const totals = [...tiles].map(([id, { intact, judged }]) => ({ id, ratio: judged === 0 ? 0 : intact / judged }))
  const goal = { relation: '>=', bound: 0.999 } as const
  for (const { id, ratio } of totals) {
    const { ratios, intact, judged } = tiles.get(id) ?? { ratios: [], intact: 0, judged: 0 }
    const note = `${intact} of ${judged} frames over the run; samples are seconds`
    sheet.add({ name: 'frames_intact_ratio', labels: { tile: id }, unit: 'ratio', value: ratio, note, goal }, ratios)
  }
  const ratios = totals.map(({ ratio }) => ratio)
  sheet.add({ name: 'frames_intact_ratio_min', unit: 'ratio', value: Math.min(...ratios), note: 'of the worst rendition; samples are renditions', goal }, ratios)
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
  sheet.add({ name: 'frames_damaged_total', unit: 'frames', value: sum(damaged), note: 'sum over the run; samples are seconds' }, damaged)
  sheet.add({ name: 'frames_missing_total', unit: 'frames', value: sum(missing), note: 'of instants that other renditions showed; as above' }, missing)
}

function reportFlow({ seconds, before, after }: Playback, sheet: FigureSheet): void {
  const full = seconds[0] ?? []
  const rtpBits = ({ renditions, durationSeconds }: ReceiverSecond): number =>
    (8 * Object.values(renditions).reduce((sum, { rtpBytes }) => sum + rtpBytes, 0)) / durationSeconds
  sheet.add({ name: 'sum_bits_per_second', unit: 'bit/s', note: 'all renditions at one full receiver', goal: { relation: '>=', bound: 80e6 } }, full.map(rtpBits))
  sheet.add({ name: 'instants_per_second', unit: '1/s' }, full.map(second => second.instants / second.durationSeconds))
  const all = seconds.flat()
  for (const name of ['asked', 'recovered', 'lost'] as const) {
    const counts = all.map(second => second[name])
    const value = counts.reduce((sum, count) => sum + count, 0)
    sheet.add({ name: `packets_${name}_total`, unit: 'packets', value, note: 'sum over the run, all receivers' }, counts)
  }
  const change = (name: string): number => sumSamples(after, name, () => true) - sumSamples(before, name, () => true)
  sheet.add({ name: 'udp_receive_buffer_errors_total', unit: 'datagrams', note: 'of the whole machine, over the run' }, [change('kenkyo_udp_receive_buffer_errors_total')])
  const roundTrips = change('kenkyo_transport_round_trip_seconds_count')
  const meanRoundTrip = change('kenkyo_transport_round_trip_seconds_sum') / roundTrips
  sheet.add({ name: 'round_trip_seconds', unit: 's', note: `mean of ${roundTrips} readings at the node` }, roundTrips === 0 ? [] : [meanRoundTrip])
}

function reportCosts({ seconds, usage }: Playback, sheet: FigureSheet): void {
  for (const group of ['worker', 'node', 'agent']) {
    sheet.add({ name: `${group}_cpu_ratio`, unit: 'ratio', note: 'of one core' }, usage.series(group).cpuRatio)
  }
  for (const index of seconds.keys()) {
    const { cpuRatio } = usage.series(`receiver ${index + 1}`)
    sheet.add({ name: 'receiver_cpu_ratio', labels: { receiver: String(index + 1) }, unit: 'ratio', note: 'of one core' }, cpuRatio)
    if (cpuRatio.some(ratio => ratio > BUSY_RECEIVER_RATIO)) sheet.warnings.push(`receiver ${index + 1} was busy: it may have lost packets by itself`)
  }
  const delays = seconds.flat().map(({ longestDelayMillis }) => longestDelayMillis / 1000)
  sheet.add({ name: 'receiver_delay_seconds', unit: 's', note: 'longest event loop delay in each second' }, delays)
  const memories = [
    { name: 'node', labels: { process: 'node' }, group: 'node' },
    { name: 'node', labels: { process: 'worker' }, group: 'worker' },
    { name: 'agent', labels: {}, group: 'agent' },
  ]
  for (const { name, labels, group } of memories) {
    const { residentBytes } = usage.series(group)
    sheet.add({ name: `${name}_memory_bytes`, labels, unit: 'bytes', note: 'resident' }, residentBytes)
    const grown = residentBytes.length === 0 ? [] : [growth(residentBytes)]
    sheet.add({ name: `${name}_memory_growth_bytes`, labels, unit: 'bytes', note: 'median of the last fifth of the run less that of the first' }, grown)
  }
}
