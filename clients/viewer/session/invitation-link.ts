import { Purpose } from '../../../relay/wire/access.ts'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { SIGNALING_PATH } from '../../../relay/wire/signaling.ts'

/** Where to go, and what to show at the door. */
export interface Invitation {
  readonly signalingUrl: string
  /** The signed token, unread. It never becomes part of a URL that is sent. */
  readonly token: string
  /** What it is for, where the link says so. */
  readonly purpose?: Purpose
  /** Of a person, to sign in with, where the link carries one. */
  readonly ticket?: string
}

/**
 * Reads the page's own address: `<origin>/#invitation=<token>`, on a platform also `&purpose=<purpose>` and `&ticket=<ticket>`.
 *
 * @throws {RelayFault} `bad_message` without a token; `wrong_role` for an invitation of another role, which
 *   must not be used here: joining with a microscope's would replace the microscope, and a scanner is shown nothing.
 */
export function readInvitation(address: string): Invitation {
  const url = new URL(address)
  const said = new URLSearchParams(url.hash.slice(1))
  const token = said.get('invitation') ?? ''
  if (token === '') throw new RelayFault('bad_message', 'the address carries no invitation')
  const role = claimedRole(token)
  if (role === 'microscope' || role === 'scanner') throw new RelayFault('wrong_role', `this invitation is for a ${role}`)
  const signalingUrl = new URL(SIGNALING_PATH, url.origin)
  signalingUrl.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const purpose = Purpose.safeParse(said.get('purpose'))
  const ticket = said.get('ticket') ?? ''
  return { signalingUrl: signalingUrl.href, token, ...(purpose.success ? { purpose: purpose.data } : {}), ...(ticket === '' ? {} : { ticket }) }
}

/** The role that a token claims, unverified; undefined when it cannot be read. @see RFC 7519 section 3 */
function claimedRole(token: string): unknown {
  const payload = token.split('.')[1]
  if (payload === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    return typeof claims === 'object' && claims !== null && 'role' in claims ? claims.role : undefined
  } catch {
    // Not for this side to judge: the node refuses what it cannot verify.
    return undefined
  }
}
