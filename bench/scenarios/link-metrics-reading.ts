import { RelayFault } from '../../relay/wire/fault.ts'
import { sumSamples } from '../exposition.ts'
import type { LocalNode } from '../local-node.ts'

type BothWays = Readonly<Record<'in' | 'out', number>>

/** What `/metrics` says of all links of a node. Measured under one link of one path. */
export interface Reading {
  /** Milliseconds since the epoch, in the middle of asking. */
  readonly at: number
  readonly openedAtSeconds: number
  readonly bytes: BothWays
  readonly packets: BothWays
  readonly lost: BothWays
  /** Bytes per second. */
  readonly throughput: BothWays
  readonly roundTripSeconds: number
}

/** Reads the metrics of a node's one link. @throws {RelayFault} `unavailable` when it cannot be asked, or has no link. */
export async function readLinkMetrics(node: LocalNode): Promise<Reading> {
  const askedAt = Date.now()
  const samples = await node.metrics()
  const at = (askedAt + Date.now()) / 2
  const sum = (name: string): number => sumSamples(samples, `kenkyo_link_${name}`, () => true)
  const bothWays = (name: string): BothWays => ({
    in: sumSamples(samples, `kenkyo_link_path_${name}`, ({ direction }) => direction === 'in'),
    out: sumSamples(samples, `kenkyo_link_path_${name}`, ({ direction }) => direction === 'out'),
  })
  if (sum('path_up') !== 1) throw new RelayFault('unavailable', `${sum('path_up')} paths are up, instead of one`)
  return {
    at, openedAtSeconds: sum('opened_timestamp_seconds'), roundTripSeconds: sum('path_round_trip_seconds'),
    bytes: bothWays('bytes_total'), packets: bothWays('packets_total'), lost: bothWays('lost_packets_total'), throughput: bothWays('throughput_bytes_per_second'),
  }
}
