import { forEachPacket, IP_PROTOCOL } from './pcap.ts'
import type { CapturedPacket } from './pcap.ts'

/** Where a datagram of a link has path and packet number, which are not encrypted. `docs/LINKS.md` has the layout. */
const PATH_AT = 2
const NUMBER_AT = { offset: 8, bytes: 6 } as const
const HEADER_BYTES = NUMBER_AT.offset + NUMBER_AT.bytes
/** More paths no link has. */
const PATHS = 4

/** Milliseconds since the epoch: from the first to the second, the second excluded. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** What captures at both ends of a line saw in one direction of it. */
export interface DirectionObservation {
  /** Link datagrams that arrived in the window, and their bytes as IP packets. */
  readonly packets: number
  readonly bytes: number
  /** Link datagrams that left in the window of departures, and those of them that never arrived. */
  readonly sent: number
  readonly lost: number
  /** Everything else in the window, for whoever cannot tell it from the link's: what left, and what arrived. */
  readonly others: { readonly sent: number; readonly packets: number; readonly bytes: number }
}

/** What {@link observeDirection} looks at. */
export interface ObservationOptions {
  /** Captures at the end that sends and at the one that receives, on one clock. */
  readonly sender: Buffer
  readonly receiver: Buffer
  /** The address that sends, as {@link addressNumber} reads it. */
  readonly source: number
  /** The UDP port of links at the node. */
  readonly linkPort: number
  readonly arrivals: Span
  /** The receiving end of a link counts a loss when it is final: earlier than its window is that of what it counted. */
  readonly departures: Span
}

/** An IPv4 address as {@link CapturedPacket} has it. */
export const addressNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

const isWithin = ({ from, to }: Span, at: number): boolean => at >= from && at < to

/**
 * Puts captures of both ends of a line together. Which datagrams were lost is known one by one, by their numbers.
 *
 * @throws {RelayFault} `bad_message` for what is no capture.
 */
export function observeDirection({ sender, receiver, source, linkPort, arrivals, departures }: ObservationOptions): DirectionObservation {
  const isOfLink = ({ protocol, sourcePort, destinationPort, payload }: CapturedPacket): boolean =>
    protocol === IP_PROTOCOL.udp && (sourcePort === linkPort || destinationPort === linkPort) && payload.length >= HEADER_BYTES
  const numberOf = ({ payload }: CapturedPacket): number => payload.readUIntBE(NUMBER_AT.offset, NUMBER_AT.bytes) * PATHS + (payload[PATH_AT] ?? 0)
  const arrived = new Set<number>()
  const counts = { packets: 0, bytes: 0, sent: 0, lost: 0 }
  const others = { sent: 0, packets: 0, bytes: 0 }
  forEachPacket(receiver, packet => {
    if (packet.source !== source) return
    const isOfWindow = isWithin(arrivals, packet.at)
    if (isOfLink(packet)) {
      arrived.add(numberOf(packet))
      if (!isOfWindow) return
      counts.packets++
      counts.bytes += packet.bytes
    } else if (isOfWindow) {
      others.packets++
      others.bytes += packet.bytes
    }
  })
  forEachPacket(sender, packet => {
    if (packet.source !== source) return
    if (!isOfLink(packet)) {
      if (isWithin(arrivals, packet.at)) others.sent++
    } else if (isWithin(departures, packet.at)) {
      counts.sent++
      if (!arrived.has(numberOf(packet))) counts.lost++
    }
  })
  return { ...counts, others }
}
