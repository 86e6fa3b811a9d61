import { HTTP_STATUS } from '../http-status.ts'
import type { FaultCode, RelayFault } from '../../relay/wire/fault.ts'

/** Media type of an error's body. @see RFC 9457 */
export const PROBLEM_TYPE = 'application/problem+json'

/** An error's body. */
export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: FaultCode
}

/** HTTP status of a refusal, by its code. Any other is 500. */
const STATUS: Partial<Record<FaultCode, number>> = {
  ...HTTP_STATUS,
  unsupported_media: 422,
  worker_died: 503,
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 406: 'Not Acceptable', 409: 'Conflict', 412: 'Precondition Failed',
  413: 'Content Too Large', 415: 'Unsupported Media Type', 422: 'Unprocessable Content', 428: 'Precondition Required', 429: 'Too Many Requests', 500: 'Internal Server Error', 503: 'Service Unavailable',
}

/** Statuses of what passes by itself. */
export const PASSING: ReadonlySet<number> = new Set([409, 429, 503])

/**
 * A refusal as HTTP tells it.
 *
 * @param status - Where HTTP is more exact than the code.
 */
export function problemOf({ code, message }: RelayFault, status = STATUS[code] ?? 500): Problem {
  return { type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail: message, code }
}
