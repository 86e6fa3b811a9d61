import { RelayFault } from '../../../relay/wire/fault.ts'
import { AccessStanding, GrantAnswer } from '../../../relay/wire/grant.ts'
import { millis } from '../../../relay/wire/units.ts'
import { fetchFromNode } from './node-fetch.ts'
import type { z } from 'zod'
import type { AccessAction } from '../../../relay/wire/access.ts'
import type { GrantRequest } from '../../../relay/wire/grant.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { NodeRequest } from './node-fetch.ts'

/** The page's key, which tokens are bound to: `DpopKey` is one. */
export interface ProofKey {
  /** SHA-256 of its public half, base64url. */
  readonly thumbprint: string
  /** A proof for one request; it counts once. */
  proof(method: string, url: string, accessToken?: string): Promise<string>
  /** Proofs carry the node's time from here on, in milliseconds since the epoch. */
  followClock(nodeNowMillis: number): void
}

/** What was granted. Times are in milliseconds since the epoch on the page's clock, which need not be the node's. */
export interface Granted {
  readonly token: string
  readonly actions: readonly AccessAction[]
  /** What is left of it; never more than there is. */
  readonly lifetime: Millis
  readonly validUntilMillis: number
  /** When the emergency is over; null without one. */
  readonly emergencyUntilMillis: number | null
}

/** The node's date is cut to the second. @see RFC 9110 section 6.6.1 */
const DATE_RESOLUTION_MILLIS = 1000

/** Asks a node for grants. See `docs/ACCESS.md`. */
export class GrantClient {
  readonly #origin: string

  /** @param origin - Of the node. */
  constructor(origin: string) {
    this.#origin = origin
  }

  /** How the node lets members in. @throws {RelayFault} `unavailable`, `bad_message`. */
  async standing(): Promise<AccessStanding> {
    return parsed(AccessStanding, await fetchFromNode(this.url('/access'), {}))
  }

  /** @throws {RelayFault} The node's code; `unavailable`, `bad_message`. */
  ask(key: ProofKey, signInToken: string, asked: z.input<typeof GrantRequest>): Promise<Granted> {
    return this.#granted(key, '/access/grants', signInToken, { body: JSON.stringify(asked), headers: { 'content-type': 'application/json' } })
  }

  /** As {@link ask}, with the grant's own token. */
  renew(key: ProofKey, token: string): Promise<Granted> {
    return this.#granted(key, '/access/grants/renew', token, {})
  }

  /** A request with a token and the proof that it is this page's. @throws {RelayFault} as `fetchFromNode`. @see RFC 9449 section 7.1 */
  async fetchAs(key: ProofKey, token: string, path: string, init: NodeRequest): Promise<Response> {
    const url = this.url(path)
    const proof = await key.proof(init.method ?? 'GET', url, token)
    return fetchFromNode(url, { ...init, headers: { ...init.headers, authorization: `DPoP ${token}`, dpop: proof } }, answer => key.followClock(dateOf(answer)))
  }

  /** A request with an invitation, on a node that stands alone. @throws {RelayFault} as `fetchFromNode`. @see RFC 6750 section 2.1 */
  fetchInvited(invitation: string, path: string, init: NodeRequest): Promise<Response> {
    return fetchFromNode(this.url(path), { ...init, headers: { ...init.headers, authorization: `Bearer ${invitation}` } })
  }

  url(path: string): string {
    return `${this.#origin}${path}`
  }

  async #granted(key: ProofKey, path: string, token: string, init: NodeRequest): Promise<Granted> {
    const answer = await this.fetchAs(key, token, path, { ...init, method: 'POST' })
    const { token: given, actions, validUntilMillis, emergencyUntilMillis } = await parsed(GrantAnswer, answer)
    const nodeNow = dateOf(answer) + DATE_RESOLUTION_MILLIS
    const onPage = (nodeMillis: number): number => Date.now() + nodeMillis - nodeNow
    return {
      token: given,
      actions,
      lifetime: millis(Math.max(0, validUntilMillis - nodeNow)),
      validUntilMillis: onPage(validUntilMillis),
      emergencyUntilMillis: emergencyUntilMillis === null ? null : onPage(emergencyUntilMillis),
    }
  }
}

/** The node's clock when it answered; the page's where it does not say. */
function dateOf({ headers }: Response): number {
  const date = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(date) ? Date.now() : date
}

async function parsed<Schema extends z.ZodType>(schema: Schema, answer: Response): Promise<z.infer<Schema>> {
  const result = schema.safeParse(await answer.json().catch(() => undefined))
  if (!result.success) throw new RelayFault('bad_message', 'the node answered with something else', { cause: result.error })
  return result.data
}
