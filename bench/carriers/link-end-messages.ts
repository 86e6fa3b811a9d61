/** What a {@link file://./link-end.ts link end} and the one that started it tell each other over the IPC channel. */
import { z } from 'zod'
import { LinkContract } from '../../relay/wire/link.ts'

const Count = z.number().min(0)

/** How an end is made, as JSON in the environment variable `KENKYO_LINK_END`. */
export const LinkEndOptions = z.strictObject({
  role: z.enum(['initiator', 'responder']),
  /** Where the responder listens, and the initiator sends to unless its paths say otherwise. */
  host: z.string(),
  port: z.int(),
  association: z.uint32(),
  secretHex: z.string().length(64),
  contract: LinkContract,
  /** What an initiator plays: a recording in a loop, and of it these renditions. */
  recording: z.string().optional(),
  renditions: z.array(z.string()).default([]),
  /** Where a responder writes chunks that come on `bulk`; without it they are only counted. */
  chunkFile: z.string().optional(),
  /** From sending to completion, in milliseconds; frames beyond it are late. */
  budgetMillis: z.number(),
})
export type LinkEndOptions = z.infer<typeof LinkEndOptions>

/** Environment of an end. */
export const LinkEndEnvironment = z.object({ KENKYO_LINK_END: z.string().transform(text => LinkEndOptions.parse(JSON.parse(text))) })

/** To an end. */
export const LinkEndCommand = z.discriminatedUnion('type', [
  /** Play, or stop playing, live frames. */
  z.strictObject({ type: z.literal('play'), isOn: z.boolean() }),
  /** Send bulk as fast as the link takes it. */
  z.strictObject({ type: z.literal('bulk'), isOn: z.boolean() }),
  /** Send chunks of 512 KiB as a scanner does, and wait for each to be durable. */
  z.strictObject({ type: z.literal('chunks'), isOn: z.boolean() }),
  /** Send as many live packets as this, of 1200 bytes each, evenly, in bits per second; 0 stops. */
  z.strictObject({ type: z.literal('load'), bitsPerSecond: z.number() }),
  /** Tell everything now. */
  z.strictObject({ type: z.literal('tell'), id: z.int() }),
])
export type LinkEndCommand = z.infer<typeof LinkEndCommand>

/** Everything counted since the end was made. */
export const LinkEndTotals = z.strictObject({
  /** On the machine's clock, milliseconds since the epoch. */
  at: z.number(),
  cpuSeconds: Count,
  /** Sent, or received whole within the budget. */
  frames: Count,
  lateFrames: Count,
  livePackets: Count,
  livePayloadBytes: Count,
  /** Of chunks, those that are durable, where they are written. */
  bulkBytes: Count,
  /** Of all paths: capacity, pace and delays as this end has them. */
  pace: Count,
  queueingMillis: Count,
  roundTripMillis: Count,
  deadlineMisses: Count,
  switches: Count,
  outages: Count,
  lostDatagrams: Count,
})
export type LinkEndTotals = z.infer<typeof LinkEndTotals>

/** From an end. */
export const LinkEndMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), port: z.int() }),
  /** A path of the link lives. */
  z.strictObject({ type: z.literal('up') }),
  z.strictObject({ type: z.literal('told'), id: z.int(), totals: LinkEndTotals }),
  /** Of a responder, several times a second: for each frame that came whole, when it was sent and when it was whole, milliseconds since the epoch. */
  z.strictObject({ type: z.literal('frames'), sentAt: z.array(z.number()), completedAt: z.array(z.number()), rates: z.array(z.number()) }),
])
export type LinkEndMessage = z.infer<typeof LinkEndMessage>
