import { z } from 'zod'
import { AdmissionRefusal, AdmissionShortage } from '../../../relay/wire/admission.ts'
import { FAULT_CODES, RelayFault } from '../../../relay/wire/fault.ts'

const Refusal = z.object({ code: z.enum(FAULT_CODES), shortage: AdmissionShortage.optional() })

/** Asks the node by HTTP as whoever is let in. A token never becomes part of a URL. */
export interface AuthorizedFetch {
  /**
   * @param path - On the node, from `/` on.
   * @throws {RelayFault} The node's code; `unavailable` when it cannot be reached, or the request was aborted.
   */
  (path: string, init?: NodeRequest): Promise<Response>
}

/** What may be said of such a request. A body can be sent twice: a stream could not. */
export interface NodeRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Blob
  readonly signal?: AbortSignal
  /** Whether a client certificate is shown to another origin. */
  readonly credentials?: 'include'
}

/**
 * One request and its answer, which is a good one.
 *
 * @param onAnswer - Sees every answer, refusals too.
 * @throws {RelayFault} The node's code; `unavailable` when it cannot be reached, or the request was aborted.
 */
export async function fetchFromNode(url: string, init: NodeRequest, onAnswer?: (answer: Response) => void): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(url, init)
  } catch (cause) {
    throw new RelayFault('unavailable', 'the node cannot be reached', { cause })
  }
  onAnswer?.(answer)
  if (answer.ok) return answer
  const refusal = Refusal.safeParse(await answer.json().catch(() => undefined))
  if (refusal.success && refusal.data.shortage !== undefined) throw new AdmissionRefusal(refusal.data.shortage)
  throw new RelayFault(refusal.success ? refusal.data.code : answer.status === 404 ? 'not_found' : 'unavailable', 'the node refused')
}
