import type { Millis } from '../../relay/wire/units.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { ProcessUsage } from '../process-usage.ts'
import type { EmulatedNetwork } from '../lines/emulated-network.ts'

/** What can carry the microscope's renditions over its line. */
export const CARRIER_NAMES = ['kenkyo', 'srt', 'webrtc'] as const
export type CarrierName = (typeof CARRIER_NAMES)[number]

/** From the first packet of an instant until nobody waits for more of it: far beyond any budget. */
export const FRAME_DEADLINE = 1000

/** What a carrier is to carry, and where. */
export interface CarrierOptions {
  /** It goes from the leaf `microscope` to the node. */
  readonly network: EmulatedNetwork
  /** Directory of the recording that is replayed in a loop. */
  readonly recording: string
  /** Exactly these, at full rate. */
  readonly renditions: readonly RenditionId[]
  /** From capture to where frames count, retransmissions included. */
  readonly budget: Millis
  /** For its logs. */
  readonly directory: string
  readonly signal: AbortSignal
}

/** A carrier at work, from the source at one end to a receiver that judges at the other. It carries until it is disposed of. */
export interface RunningCarrier extends AsyncDisposable {
  /** Paths of what a `SentLog` and an `ArrivalLog` write. */
  readonly sentLog: string
  readonly arrivalLog: string
  /** What the processes of each end have used so far. */
  usage(): ReadonlyMap<string, readonly ProcessUsage[]>
  /** Longest delay of the receiver's event loop since the last call. */
  takeLongestDelay(): Millis
  /** Rejects when any part dies; never resolves. */
  readonly failed: Promise<never>
}
