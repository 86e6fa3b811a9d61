/** What a receiver process and the one that started it say to each other, over the IPC channel of Node's child processes. */
import { z } from 'zod'
import { FAULT_CODES } from '../../relay/wire/fault.ts'
import { RenditionId } from '../../relay/wire/ids.ts'
import { Pyramid } from '../../relay/wire/pyramid.ts'

const count = z.int().min(0)

/** To a receiver. */
export const ReceiverCommand = z.discriminatedUnion('type', [
  /** Watch exactly these renditions. Answered by `watching` with the same number. */
  z.strictObject({ type: z.literal('watch'), commandId: z.int(), renditions: z.array(RenditionId) }),
  z.strictObject({ type: z.literal('leave') }),
])
export type ReceiverCommand = z.infer<typeof ReceiverCommand>

/** What came of one rendition in one second. */
export const RenditionSecond = z.strictObject({
  intact: count,
  damaged: count,
  missing: count,
  packets: count,
  /** RTP header and payload, decrypted; retransmissions apart. */
  rtpBytes: count,
  rtxBytes: count,
})
export type RenditionSecond = z.infer<typeof RenditionSecond>

/** One second of one receiver. */
export const ReceiverSecond = z.strictObject({
  type: z.literal('second'),
  /** How long it really was. */
  durationSeconds: z.number().gt(0),
  /** Instants whose deadline passed. */
  instants: count,
  renditions: z.record(RenditionId, RenditionSecond),
  /** RTP bytes since joining, of all renditions. */
  totalRtpBytes: count,
  totalRtxBytes: count,
  /** Packets asked for again, packets that came after that, packets given up. */
  asked: count,
  recovered: count,
  lost: count,
  /** Longest delay of its event loop in this second: much of it, and the receiver is what is being measured. */
  longestDelayMillis: z.number().min(0),
})
export type ReceiverSecond = z.infer<typeof ReceiverSecond>

/** From a receiver. */
export const ReceiverMessage = z.discriminatedUnion('type', [
  /** Connected; nothing flows yet. */
  z.strictObject({ type: z.literal('ready'), pyramid: Pyramid, joinMillis: z.number().min(0) }),
  z.strictObject({ type: z.literal('watching'), commandId: z.int() }),
  ReceiverSecond,
  /** The last message of a receiver that could not go on. */
  z.strictObject({ type: z.literal('failed'), code: z.enum(FAULT_CODES), message: z.string() }),
])
export type ReceiverMessage = z.infer<typeof ReceiverMessage>
