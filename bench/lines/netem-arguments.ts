import { meanLossRatio } from './packet-loss.ts'
import type { DirectionProfile, Loss } from './profiles.ts'

/** netem counts frames; a rate here is of IP packets. @see tc-netem(8), `rate`, PACKETOVERHEAD */
const ETHERNET_HEADER_BYTES = 14
const FULL_PACKET_BYTES = 1500
/** Packets that netem may hold on a line without a bottleneck. */
const LIMIT_WITHOUT_RATE = 100_000

/**
 * The words after `tc qdisc add|replace dev X root` that make netem a direction of a line.
 *
 * netem holds one queue for what waits and what is on its way, and counts packets, so its limit is an estimate
 * for full packets. It draws jitter for each packet, which reorders unless there is a rate; `reorders` is not
 * asked for there. Never run: the kernel that this was written on has no netem.
 *
 * @see tc-netem(8)
 */
export function netemArguments(direction: DirectionProfile): string[] {
  const { rateBitsPerSecond: rate, delayMillis, jitterMillis } = direction
  return [
    'netem',
    'limit', String(limitPackets(direction)),
    ...(delayMillis > 0 || jitterMillis > 0 ? ['delay', `${micros(delayMillis)}us`, ...(jitterMillis > 0 ? [`${micros(jitterMillis)}us`] : [])] : []),
    ...lossArguments(direction.loss),
    ...(rate === undefined ? [] : ['rate', `${Math.round(rate)}bit`, String(-ETHERNET_HEADER_BYTES)]),
  ]
}

const micros = (millis: number): number => Math.round(millis * 1000)
const percent = (ratio: number): string => `${Number((100 * ratio).toPrecision(6))}%`

function lossArguments(loss: Loss): string[] {
  if (meanLossRatio(loss) === 0) return []
  if (loss.model === 'uniform') return ['loss', 'random', percent(loss.ratio)]
  // netem names 1−h the loss in the bad state, and 1−k that in the good one.
  return ['loss', 'gemodel', percent(loss.p), percent(loss.r), percent(loss.lossInBad), percent(loss.lossInGood)]
}

function limitPackets({ rateBitsPerSecond: rate, delayMillis, jitterMillis, queue }: DirectionProfile): number {
  if (rate === undefined) return LIMIT_WITHOUT_RATE
  const queued = 'bytes' in queue ? queue.bytes : (queue.millis * rate) / 8000
  const onTheWay = ((delayMillis + jitterMillis) * rate) / 8000
  return Math.max(2, Math.ceil((queued + onTheWay) / FULL_PACKET_BYTES))
}
