import { RelayFault, toFault } from '../wire/fault.ts'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../runtime/log.ts'
import type { FaultCode } from '../wire/fault.ts'

/** HTTP status of what the core refuses, by code; any other is 500. @see RFC 9110 section 15 */
const STATUS: Partial<Record<FaultCode, number>> = {
  bad_message: 400, sign_in_required: 401, token_refused: 401, certificate_refused: 403, access_revoked: 403, policy_refused: 403, registry_refused: 403,
  not_found: 404, conflict: 409, consent_refused: 422, not_recorded: 503, unavailable: 503, overloaded: 503,
}

/** Makes a server of the core answer refusals by code. What is no refusal is logged. @param own - Statuses that differ at this door. */
export function refuseByCode(app: FastifyInstance, log: Logger, own: Partial<Record<FaultCode, number>> = {}): void {
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const { code, message } = error instanceof RelayFault || error.statusCode === undefined ? toFault(error) : new RelayFault('bad_message', 'the request cannot be read')
    const status = own[code] ?? STATUS[code] ?? 500
    if (status >= 500) log.error({ err: error }, 'a request to the core failed')
    return reply.code(status).header('cache-control', 'no-store').send({ code, message })
  })
}
