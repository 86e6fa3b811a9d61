import type { NodeUnderTest } from './node-under-test.ts'
import type { Role } from '../../relay/wire/signaling.ts'

/** Speaks HTTP with a node's WHIP and WHEP endpoints. */
export class ForeignClient {
  readonly #origin: string
  readonly #token: string

  constructor(invitation: string) {
    const url = new URL(invitation)
    this.#origin = url.origin
    this.#token = new URLSearchParams(url.hash.slice(1)).get('invitation') ?? ''
  }

  static async of(node: NodeUnderTest, role: Role, member?: string, consultation?: string): Promise<ForeignClient> {
    return new ForeignClient(await node.invite(role, { ...(member === undefined ? {} : { member }), ...(consultation === undefined ? {} : { consultation }) }))
  }

  /** With the invitation, unless `authorization` says something else. */
  fetch(path: string, { headers, ...init }: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {}): Promise<Response> {
    return fetch(new URL(path, this.#origin), { ...init, headers: { authorization: `Bearer ${this.#token}`, ...headers } })
  }

  offer(path: string, sdp: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(path, { method: 'POST', body: sdp, headers: { 'content-type': 'application/sdp', ...headers } })
  }

  patch(session: string, fragment: string, headers: Record<string, string>): Promise<Response> {
    return this.fetch(session, { method: 'PATCH', body: fragment, headers: { 'content-type': 'application/trickle-ice-sdpfrag', ...headers } })
  }
}
