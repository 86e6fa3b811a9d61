/** What the publishing process and the one that started it say to each other, over IPC. */
import { z } from 'zod'

/** How a client shows who it is. PEM. */
const Tls = z.strictObject({ cert: z.string(), key: z.string(), ca: z.string() })

/** To the publisher. */
export const PublisherCommand = z.discriminatedUnion('type', [
  /** Join and publish; whatever was published before ends. Answered by `publishing`. */
  z.strictObject({ type: z.literal('publish'), signalingUrl: z.string(), token: z.string(), tls: Tls }),
  /** Answered by `counts`. */
  z.strictObject({ type: z.literal('count') }),
  /** Send nothing any more. */
  z.strictObject({ type: z.literal('stop') }),
])
export type PublisherCommand = z.infer<typeof PublisherCommand>

/** From the publisher. */
export const PublisherMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({ type: z.literal('publishing') }),
  z.strictObject({
    type: z.literal('counts'),
    /** RTP packets handed to WebRTC since it published, and their bytes. */
    packets: z.int(), bytes: z.int(),
    /** Commands of the stage that came, and when the last did, in milliseconds since the epoch; null before. */
    commands: z.int(), lastCommandAtMillis: z.number().nullable(),
    /** The code that the node ended the session with; null while it lasts. */
    ended: z.string().nullable(),
  }),
  z.strictObject({ type: z.literal('failed'), message: z.string() }),
])
export type PublisherMessage = z.infer<typeof PublisherMessage>
