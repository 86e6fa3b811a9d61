import { systemClock } from '../../relay/runtime/clock.ts'
import { SignInDesk } from './sign-in-desk.ts'
import { SignInDoor } from './sign-in-door.ts'
import { SignInLimiter } from './sign-in-limiter.ts'
import type { SignInTokens } from '../../relay/access/practitioners/sign-in-tokens.ts'
import type { RegistryView } from '../../relay/access/registry/registry.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AuditLog } from '../../relay/wire/audit-event.ts'
import type { SignInWays } from '../../relay/wire/sign-in.ts'
import type { NodeConfig } from '../config.ts'

/** What {@link NodeSignIn} stands on. */
export interface NodeSignInOptions {
  readonly config: NodeConfig
  readonly registry: RegistryView
  readonly tokens: SignInTokens
  readonly audit: AuditLog
  /** Where browsers reach this node. */
  readonly origin: () => string
  readonly log: Logger
}

/** How people sign in at a node of a platform. Owns the listener for cards. */
export class NodeSignIn implements AsyncDisposable {
  readonly #options: NodeSignInOptions
  readonly #desk: SignInDesk
  readonly #limiter = new SignInLimiter(systemClock.now())
  #door: SignInDoor | undefined

  constructor(options: NodeSignInOptions) {
    this.#options = options
    this.#desk = new SignInDesk(options)
  }

  /** By what people can sign in. */
  get ways(): SignInWays {
    return { cardOrigin: this.#door?.origin ?? null, hasPasskeys: false, isDemonstration: false }
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
  }
}
