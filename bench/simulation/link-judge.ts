import { quantile } from '../statistics.ts'
import { judgeMessages } from './message-judge.ts'
import { NetworkRun } from './network-run.ts'
import { judgeRates } from './rate-judge.ts'
import type { NetworkEvent, RandomNetwork } from './random-network.ts'

/**
 * What has to be true of a link on any network.
 *
 * - `live_order`: packets of a flow arrive in its order, each at most once, and as they were sent.
 * - `live_counted`: whatever did not arrive was counted by one end or the other; nothing is counted that did.
 * - `live_unrepaired`: where there is room and time, most of what is lost on the line is not lost for the viewer.
 * - `live_late`: none is handed over later than its budget and what one path's delay explains.
 * - `message_whole`: messages of all other classes arrive once and whole, control in its order, and their sender is told.
 * - `control_starved`: control arrives within what its repair takes, whatever else is sent.
 * - `retransmission_late`, `retransmission_excess`, `fec_excess`: repair is in time, and in proportion.
 * - `queue_stands`, `overflow`: no more is sent than the bottleneck carries, for long.
 * - `idle`: where something always waits, the paths are used.
 * - `memory`, `step_work`: bounded by rate times budget, and by the pace.
 * - `hitless_lost`: the loss of one of two paths takes nothing of what travels on both.
 * - `failover_slow`: otherwise live goes on within 300 ms and a round trip.
 * - `unfair`: a flow beside ours and ours both get a part of the line.
 */
export const INVARIANTS = [
  'live_order', 'live_counted', 'live_unrepaired', 'live_late', 'message_whole', 'control_starved', 'retransmission_late', 'retransmission_excess', 'fec_excess',
  'queue_stands', 'overflow', 'idle', 'memory', 'step_work', 'hitless_lost', 'failover_slow', 'unfair',
] as const
export type Invariant = (typeof INVARIANTS)[number]

/** One invariant that was looked at: violated where `value` exceeds `bound`. */
export interface Check {
  readonly invariant: Invariant
  readonly value: number
  readonly bound: number
  readonly evidence: string
}

/** What a network measured; undefined where it had nothing of it. */
export interface NetworkFigures {
  /** Of packets on the line, and of live packets after repair, where nothing happened, the load was below the capacity, and the deadline left time to repair. */
  readonly liveLoss: { readonly before: number; readonly after: number } | undefined
  /** Of control messages without outages, in seconds: the 99th percentile. */
  readonly controlDelay: number | undefined
  /** Of the paths' rates, where something always waited. */
  readonly utilisation: number | undefined
  /** In seconds, from the cut of a path until live went on. */
  readonly recovery: number | undefined
}

/** What became of one network. */
export interface Verdict {
  readonly network: RandomNetwork
  readonly checks: readonly Check[]
  readonly figures: NetworkFigures
}

/** Those that were violated. */
export const violations = ({ checks }: Verdict): readonly Check[] => checks.filter(({ value, bound }) => !(value <= bound))

/** Whether somebody's line or process stood still between two instants of a run, by its events. */
export const isDisturbed = (events: readonly NetworkEvent[]): boolean => events.some(({ kind }) => kind !== 'rate')

/** Where the wire alone explains this much of a delay, in milliseconds: the longest way up, with a full queue. */
export const longestWay = ({ paths }: RandomNetwork): number =>
  Math.max(...paths.map(({ up }) => up.delayMillis + up.jitterMillis + ('millis' in up.queue ? up.queue.millis : 0) + (8000 * 1500) / (up.rateBitsPerSecond ?? 1e9)))

/** Of the slowest path, empty, in milliseconds. */
export const longestRoundTrip = ({ paths }: RandomNetwork): number => Math.max(...paths.map(({ up, down }) => up.delayMillis + down.delayMillis + up.jitterMillis + down.jitterMillis))

/** Time between steps, and until a tail or a probe tells of what was lost at the end of a clump; in milliseconds. */
const NOTICE_MILLIS = 60

/** Runs a network and judges it. */
export function judgeNetwork(network: RandomNetwork): Verdict {
  const run = new NetworkRun(network)
  run.run()
  const figures = liveFigures(run)
  const checks = [...judgeLive(run), ...judgeMessages(run), ...judgeRates(run)]
  const { liveLoss } = figures
  if (liveLoss !== undefined && run.up.live.length > 200) checks.push({ invariant: 'live_unrepaired', value: liveLoss.after, bound: 0.03 + 0.3 * liveLoss.before, evidence: `lost on the line ${liveLoss.before.toFixed(4)}` })
  const idle = checks.find(({ invariant }) => invariant === 'idle')
  return { network, checks, figures: { ...figures, controlDelay: controlDelay(run), utilisation: idle === undefined ? undefined : 1 - idle.value } }
}

