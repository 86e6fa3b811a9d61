import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import type { IceServer } from '../../relay/wire/webrtc.ts'

/** Credentials are good for no longer than this, however long an invitation is. */
const LONGEST_LIFETIME_SECONDS = 86_400
/** Shorter secrets can be guessed from credentials, which every member sees. */
const SHORTEST_SECRET = 16

/** Who may use a relay, and until when. */
export interface RelayUser {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
  /** When the member's invitation ends, in milliseconds since the epoch. */
  readonly validUntilMillis: number
}

/**
 * The relays that members may reach this node by where nothing else passes, and credentials for them that a
 * TURN server checks with nothing but the shared secret.
 *
 * @see RFC 8656 (TURN); draft-uberti-behave-turn-rest-00; turnserver(1), `use-auth-secret`
 */
export class TurnRelays {
  readonly #urls: readonly string[]
  readonly #secret: string

  constructor(urls: readonly string[], secret: string) {
    this.#urls = urls
    this.#secret = secret
  }

  /** @throws {RelayFault} `bad_config` for a secret that cannot be read or is too short. */
  static open(urls: readonly string[] | undefined, secretFile: string | undefined): TurnRelays {
    if (urls === undefined || secretFile === undefined) return new TurnRelays([], '')
    return new TurnRelays(urls, readSecret(secretFile))
  }

  /**
   * For one member; empty without relays. The user's name says nothing about who it is to whoever does not know
   * the secret: a relay writes it down.
   *
   * @param nowMillis - Milliseconds since the epoch.
   */
  iceServersFor({ consultationId, memberId, validUntilMillis }: RelayUser, nowMillis: number): IceServer[] {
    if (this.#urls.length === 0) return []
    const expiry = Math.floor(Math.min(validUntilMillis / 1000, nowMillis / 1000 + LONGEST_LIFETIME_SECONDS))
    const pseudonym = createHmac('sha256', createHash('sha256').update(`kenkyo ${this.#secret}`).digest()).update(`${consultationId}/${memberId}`).digest('base64url').slice(0, 16)
    const username = `${expiry}:${pseudonym}`
    // SHA-1 is what TURN servers check; as a MAC it is not known to be broken. @see RFC 6151 section 2.3
    const credential = createHmac('sha1', this.#secret).update(username).digest('base64')
    return [{ urls: [...this.#urls], username, credential }]
  }
}

function readSecret(file: string): string {
  let secret: string
  try {
    secret = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new RelayFault('bad_config', 'turnSecretFile cannot be read', { cause })
  }
  if (secret.length < SHORTEST_SECRET) throw new RelayFault('bad_config', `turnSecretFile: a secret has at least ${SHORTEST_SECRET} characters`)
  return secret
}
