import type { ArrivedFrame, LinkPair } from '../carriers/link-end.ts'
import type { LinkEndTotals } from '../carriers/link-end-messages.ts'

/** What both ends counted at one moment. */
export interface PairTotals {
  readonly initiator: LinkEndTotals
  readonly responder: LinkEndTotals
}

/** Asks both ends. */
export async function totalsOf({ initiator, responder }: LinkPair): Promise<PairTotals> {
  const [first, second] = await Promise.all([initiator.totals(), responder.totals()])
  return { initiator: first, responder: second }
}

/** Frames that were sent and did not come whole within the budget. Both readings while nothing is under way. */
export const framesLost = (before: PairTotals, after: PairTotals): number =>
  after.initiator.frames - before.initiator.frames - (after.responder.frames - before.responder.frames)

/** From sending their last packet until they were whole, in milliseconds. */
export const delaysOf = (frames: readonly ArrivedFrame[]): number[] => frames.map(({ sentAt, completedAt }) => completedAt - sentAt)

/** A full datagram of the link carries so many bytes of bulk in so many of IP: 12 of message, 9 of data frame, 62 around it, and room for parity. */
const BULK_PAYLOAD_BYTES = 1500 - 62 - 9 - 4 - 12
const BULK_DATAGRAM_BYTES = 1500 - 4

/** IP bytes that a first transmission of so much bulk takes. */
export const bulkOnLine = (payloadBytes: number): number => (payloadBytes * BULK_DATAGRAM_BYTES) / BULK_PAYLOAD_BYTES
