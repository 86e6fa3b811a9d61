/** The check before the case: what it asks of the node, and what the node keeps of it. */
import { z } from 'zod'
import { TransportId } from '../ids.ts'
import { PREFLIGHT_ENDS, PREFLIGHT_LIMITS, PreflightResults } from '../preflight.ts'
import { RtpCapabilities, RtpParameters } from '../webrtc.ts'
import { epochMillis, Nothing, requestId, WATCHING_ROLES } from './protocol.ts'
import type { RequestDeclaration } from './protocol.ts'

const { loadBitsPerSecond, loadSeconds } = PREFLIGHT_LIMITS

/** Viewer, technician: how the node is. */
export const ReadPreflight = z.strictObject({ type: z.literal('readPreflight'), requestId })

/** Viewer, technician: send me so much on my transport, as video comes, for so long. It carries no picture. */
export const LoadTransport = z.strictObject({
  type: z.literal('loadTransport'),
  requestId,
  transportId: TransportId,
  rtpCapabilities: RtpCapabilities,
  bitsPerSecond: z.int().min(loadBitsPerSecond.min).max(loadBitsPerSecond.max),
  seconds: z.number().min(loadSeconds.min).max(loadSeconds.max),
})

/** Viewer, technician: what the check at this end found. The last one of each member is kept. */
export const ReportPreflight = z.strictObject({
  type: z.literal('reportPreflight'),
  requestId,
  end: z.enum(PREFLIGHT_ENDS),
  results: PreflightResults,
})

/** What the check before the case asks. */
export const PREFLIGHT_REQUESTS = {
  readPreflight: {
    schema: ReadPreflight,
    reply: z.strictObject({
      /** Where the node keeps stills and recordings; null where it cannot tell. */
      diskFreeBytes: z.number().min(0).nullable(),
      nodeTimeMillis: epochMillis,
    }),
    askedBy: WATCHING_ROLES,
    action: null,
  },
  loadTransport: {
    schema: LoadTransport,
    reply: z.strictObject({ consumerId: z.string().max(64), producerId: z.string().max(64), rtpParameters: RtpParameters }),
    askedBy: WATCHING_ROLES,
    action: null,
  },
  reportPreflight: { schema: ReportPreflight, reply: Nothing, askedBy: WATCHING_ROLES, action: null },
} as const satisfies Record<string, RequestDeclaration>
