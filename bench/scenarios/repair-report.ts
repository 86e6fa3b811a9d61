import { median } from '../statistics.ts'
import type { CarrierName } from '../carriers/carrier.ts'
import type { CarrierRun } from '../carriers/carrier-run.ts'
import type { FigureSheet } from '../report.ts'

/** One line, one carrier, and what was measured of them in each round. */
export interface RepairResult {
  readonly lossRatio: number
  readonly model: 'uniform' | 'burst'
  readonly carrier: CarrierName
  readonly runs: readonly CarrierRun[]
}

/** What frames are judged by. */
export interface RepairRules {
  readonly budgetSeconds: number
  /** Of the line, one way, which latency is added to. */
  readonly lineDelaySeconds: number
  /** Frames per second that every rendition has, times renditions. */
  readonly framesPerSecond: number
  readonly cores: number
  /** Whatever else runs gets the processor as much as what is measured. */
  readonly hasToShare: boolean
}

/** The share of all cores beyond which processes wait for one: some of it is the emulator's. */
const BUSY_CORES_RATIO = 0.75
const BUSY_RECEIVER_RATIO = 0.85
/** Of a receiver's event loop: as much more may be what arrivals seem late by. */
const LONG_DELAY_MILLIS = 40
/** Fewer frames than this share of what the source has say that the sender held some back. */
const DEPARTED_RATIO = 0.98
const CPU_GOAL = 0.2

/** Adds the figures of one carrier on one line. */
export function reportRepair(sheet: FigureSheet, { lossRatio, model, carrier, runs }: RepairResult, rules: RepairRules): void {
  // Why there is none is a warning already.
  if (runs.length === 0) return
  const labels = { loss: String(lossRatio), model, carrier }
  const outcomes = runs.flatMap(run => run.outcomes)
  const intact = outcomes.filter(({ isIntact }) => isIntact).length
  const judgedBy = carrier === 'srt' ? 'whole when SRT delivered them, by its own clock' : `whole within ${rules.budgetSeconds * 1000} ms of departure`
  sheet.add(
    {
      name: 'frames_intact_ratio', labels, unit: 'ratio', value: intact / outcomes.length,
      note: `${intact} of ${outcomes.length} frames ${judgedBy}; samples are seconds`,
      ...(carrier === 'kenkyo' ? { goal: { relation: '>=', bound: lossRatio > 0.03 ? 0.995 : 0.999 } as const } : {}),
    },
    runs.flatMap(intactBySecond),
  )
  const departed = outcomes.length / (rules.framesPerSecond * runs.reduce((sum, { seconds }) => sum + seconds, 0))
  sheet.add({ name: 'frames_departed_ratio', labels, unit: 'ratio', note: 'of the frames that the source has' }, [Math.min(1, departed)])
  sheet.add(
    { name: 'overhead_ratio', labels, unit: 'ratio', note: 'IP bytes that entered the line upwards over RTP bytes that were handed over, less 1' },
    runs.filter(run => run.sentBytes > 0).map(run => run.line.upBytes / run.sentBytes - 1),
  )
  sheet.add(
    { name: 'added_latency_seconds', labels, unit: 's', note: `of frames that completed, from departure, less ${rules.lineDelaySeconds * 1000} ms of line` },
    outcomes.flatMap(({ delay }) => (delay === undefined ? [] : [Number((delay / 1000 - rules.lineDelaySeconds).toFixed(4))])),
  )
  warn(sheet, `${carrier} at ${lossRatio} ${model}`, runs, departed, rules)
}

/** Adds what each end of a carrier costs, over all its lines. */
export function reportCosts(sheet: FigureSheet, carrier: CarrierName, runs: readonly CarrierRun[]): void {
  const ends = new Set(runs.flatMap(({ cpuSeconds }) => [...cpuSeconds.keys()]))
  for (const end of ends) {
    const isGoal = carrier === 'kenkyo' && (end === 'agent' || end === 'node')
    sheet.add(
      {
        name: 'cpu_ratio_per_100mbit', labels: carrier === 'kenkyo' ? { end } : { carrier, end }, unit: 'ratio',
        note: 'of one core for each 100 Mbit/s of RTP; samples are lines and rounds',
        ...(isGoal ? { goal: { relation: '<=', bound: CPU_GOAL } as const } : {}),
      },
      runs.filter(run => run.sentBytes > 0).map(run => (run.cpuSeconds.get(end) ?? 0) / (run.sentBytes * 8e-8)),
    )
  }
}

/** Shares of intact frames by the second of their departure. */
function intactBySecond({ outcomes }: CarrierRun): number[] {
  const first = outcomes[0]?.departedAt ?? 0
  const seconds = Map.groupBy(outcomes, ({ departedAt }) => Math.floor((departedAt - first) / 1000))
  return [...seconds.values()].map(frames => frames.filter(({ isIntact }) => isIntact).length / frames.length)
}

function warn(sheet: FigureSheet, where: string, runs: readonly CarrierRun[], departed: number, rules: RepairRules): void {
  const sum = (of: (run: CarrierRun) => number): number => runs.reduce((total, run) => total + of(run), 0)
  const say = (text: string): void => void sheet.warnings.push(`${where}: ${text}`)
  const overruns = sum(({ line }) => line.overruns)
  if (overruns > 0) say(`the kernel dropped ${overruns} packets before the emulator saw them`)
  const queueFull = sum(({ line }) => line.queueFull)
  if (queueFull > 0) say(`the line's queue was full for ${queueFull} packets`)
  const errors = sum(run => run.receiveBufferErrors)
  if (errors > 0) say(`${errors} datagrams found a full socket`)
  const own = Math.max(0, ...runs.map(({ cpuSeconds, seconds }) => [...cpuSeconds.values()].reduce((total, each) => total + each, 0) / seconds))
  if (own > BUSY_CORES_RATIO * rules.cores) say(`what was measured took ${own.toFixed(2)} of ${rules.cores} cores, the emulator aside`)
  const others = median(runs.map(({ machineBusyRatio }) => machineBusyRatio))
  if (rules.hasToShare && others > BUSY_CORES_RATIO) say(`whatever else ran had its share of the processors; ${(100 * others).toFixed(0)} % of them were busy`)
  const receiver = Math.max(0, ...runs.map(run => (run.cpuSeconds.get('receiver') ?? 0) / run.seconds))
  if (receiver > BUSY_RECEIVER_RATIO) say(`the receiver was busy, ${receiver.toFixed(2)} of a core`)
  const longest = Math.max(0, ...runs.map(({ receiverDelay }) => receiverDelay))
  if (longest > LONG_DELAY_MILLIS) say(`the receiver was held up for ${longest.toFixed(0)} ms at most`)
  if (departed < DEPARTED_RATIO) say(`the sender held frames back: ${(100 * departed).toFixed(1)} % of them departed`)
}
