/**
 * Every message of the signaling connection, put together from one file for each matter in `signaling/`.
 * `docs/PROTOCOL.md` is the normative text; the schemas are its executable half.
 *
 * A client sends requests; the node answers each with one reply and sends notifications when it likes.
 */
import { z } from 'zod'
import { RelayFault } from './fault.ts'
import { MEMBER_NOTIFICATIONS } from './signaling/members.ts'
import { POINTING_NOTIFICATIONS, POINTING_REQUESTS } from './signaling/pointing.ts'
import { requestId, WireFault } from './signaling/protocol.ts'
import { PREFLIGHT_REQUESTS } from './signaling/preflight.ts'
import { PUBLICATION_NOTIFICATIONS, PUBLICATION_REQUESTS } from './signaling/publication.ts'
import { RECORDING_NOTIFICATIONS, RECORDING_REQUESTS } from './signaling/recording.ts'
import { SESSION_NOTIFICATIONS, SESSION_REQUESTS } from './signaling/session.ts'
import { SLIDE_NOTIFICATIONS, SLIDE_REQUESTS } from './signaling/slides.ts'
import { STEERING_NOTIFICATIONS, STEERING_REQUESTS } from './signaling/steering.ts'
import { STILL_NOTIFICATIONS, STILL_REQUESTS } from './signaling/stills.ts'
import { VIEWING_NOTIFICATIONS, VIEWING_REQUESTS } from './signaling/viewing.ts'
import { VOICE_NOTIFICATIONS, VOICE_REQUESTS } from './signaling/voice.ts'
import type { Role } from './signaling/protocol.ts'

export * from './signaling/members.ts'
export * from './signaling/pointing.ts'
export * from './signaling/preflight.ts'
export * from './signaling/protocol.ts'
export * from './signaling/publication.ts'
export * from './signaling/recording.ts'
export * from './signaling/session.ts'
export * from './signaling/slides.ts'
export * from './signaling/steering.ts'
export * from './signaling/stills.ts'
export * from './signaling/viewing.ts'
export * from './signaling/voice.ts'

/** Everything a client may ask, by type. */
export const REQUESTS = {
  ...SESSION_REQUESTS,
  ...VIEWING_REQUESTS,
  ...PUBLICATION_REQUESTS,
  ...STEERING_REQUESTS,
  ...POINTING_REQUESTS,
  ...SLIDE_REQUESTS,
  ...STILL_REQUESTS,
  ...VOICE_REQUESTS,
  ...RECORDING_REQUESTS,
  ...PREFLIGHT_REQUESTS,
} as const
export type RequestType = keyof typeof REQUESTS
const schemas = Object.values(REQUESTS).map(({ schema }) => schema)

/** Everything a client may ask. */
export const ClientRequest = z.discriminatedUnion('type', schemas as [(typeof schemas)[number], ...typeof schemas])
export type ClientRequest = z.infer<typeof ClientRequest>
/** One request, by its type. */
export type RequestOf<Type extends RequestType> = Extract<ClientRequest, { type: Type }>

/** The data of a successful reply, by request type. */
export type ReplyData<Type extends RequestType> = z.infer<(typeof REQUESTS)[Type]['reply']>

/** The requests that a role may send once it has joined. */
export type RequestTypeOf<Asking extends Role> = {
  [Type in Exclude<RequestType, 'join' | 'leave'>]: Asking extends (typeof REQUESTS)[Type]['askedBy'][number] ? Type : never
}[Exclude<RequestType, 'join' | 'leave'>]

const ReplyOk = z.strictObject({ type: z.literal('reply'), requestId, ok: z.literal(true), data: z.unknown() })
const ReplyFault = z.strictObject({ type: z.literal('reply'), requestId, ok: z.literal(false), fault: WireFault })

/** Everything a node may send. */
export const NodeMessage = z.union([
  z.discriminatedUnion('ok', [ReplyOk, ReplyFault]),
  z.discriminatedUnion('type', [
    ...PUBLICATION_NOTIFICATIONS,
    ...VIEWING_NOTIFICATIONS,
    ...STEERING_NOTIFICATIONS,
    ...POINTING_NOTIFICATIONS,
    ...SLIDE_NOTIFICATIONS,
    ...MEMBER_NOTIFICATIONS,
    ...STILL_NOTIFICATIONS,
    ...VOICE_NOTIFICATIONS,
    ...RECORDING_NOTIFICATIONS,
    ...SESSION_NOTIFICATIONS,
  ]),
])
export type NodeMessage = z.infer<typeof NodeMessage>
/** A message nobody asked for. */
export type Notification = Exclude<NodeMessage, { type: 'reply' }>

function parseJson(frame: string): unknown {
  try {
    return JSON.parse(frame)
  } catch (cause) {
    throw new RelayFault('bad_message', 'message is not JSON', { cause })
  }
}

function decode<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw new RelayFault('bad_message', z.prettifyError(result.error), { cause: result.error })
  return result.data
}

/**
 * Decodes one frame from a client.
 *
 * @throws {RelayFault} `bad_message` when the frame is not JSON or matches no request.
 */
export function decodeClientRequest(frame: string): ClientRequest {
  return decode(ClientRequest, parseJson(frame))
}

/**
 * Decodes one frame from a node.
 *
 * @throws {RelayFault} `bad_message` when the frame is not JSON or matches no message.
 */
export function decodeNodeMessage(frame: string): NodeMessage {
  return decode(NodeMessage, parseJson(frame))
}

/**
 * Decodes the data of a successful reply to a request of the given type.
 *
 * @throws {RelayFault} `bad_message` when the node's answer does not fit.
 */
export function decodeReplyData<Type extends RequestType>(type: Type, data: unknown): ReplyData<Type> {
  return decode(REQUESTS[type].reply, data) as ReplyData<Type>
}

/** The `requestId` of a frame that was refused, if one can still be read from it, so that the reply finds its request. */
export function salvageRequestId(frame: string): number | undefined {
  try {
    const result = z.looseObject({ requestId }).safeParse(JSON.parse(frame))
    return result.success ? result.data.requestId : undefined
  } catch {
    // Not JSON: there is no id to find.
    return undefined
  }
}
