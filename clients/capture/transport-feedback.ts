import { StatusVectorChunk } from 'werift'
import { millis } from '../../relay/wire/units.ts'
import type { RunLengthChunk, TransportWideCC } from 'werift'
import type { PacketArrival } from './uplink-estimator.ts'

/** Status of a packet that did not arrive, or whose arrival has no time. @see draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.1 */
const NOT_RECEIVED = 0
const RECEIVED_WITHOUT_TIME = 3
/** The reference time counts these, in milliseconds. */
const REFERENCE_UNIT = 64

/**
 * The packets that one feedback message speaks of, in the order of their numbers.
 *
 * werift parses the message; its own list of results knows run-length chunks alone, and whole
 * milliseconds.
 *
 * @see draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1
 */
export function readArrivals(feedback: TransportWideCC): readonly PacketArrival[] {
  const statuses = feedback.packetChunks.flatMap(chunk => statusesOf(chunk)).slice(0, feedback.packetStatusCount)
  const arrivals: PacketArrival[] = []
  let arrivedAt = feedback.referenceTime * REFERENCE_UNIT
  let nextDelta = 0
  for (const [index, status] of statuses.entries()) {
    const sequenceNumber = (feedback.baseSequenceNumber + index) & 0xffff
    if (status === NOT_RECEIVED || status === RECEIVED_WITHOUT_TIME) {
      arrivals.push({ sequenceNumber, arrivedAt: undefined })
      continue
    }
    const delta = feedback.recvDeltas[nextDelta++]
    // A message cut short: what it says no more is not known.
    if (delta === undefined) break
    arrivedAt += delta.delta / 1000
    arrivals.push({ sequenceNumber, arrivedAt: millis(arrivedAt) })
  }
  return arrivals
}

function statusesOf(chunk: RunLengthChunk | StatusVectorChunk): readonly number[] {
  if (chunk instanceof StatusVectorChunk) return chunk.symbolList
  return Array.from({ length: chunk.runLength }, () => chunk.packetStatus)
}
