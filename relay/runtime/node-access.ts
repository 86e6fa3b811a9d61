import { Agent } from 'node:https'
import { z } from 'zod'
import { Purpose } from '../wire/access.ts'
import { FINAL_ACCESS_FAULTS, RelayFault } from '../wire/fault.ts'
import { flag } from './config.ts'
import { findInvitation } from './invitation-link.ts'
import { KeptGrant } from './kept-grant.ts'
import { TlsFiles } from './tls-files.ts'
import type { MediaLevels } from '../wire/admission.ts'
import type { FaultCode } from '../wire/fault.ts'
import type { InvitationSettings, NodeAddress } from './invitation-link.ts'
import type { Entry } from './kept-grant.ts'
import type { TlsFileNames } from './tls-files.ts'

/** The settings of a program that enters a node. */
export const EntrySettings = z.strictObject({
  /** The link that the node printed, or the token in it. */
  invitation: z.string().min(1).max(8192).optional(),
  invitationFile: z.string().min(1).optional(),
  /** Origin of the node, where the invitation is a token alone, or of its door for members. */
  node: z.url({ protocol: /^https?$/ }).optional(),
  /** The program's certificate of a platform's CA, with its key: PEM files, read anew when they are replaced. */
  certFile: z.string().min(1).optional(),
  keyFile: z.string().min(1).optional(),
  /** Certificates to trust instead of the usual ones, a PEM file. */
  caFile: z.string().min(1).optional(),
  /** What a grant is asked for. */
  purpose: Purpose.default('consultation'),
  /** The glass is broken: a grant is asked for although a consent is missing. */
  emergency: flag().default(false),
})
export type EntrySettings = z.infer<typeof EntrySettings>

/** Everything that it takes to enter a node; plain, so that it can be handed to a thread. */
export interface NodeAccessOptions {
  readonly address: NodeAddress
  readonly files?: TlsFileNames | undefined
  readonly purpose?: Purpose | undefined
  readonly isEmergency?: boolean | undefined
}

/** Refusals that a new grant may cure. */
const CURABLE: ReadonlySet<FaultCode> = new Set(FINAL_ACCESS_FAULTS)

/** Finds the invitation, and what else is needed, in a program's settings. @throws {RelayFault} `bad_config`. */
export async function findAccess(settings: InvitationSettings & TlsFileNames & { readonly purpose?: Purpose | undefined; readonly emergency?: boolean | undefined }): Promise<NodeAccessOptions> {
  const { certFile, keyFile, caFile, purpose, emergency } = settings
  return { address: await findInvitation(settings), files: { certFile, keyFile, caFile }, purpose, isEmergency: emergency }
}

/**
 * How a program enters a node: with the invitation alone; or, where it has a certificate of the node's platform, with
 * grants that it asks for with both, renews while it is inside, and asks for anew when one holds no longer.
 */
export class NodeAccess {
  readonly address: NodeAddress
  readonly #options: NodeAccessOptions
  readonly #files: TlsFiles
  readonly #agent: Agent | false
  #levels: MediaLevels | undefined
  #current: KeptGrant | undefined
  #asking: Promise<KeptGrant> | undefined

  /**
   * @param proxyEnvironment - `HTTPS_PROXY` and such, where the program goes by them.
   * @throws {RelayFault} `bad_config` for files that cannot be used, or a certificate without TLS.
   */
  constructor(options: NodeAccessOptions, proxyEnvironment?: NodeJS.ProcessEnv) {
    this.address = options.address
    this.#options = options
    this.#files = new TlsFiles(options.files ?? {})
    this.#agent = proxyEnvironment === undefined ? false : new Agent({ proxyEnv: proxyEnvironment })
    const { cert } = this.#files.read()
    if (cert !== undefined && !this.address.origin.startsWith('https:')) throw new RelayFault('bad_config', 'a certificate is shown over https alone: name the node\'s door for members with --node')
  }

  /** What opens the door for one request. @throws {RelayFault} why nothing does: the node's own code, `unavailable`, `timeout`; the signal's reason. */
  async entry(signal: AbortSignal): Promise<Entry> {
    signal.throwIfAborted()
    const tls = this.#files.read()
    if (tls.cert === undefined) return { token: this.address.invitation, tls, accepted: () => undefined }
    return this.#grant(signal)
  }

  /** What opens the door for a stay, kept good until disposed of. @throws {RelayFault} as {@link entry}. */
  async enter(signal: AbortSignal): Promise<Entry & Disposable> {
    const entry = await this.entry(signal)
    const held = entry instanceof KeptGrant ? entry.hold() : undefined
    return {
      get token() {
        return entry.token
      },
      tls: entry.tls,
      accepted: () => entry.accepted(),
      [Symbol.dispose]: () => held?.[Symbol.dispose](),
    }
  }

  /**
   * Hears that the node refused what was shown, or ended what it had let in.
   *
   * @returns Whether something else can be shown: never an invitation, nor after a grant that opened no door.
   */
  refused({ token }: Pick<Entry, 'token'>, { code }: RelayFault): boolean {
    if (!CURABLE.has(code) || this.#files.read().cert === undefined) return false
    const grant = this.#current
    if (grant === undefined || grant.token !== token) return true
    this.#current = undefined
    return grant.wasAccepted
  }

  /** What grants are asked for from then on to reserve on a link. */
  shallSend(levels: MediaLevels): void {
    this.#levels = levels
  }

  async #grant(signal: AbortSignal): Promise<KeptGrant> {
    const grant = this.#current
    // A certificate that was renewed is shown as soon as something new begins.
    if (grant?.tls === this.#files.read() && (await until(signal, grant.freshen()))) return grant
    return until(signal, (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))))
  }

  async #ask(): Promise<KeptGrant> {
    const { purpose = 'consultation', isEmergency = false } = this.#options
    const { origin, invitation } = this.address
    const door = { origin, tls: this.#files.read(), agent: this.#agent, now: () => performance.now() }
    this.#current = await KeptGrant.ask(door, { invitation, purpose, isEmergency, ...(this.#levels === undefined ? {} : { levels: this.#levels }) })
    return this.#current
  }
}

/** Waits for it, or for the signal. @throws the signal's reason. */
async function until<Value>(signal: AbortSignal, waited: Promise<Value>): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([waited, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