function judgeLive(run: NetworkRun): Check[] {
  const { network, simulation, up } = run
  const checks: Check[] = []
  const check = (invariant: Invariant, value: number, bound: number, evidence = ''): void => void checks.push({ invariant, value, bound, evidence })
  const { live, mistakes } = { live: up.live, mistakes: up.mistakes.live }
  const repeated = live.filter(({ arrivals }) => arrivals > 1).length
  check('live_order', mistakes.disorders + mistakes.damaged + mistakes.unknown + repeated, 0, JSON.stringify({ ...mistakes, repeated }))

  const sender = simulation.initiator.endpoint.live
  const receiver = simulation.responder.endpoint.live
  const [sent, arrived, missed] = [sender.out.counts.packets, receiver.in.counts.packets, receiver.in.counts.deadlineMisses]
  const lost = live.filter(({ arrivals }) => arrivals === 0).length
  check('live_counted', Math.abs(sent - arrived - missed), 0, JSON.stringify({ sent, arrived, missed }))
  check('live_counted', lost, missed + sender.droppedPackets, JSON.stringify({ lost, missed, dropped: sender.droppedPackets }))

  const budget = Math.max(0, ...run.looks.map(look => look.budget))
  const pauses = network.events.reduce((sum, event) => sum + (event.kind === 'pause' ? event.until - event.at : 0), 0)
  const shortest = Math.min(...network.paths.map(path => path.up.delayMillis + path.down.delayMillis - path.up.jitterMillis - path.down.jitterMillis)) / 2
  const allowed = network.contract.traffic.live.queueDelayMillis + longestWay(network) + Math.max(0, budget - shortest) + NOTICE_MILLIS + pauses + unknowable(network)
  const delays = live.filter(({ arrivals }) => arrivals > 0).map(({ sentAt, arrivedAt }) => arrivedAt - sentAt)
  if (delays.length > 0) check('live_late', delays.reduce((most, delay) => Math.max(most, delay), 0), allowed, `budget ${budget.toFixed(0)}`)
  // One path at a time is cut, and the other one loses nothing; but it may be too slow for the deadline.
  if (network.focus === 'hitless' && longestWay(network) < budget) check('hitless_lost', lost, 0, JSON.stringify({ missed, dropped: sender.droppedPackets }))
  return checks
}

/**
 * When all paths were silent for long the receiver cannot know when exactly what it misses was sent, for as long as that:
 * the sender goes on for a second at most, and the receiver takes it to have gone on evenly. In milliseconds.
 */
function unknowable({ events, paths }: RandomNetwork): number {
  const outages = events.filter(event => event.kind === 'cut' && event.paths.length === paths.length).map(({ at, ...rest }) => ('until' in rest ? rest.until - at : 0))
  return outages.reduce((sum, outage) => sum + 0.2 * outage + Math.max(0, outage - 1000), 0)
}

function controlDelay({ network, up }: NetworkRun): number | undefined {
  const delays = up.messages.control.filter(({ arrivals }) => arrivals > 0).map(({ sentAt, arrivedAt }) => (arrivedAt - sentAt) / 1000)
  return isDisturbed(network.events) || delays.length === 0 ? undefined : quantile(delays, 0.99)
}

function liveFigures(run: NetworkRun): Pick<NetworkFigures, 'liveLoss' | 'recovery'> {
  const { network, simulation, up } = run
  // What is taken for the rate has room for it from the start, and there is time to ask once for what is lost.
  const rates = network.paths.map((path, index) => Math.min(path.up.rateBitsPerSecond ?? 0, network.contract.paths[index]?.rateBitsPerSecond ?? network.initial))
  const hasTime = (network.contract.traffic.live.deadlineMillis ?? Infinity) > 2.5 * longestRoundTrip(network)
  const isCalm = network.events.length === 0 && network.competitor === undefined && hasTime && up.live.length > 0 && (network.up.live?.bitsPerSecond ?? 0) < 0.75 * Math.min(...rates)
  const before = simulation.directions.reduce((sum, direction) => sum + direction.up.lost + direction.up.overflowed, 0) / simulation.directions.reduce((sum, direction) => sum + direction.up.packets, 0)
  return { liveLoss: isCalm ? { before, after: up.live.filter(({ arrivals }) => arrivals === 0).length / up.live.length } : undefined, recovery: recovery(run) }
}

/** Longest silence of live after one of two paths was cut, in seconds. */
export function recovery({ network, up, startOfLoad }: NetworkRun): number | undefined {
  const cuts = network.events.filter(event => event.kind === 'cut')
  const [cut] = cuts
  const load = network.up.live
  if (cut === undefined || cuts.length !== network.events.length || cuts.length > 1 || network.paths.length !== 2 || cut.paths.length !== 1 || load === undefined) return undefined
  // What is left has to carry it, and there has to be something to be missed.
  const other = cut.paths[0] === 0 ? 1 : 0
  const rest = Math.min(network.paths[other]?.up.rateBitsPerSecond ?? 0, network.contract.paths[other]?.rateBitsPerSecond ?? network.initial)
  if (load.bitsPerSecond > 0.6 * rest || up.live.length < 100) return undefined
  const from = startOfLoad + cut.at
  const arrivals = up.live.map(({ arrivedAt }) => arrivedAt).filter(at => at >= from && at < from + 2000).sort((a, b) => a - b)
  let longest = 0
  let before = from
  for (const at of arrivals) {
    longest = Math.max(longest, at - before)
    before = at
  }
  return longest / 1000
}
