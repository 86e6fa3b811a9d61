/** What holds for every message: version, limits, roles, and the fields that many share. */
import { z } from 'zod'
import { FAULT_CODES } from '../fault.ts'
import { MAX_RENDITIONS, RenditionId } from '../ids.ts'
import type { AccessAction } from '../access.ts'

/** The version of this protocol; a client that speaks another one is refused at joining. */
export const PROTOCOL_VERSION = 6

/** The path of the signaling WebSocket on the node's HTTP origin. */
export const SIGNALING_PATH = '/signaling'

/** What every node enforces on every signaling socket. */
export const SIGNALING_LIMITS = {
  /** A longer message closes the socket (WebSocket close code 1009). */
  messageSizeBytes: 256 * 1024,
  /** Sustained request rate; more gets `rate_limited`. */
  requestsPerSecond: 50,
  /** Requests that may arrive at once before the rate counts. */
  requestBurst: 100,
  /** Requests waiting for their reply; one more gets `overloaded`. */
  outstandingRequests: 16,
  /** Consecutive refused messages after which the node closes the socket (close code 1008). */
  consecutiveFaults: 20,
  /** A socket that has not joined by then is closed. */
  joinTimeoutSeconds: 10,
  /** The node sends a ping and a `heartbeat` notification this often… */
  heartbeatIntervalSeconds: 5,
  /** …and closes a socket from which nothing came for so long. A client does the same. */
  heartbeatTimeoutSeconds: 15,
} as const

/** What an invitation lets its holder be. */
export const ROLES = ['microscope', 'viewer', 'technician', 'scanner'] as const
export type Role = (typeof ROLES)[number]

/** Who sees the live image: whoever reads it, and whoever stands beside the microscope with a browser. */
export const WATCHING_ROLES = ['viewer', 'technician'] as const satisfies readonly Role[]
export type WatchingRole = (typeof WATCHING_ROLES)[number]

/** What is declared of a request: its shape, what a successful reply carries, whose it is to ask, and what has to be granted for it. */
export interface RequestDeclaration {
  readonly schema: z.ZodObject
  readonly reply: z.ZodType
  readonly askedBy: readonly Role[]
  /** What the asker has to be allowed, where it differs by role; null: whoever was admitted may. */
  readonly action: AccessAction | Partial<Record<Role, AccessAction>> | null
}

/** What has to be granted to a role for a request; null: nothing beyond being admitted. */
export function actionNeeded({ action }: Pick<RequestDeclaration, 'action'>, role: Role): AccessAction | null {
  return typeof action === 'object' ? (action?.[role] ?? null) : action
}

/** Names a request, so that its reply finds it. */
export const requestId = z.uint32()
/** Renditions of one publication. */
export const renditionIds = z.array(RenditionId).max(MAX_RENDITIONS)

/** What a line may be said to carry, in bits per second. What is outside is no line that media can use, or no claim to believe. */
export const LINE_RATE_LIMITS = { min: 100_000, max: 10_000_000_000 } as const

/** A rate that somebody claims or estimates for a line. */
export const LineRate = z.int().min(LINE_RATE_LIMITS.min).max(LINE_RATE_LIMITS.max)

/** Milliseconds since the epoch, on some machine's clock: 0 to the end of what a JavaScript date can say. */
export const epochMillis = z.number().min(0).max(8.64e15)

/** A failure as it crosses the wire: a code for programs and a sentence for people. */
export const WireFault = z.strictObject({ code: z.enum(FAULT_CODES), message: z.string() })
export type WireFault = z.infer<typeof WireFault>

/** A reply that says no more than that it was done. */
export const Nothing = z.strictObject({})
