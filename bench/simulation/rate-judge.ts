import { quantile } from '../statistics.ts'
import { isDisturbed, longestRoundTrip, recovery } from './link-judge.ts'
import { LOOK_EVERY } from './network-run.ts'
import type { Check, Invariant } from './link-judge.ts'
import type { Look, NetworkRun } from './network-run.ts'

/** After the start or a step of the rate, a path is given so long, and so many round trips, to find its rate. */
const CONVERGENCE = { millis: 1000, roundTrips: 10 } as const

/** A class that prefers a path may move to it so long after it came up. */
const PROBATION_MILLIS = 1000
/** A shorter queue overflows before it tells of itself. */
const DEEP_QUEUE_MILLIS = 30

/** Judges how much is sent and kept, and who gets the line. */
export function judgeRates(run: NetworkRun): Check[] {
  const { network, simulation, looks } = run
  const checks: Check[] = []
  const check = (invariant: Invariant, value: number, bound: number, evidence = ''): void => void checks.push({ invariant, value, bound, evidence })
  const { initiator, responder, directions } = simulation
  const { live, messages } = initiator.endpoint
  const classes = [live, messages.control, messages.tiles, messages.bulk]

  // Round trips are estimates.
  const jitter = Math.max(...network.paths.map(({ up, down }) => up.jitterMillis + down.jitterMillis))
  check('retransmission_late', run.retransmissionExcess.reduce((most, excess) => Math.max(most, excess), -Infinity), 5 + jitter)
  const lost = directions.reduce((sum, { up }) => sum + up.lost + up.overflowed, 0)
  const packets = directions.reduce((sum, { up }) => sum + up.packets, 0)
  const again = classes.reduce((sum, { out }) => sum + out.counts.retransmittedPackets, 0)
  // Whoever stands still looks like a path that is gone, and what left on that is sent again.
  const unasked = (network.up.live === undefined ? 0 : live.out.counts.packets / ((run.endOfLoad - run.startOfLoad) / 1000)) * 0.5 * network.events.filter(({ kind }) => kind !== 'rate').length
  check('retransmission_excess', again, 2 * lost + 0.1 * packets + unasked + 20, JSON.stringify({ lost, packets }))
  check('fec_excess', live.fecPackets, 0.25 * live.out.counts.packets + 12, JSON.stringify({ packets: live.out.counts.packets }))

  const settle = CONVERGENCE.millis + CONVERGENCE.roundTrips * longestRoundTrip(network)
  const lastStep = run.startOfLoad + (network.paths.length > 1 ? PROBATION_MILLIS : 0) + Math.max(0, ...network.events.map(({ at }) => at))
  const settled = looks.filter(({ at }) => at > lastStep + settle && at < run.endOfLoad)
  if (network.competitor === undefined && !isDisturbed(network.events) && settled.length > 30) {
    // What begins to be too much just before the end is not too much for long.
    const isLong = settled.length * LOOK_EVERY > 1000 + 6 * longestRoundTrip(network)
    network.paths.forEach(({ up: { rateBitsPerSecond = Infinity, queue } }, path) => {
      // Where less is sent than allowed, one message may still leave at once.
      const message = (12_000 * (network.up.control.mostBytes + (network.up.tiles?.mostBytes ?? 0))) / rateBitsPerSecond
      check('queue_stands', quantile(settled.map(({ queues }) => queues[path] ?? 0), 0.75), 80 + message, `path ${path}`)
      // Into a queue that holds less than a clump of live, part of each clump is lost until the rate is known.
      if (isLong) check('overflow', overflowRatio(settled, path), 'millis' in queue && queue.millis >= DEEP_QUEUE_MILLIS + (network.up.live?.everyMillis ?? 0) ? 0.1 : 0.5, `path ${path}`)
    })
    const used = utilisation(run, settled)
    if (used !== undefined) check('idle', 1 - used, 0.5)
  }

  const budget = Math.max(0, ...looks.map(look => look.budget))
  check('memory', Math.max(0, ...looks.map(({ storedLive }) => storedLive)), liveBound(run, budget), 'live')
  check('memory', Math.max(0, ...looks.map(({ storedMessages }) => storedMessages)), 3 * (256 + 3 * (Math.max(0, ...looks.map(({ paces }) => paces.reduce((a, b) => a + b, 0))) / 10_000) * 2), 'messages')
  // Into an outage of all paths live is sent for another second, and all of that is missing afterwards.
  check('memory', Math.max(0, ...looks.map(({ missing }) => missing)), liveBound(run, budget + 1500), 'missing')
  const pace = Math.max(0, ...looks.map(({ paces }) => paces.reduce((a, b) => a + b, 0)))
  check('step_work', Math.max(initiator.mostStepBytes, responder.mostStepBytes), (pace / 8000) * 5 + 20_000)

  const silence = recovery(run)
  if (silence !== undefined) check('failover_slow', silence * 1000, 300 + longestRoundTrip(network) + (network.up.live?.everyMillis ?? 0))
  const competing = looks.filter(({ at }) => at > 9000 && at < run.endOfLoad)
  const [first, last] = [competing[0], competing.at(-1)]
  if (network.competitor !== undefined && first !== undefined && last !== undefined) {
    const theirs = last.competitorBytes - first.competitorBytes
    const ours = (last.sentBytes[0] ?? 0) - (first.sentBytes[0] ?? 0)
    check('unfair', Math.abs(ours / (ours + theirs) - 0.5), 0.45, `ours ${(ours / (ours + theirs)).toFixed(2)} beside ${network.competitor}`)
  }
  return checks
}

function overflowRatio(looks: readonly Look[], path: number): number {
  const [first, last] = [looks[0], looks.at(-1)]
  const dropped = (last?.overflowed[path] ?? 0) - (first?.overflowed[path] ?? 0)
  return dropped / Math.max(100, ((last?.sentBytes[path] ?? 0) - (first?.sentBytes[path] ?? 0)) / 1250)
}

/** Of what the paths carry that bulk may use, what was sent on them; undefined where nothing always waited. */
function utilisation({ network }: NetworkRun, looks: readonly Look[]): number | undefined {
  const [first, last] = [looks[0], looks.at(-1)]
  if (network.up.bulkBytes === undefined || network.contract.traffic.bulk.policy !== 'bond' || first === undefined || last === undefined) return undefined
  const capacity = network.paths.reduce((sum, { up }, path) => {
    const factor = network.events.reduce((product, event) => (event.kind === 'rate' && event.path === path ? event.factor : product), 1)
    // What is agreed is not exceeded, whatever the line carries.
    const known = network.contract.paths[path]?.rateBitsPerSecond ?? Infinity
    return sum + (Math.min(known, (up.rateBitsPerSecond ?? 0) * factor) * (last.at - first.at)) / 8000
  }, 0)
  return last.sentBytes.reduce((sum, bytes, path) => sum + bytes - (first.sentBytes[path] ?? 0), 0) / capacity
}

/** Live packets that were sent within one budget, at most. */
function liveBound({ network, up, simulation }: NetworkRun, budget: number): number {
  const rate = network.up.live?.bitsPerSecond ?? 0
  const parts = simulation.initiator.endpoint.live.out.counts.packets / Math.max(1, up.live.length)
  const perSecond = rate / (8 * 0.7 * (network.up.live?.mostBytes ?? 1200))
  return Math.max(1, parts) * perSecond * ((budget + network.contract.traffic.live.queueDelayMillis + 200) / 1000) * 1.5 + 200
}
