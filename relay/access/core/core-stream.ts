/** What the core tells every node over one long answer: a line of JSON for each message. */
import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { AuditSearch } from '../../wire/operator.ts'
import { ConsentStatement } from '../consent/consent-statement.ts'
import { ConsultationEntry } from '../consultations/consultation-entry.ts'

/** How often the core says that it is there, in milliseconds. */
export const HEARTBEAT_INTERVAL_MILLIS = 1000
/** A node that heard nothing for so long grants nothing new, in milliseconds. */
export const CORE_PATIENCE_MILLIS = 10_000
/** A longer line ends the stream. */
export const MAX_LINE_CHARACTERS = 64 * 1024 * 1024

const epochMillis = z.number().min(0).max(8.64e15)

/** One line. After `hello` come the registry, the revocation lists, every consent and every consultation, then `complete`, then what changes. */
export const CoreMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('hello'), protocol: z.literal(1), atMillis: epochMillis }),
  z.strictObject({ type: z.literal('registry'), snapshot: z.string() }),
  z.strictObject({ type: z.literal('revocations'), crlsPem: z.string().min(1).max(16 * 1024 * 1024) }),
  z.strictObject({ type: z.literal('consent'), statement: ConsentStatement }),
  z.strictObject({ type: z.literal('consultation'), entry: ConsultationEntry }),
  z.strictObject({ type: z.literal('complete') }),
  z.strictObject({ type: z.literal('heartbeat'), atMillis: epochMillis }),
  /** An operator looks for something in audit logs: answered by `PUT /core/answers/<questionId>`. */
  z.strictObject({ type: z.literal('audit_question'), questionId: z.uuid(), search: AuditSearch }),
])
export type CoreMessage = z.infer<typeof CoreMessage>

/** @throws {RelayFault} `bad_message`. */
export function decodeCoreMessage(line: string): CoreMessage {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch (cause) {
    throw new RelayFault('bad_message', 'the core sent a line that is not JSON', { cause })
  }
  const message = CoreMessage.safeParse(json)
  if (!message.success) throw new RelayFault('bad_message', 'the core sent a message that is none', { cause: message.error })
  return message.data
}
