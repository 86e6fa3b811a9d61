import { z } from 'zod'
import { AdmissionRefusal } from '../../relay/wire/admission.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { Sha256, SlideId } from '../../relay/wire/ids.ts'
import { SLIDE_LIMITS } from '../../relay/wire/slide.ts'
import { HTTP_STATUS } from '../http-status.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { FastifyInstance } from 'fastify'

/** HTTP status of a refusal, by its code. Any other is 500. */
export const SLIDE_STATUS: Partial<Record<FaultCode, number>> = {
  ...HTTP_STATUS,
  hash_mismatch: 422,
  bad_slide: 422,
  unsupported_slide: 422,
  signature_refused: 422,
  timeout: 504,
  quota_exceeded: 507,
  storage_full: 507,
}

const whole = z.stringFormat('whole number', /^(0|[1-9]\d{0,14})$/).transform(Number)

/** Parts of the paths, as they are parsed. */
export const PathPart = {
  slideId: SlideId,
  sha256: Sha256,
  level: whole.pipe(z.int().max(SLIDE_LIMITS.levels - 1)),
  column: whole.pipe(z.int().max(SLIDE_LIMITS.side)),
  row: whole.pipe(z.int().max(SLIDE_LIMITS.side)),
  /** Of a query: a serial. */
  after: whole,
} as const

/** @throws {RelayFault} `bad_message`. What was wrong is not repeated: it may be anything. */
export function parsePart<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new RelayFault('bad_message', 'the request is not of the form that it should have', { cause: parsed.error })
  return parsed.data
}

/** Answers refusals of these routes with `{ code }` and its status; where a line is too narrow, with what would fit. */
export function refuseByCode(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    // fastify's own refusals of a body: too long, another type, not JSON.
    const isClients = !(error instanceof RelayFault) && error.statusCode !== undefined && error.statusCode < 500
    const fault = isClients ? new RelayFault('bad_message', 'refused by the server') : toFault(error)
    const { code } = fault
    const status = isClients ? (error.statusCode ?? 400) : (SLIDE_STATUS[code] ?? 500)
    if (status === 500) log.error({ err: error, method: request.method }, 'slide request failed')
    if (status === 401) void reply.header('www-authenticate', 'Bearer')
    if (status === 503) void reply.header('retry-after', '1')
    return reply.code(status).header('cache-control', 'no-store').send(fault instanceof AdmissionRefusal ? { code, message: fault.message, shortage: fault.shortage } : { code })
  })
}
