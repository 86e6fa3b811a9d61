import { systemClock } from '../../relay/runtime/clock.ts'
import { PasskeyStore } from '../../relay/access/practitioners/passkey-store.ts'
import { Passkeys } from '../../relay/access/practitioners/passkeys.ts'
import { SignInTickets } from '../../relay/access/practitioners/sign-in-tickets.ts'
import { SignInDesk } from './sign-in-desk.ts'
import { SignInDoor } from './sign-in-door.ts'
import { SignInLimiter } from './sign-in-limiter.ts'
import { SignInRoutes } from './sign-in-routes.ts'
import type { FastifyInstance } from 'fastify'
import type { JWK } from 'jose'
import type { SignInTokens } from '../../relay/access/practitioners/sign-in-tokens.ts'
import type { RegistryView } from '../../relay/access/registry/registry.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AuditLog } from '../../relay/wire/audit-event.ts'
import type { SignInWays } from '../../relay/wire/sign-in.ts'
import type { NodeConfig } from '../config.ts'

/** What {@link NodeSignIn} stands on. */
export interface NodeSignInOptions {
  readonly config: NodeConfig
  /** The node's own, Ed25519: signs tickets. */
  readonly key: JWK
  readonly registry: RegistryView
  readonly tokens: SignInTokens
  readonly audit: AuditLog
  /** Where browsers reach this node. */
  readonly origin: () => string
  readonly log: Logger
}

/** How people sign in at a node of a platform. Owns the listener for cards and the store of passkeys. */
export class NodeSignIn implements AsyncDisposable {
  readonly #options: NodeSignInOptions
  readonly #desk: SignInDesk
  readonly #limiter = new SignInLimiter(systemClock.now())
  readonly #tickets: SignInTickets
  readonly #store: PasskeyStore
  readonly #passkeys: Passkeys
  #door: SignInDoor | undefined

  private constructor(options: NodeSignInOptions, tickets: SignInTickets, store: PasskeyStore) {
    this.#options = options
    this.#tickets = tickets
    this.#store = store
    this.#desk = new SignInDesk(options)
    this.#passkeys = new Passkeys({ ...options, store })
  }

  /** @throws {RelayFault} `bad_config` for a key or a store that cannot be used. */
  static async open(options: NodeSignInOptions): Promise<NodeSignIn> {
    const { config, key, log } = options
    if (config.allowTicketSignIn) log.warn('DEMONSTRATION: whoever holds a ticket is let in as the person that it names, as often as they like')
    return new NodeSignIn(options, await SignInTickets.open(key), new PasskeyStore(config.stateDir))
  }

  /** By what people can sign in. */
  get ways(): SignInWays {
    return { cardOrigin: this.#door?.origin ?? null, hasPasskeys: this.#passkeys.isPossible, isDemonstration: this.#options.config.allowTicketSignIn }
  }

  /** Adds the routes of passkeys and tickets to the node's server. */
  addTo(app: FastifyInstance): void {
    const { config, log } = this.#options
    new SignInRoutes({ desk: this.#desk, limiter: this.#limiter, tickets: this.#tickets, passkeys: this.#passkeys, isDemonstration: config.allowTicketSignIn, log }).addTo(app)
  }

  /** Opens the listener for cards, where there is to be one. @throws {RelayFault} `bad_config`, `address_in_use`. */
  async openDoor(): Promise<void> {
    const { config, registry, origin, log } = this.#options
    const { signInListenPort: port, signInCaFile: caFile, signInCrlFile: crlFile, tlsCertFile: certFile, tlsKeyFile: keyFile } = config
    if (port === undefined || caFile === undefined || certFile === undefined || keyFile === undefined) return
    this.#door = await SignInDoor.open({
      host: config.listenHost, port, publicOrigin: config.signInPublicOrigin, certFile, keyFile, caFile, crlFile,
      pageOrigin: origin(), registry, desk: this.#desk, limiter: this.#limiter, log,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door?.close()
    this.#store[Symbol.dispose]()
  }
}
