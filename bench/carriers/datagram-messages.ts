/** What the datagram sender and receiver tell the one that started them, over the IPC channel of Node's child processes. */
import { z } from 'zod'

export const DatagramMessage = z.discriminatedUnion('type', [
  /** The recording is in memory, or the socket is open. */
  z.strictObject({ type: z.literal('ready') }),
  /** Of a receiver, once per second: the longest delay of its event loop. */
  z.strictObject({ type: z.literal('second'), longestDelayMillis: z.number().min(0) }),
])
export type DatagramMessage = z.infer<typeof DatagramMessage>

/** To a sender: begin. */
export const SenderCommand = z.strictObject({ type: z.literal('send') })
export type SenderCommand = z.infer<typeof SenderCommand>

/** Environment of both: the port on 127.0.0.1 that datagrams go to or come to, and the renditions, whose place in the list plus one is their SSRC. */
export const DatagramEnvironment = z.object({
  KENKYO_DATAGRAM_PORT: z.coerce.number().int().min(1).max(65_535),
  KENKYO_DATAGRAM_RENDITIONS: z.string().min(1),
  KENKYO_DATAGRAM_LOG: z.string().min(1),
})
