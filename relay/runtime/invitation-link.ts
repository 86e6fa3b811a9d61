import { readFile } from 'node:fs/promises'
import { RelayFault } from '../wire/fault.ts'
import { SIGNALING_PATH } from '../wire/signaling.ts'

/** Where a node is, and what opens its door. The token never enters a log line. */
export interface NodeAddress {
  readonly signalingUrl: string
  /** Scheme, host and port of its HTTP side. */
  readonly origin: string
  /** Of the node, without brackets. */
  readonly host: string
  /** Whether the node is on this machine. */
  readonly isLoopback: boolean
  readonly invitation: string
}

/** Where a program's settings may hold an invitation. */
export interface InvitationSettings {
  /** The link that the node printed, or the token in it. */
  readonly invitation?: string | undefined
  readonly invitationFile?: string | undefined
  /** Origin of the node, where the invitation is a token alone. */
  readonly node?: string | undefined
}

const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
/** The shape of a compact JWS: three base64url parts. @see RFC 7515 section 7.1 */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/

const refuse = (message: string): RelayFault => new RelayFault('bad_config', message)

/**
 * Reads an invitation: the link `http(s)://host:port/#invitation=<token>`, or the token alone.
 *
 * @param node - Origin of the node, needed with a token alone and overriding the link's.
 * @throws {RelayFault} `bad_config` when it is neither; the message does not repeat it.
 */
export function parseInvitation(invitation: string, node: string | undefined): NodeAddress {
  const text = invitation.trim()
  const link = URL.canParse(text) ? new URL(text) : undefined
  const token = link === undefined ? text : new URLSearchParams(link.hash.slice(1)).get('invitation')
  if (token === null || !TOKEN.test(token)) throw refuse('the invitation is neither a link with "#invitation=" nor a token')
  const origin = node === undefined ? link : new URL(node)
  if (origin === undefined) throw refuse('--node: an invitation that is a token alone needs the address of the node')
  if (origin.protocol !== 'http:' && origin.protocol !== 'https:') throw refuse('the invitation link begins with neither http nor https')
  const scheme = origin.protocol === 'https:' ? 'wss' : 'ws'
  return {
    signalingUrl: `${scheme}://${origin.host}${SIGNALING_PATH}`,
    origin: origin.origin,
    host: origin.hostname.replace(/^\[|\]$/g, ''),
    isLoopback: LOOPBACK_HOST.test(origin.hostname),
    invitation: token,
  }
}

/**
 * Finds the invitation in the settings: given directly, or in a file.
 *
 * @throws {RelayFault} `bad_config` when there is none, or it cannot be read.
 */
export async function findInvitation(settings: InvitationSettings): Promise<NodeAddress> {
  if (settings.invitation !== undefined) return parseInvitation(settings.invitation, settings.node)
  if (settings.invitationFile === undefined) {
    throw refuse('no invitation: give --invitation-file, KENKYO_INVITATION or --invitation')
  }
  let text: string
  try {
    text = await readFile(settings.invitationFile, 'utf8')
  } catch (cause) {
    throw new RelayFault('bad_config', '--invitation-file: cannot be read', { cause })
  }
  return parseInvitation(text, settings.node)
}
