import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import { SIGNALING_PATH } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import { GrantTerm, recoveryOf } from './grant-term.ts'
import type { EmergencyReason, Purpose } from '../../../relay/wire/access.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { GrantClient, Granted, ProofKey } from './grant-client.ts'
import type { Recovery } from './grant-term.ts'
import type { GrantKeeper } from './kept-grant.ts'
import type { AuthorizedFetch } from './node-fetch.ts'
import type { SignInSource } from './sign-in-source.ts'

/** What a session joins with. */
export interface Entry {
  readonly invitation: string
  readonly proof?: string
}

/** What a grant permits, and for how long. */
export type HeldGrant = Pick<Granted, 'actions' | 'validUntilMillis' | 'emergencyUntilMillis'> & { readonly purpose: Purpose }

/** What a {@link GrantSession} stands on. */
export interface GrantSessionOptions {
  readonly client: Pick<GrantClient, 'standing' | 'ask' | 'renew' | 'fetchAs' | 'fetchInvited' | 'url'>
  /** From the link. */
  readonly invitation: string
  /** Asked for on a platform only. @throws {RelayFault} `bad_config` where the browser has no keys for this page. */
  readonly openKey: () => Promise<ProofKey>
  readonly signIn: (key: ProofKey) => SignInSource
  /** What the person wants it for. */
  readonly askPurpose: () => Promise<Purpose>
  /** There is a grant, or it was renewed; never on a node that stands alone. */
  readonly onGranted: (grant: HeldGrant) => void
  readonly keeper: GrantKeeper
}

interface Held {
  token: string
  readonly purpose: Purpose
  readonly term: GrantTerm
}

/** Of a token that ran out or that the node forgot, or of a proof by a wrong clock. */
const STALE: ReadonlySet<FaultCode> = new Set(['invitation_expired', 'token_refused', 'replayed'])
const monotonic = (): Millis => millis(performance.now())

/**
 * What lets the page in, over all its sessions: the invitation on a node that stands alone; on a platform a grant,
 * which is asked for as whoever signed in, renewed while the page is open, and proven to be this page's each time.
 */
export class GrantSession {
  readonly #options: GrantSessionOptions
  /** Resolves to undefined on a node that stands alone. */
  #key: Promise<ProofKey | undefined> | undefined
  #isPlatform = false
  #purpose: Promise<Purpose> | undefined
  #emergency: EmergencyReason | undefined
  #held: Held | undefined
  #asking: Promise<Held> | undefined
  #renewing: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #wasUsed = false
  /** Why there is no access any more. */
  #over: RelayFault | undefined

  constructor(options: GrantSessionOptions) {
    this.#options = options
  }

  /** Whether the node asked for more than an invitation; false before it is known. */
  get isPlatform(): boolean {
    return this.#isPlatform
  }

  /**
   * What to join with; asks the person whatever that takes.
   *
   * @throws {RelayFault} The node's code; `unavailable` when it cannot be reached; as `SignInSource.signIn`.
   */
  async entry(): Promise<Entry> {
    const key = await this.#open()
    this.#over = undefined
    if (key === undefined) return { invitation: this.#options.invitation }
    const { token } = await this.#hold(key)
    return { invitation: token, proof: await key.proof('GET', this.#options.client.url(SIGNALING_PATH), token) }
  }

  /** The node let the page in. */
  entered(): void {
    this.#wasUsed = true
  }

  /** The node refused what was entered with, or ended it. @returns What to do. */
  refused(fault: RelayFault): Recovery {
    const recovery = recoveryOf(fault.code, { isPlatform: this.#isPlatform, wasUsed: this.#wasUsed })
    if (recovery === 'try_again') return recovery
    this.#drop()
    // Whoever still needs what an emergency stood in for says so again.
    this.#emergency = undefined
    if (recovery === 'give_up') this.#over = fault
    return recovery
  }

  /**
   * Asks for a grant for which a missing consent is not waited for, in place of the one there is.
   *
   * @throws {RelayFault} As {@link entry}; then all is as it was.
   */
  async breakGlass(reason: EmergencyReason): Promise<void> {
    const key = await this.#open()
    if (key === undefined) throw new RelayFault('wrong_state', 'on this node invitations suffice')
    const before = this.#emergency
    this.#emergency = reason
    try {
      const held = await this.#ask(key)
      this.#adopt(key, held)
      this.#over = undefined
    } catch (error) {
      this.#emergency = before
      throw error
    }
  }

  /** What the node does not take for the page's is asked once more, with what was renewed. */
  readonly authorizedFetch: AuthorizedFetch = async (path, init = {}) => {
    const { client, invitation } = this.#options
    const key = await this.#open()
    if (this.#over !== undefined) throw this.#over
    if (key === undefined) return client.fetchInvited(invitation, path, init)
    const held = await this.#hold(key)
    const { token } = held
    try {
      return await client.fetchAs(key, token, path, init)
    } catch (error) {
      if (!STALE.has(toFault(error).code)) throw error
      if (this.#held === held && held.token === token) await this.#renew(key, held)
      return client.fetchAs(key, (await this.#hold(key)).token, path, init)
    }
  }

  /** Renews nothing any more. Idempotent. */
  close(): void {
    clearTimeout(this.#timer)
  }

  #open(): Promise<ProofKey | undefined> {
    return (this.#key ??= this.#look().catch((error: unknown) => {
      // The node was out of reach: the next time may do better.
      this.#key = undefined
      throw error
    }))
  }

  async #look(): Promise<ProofKey | undefined> {
    const { mode, nowMillis } = await this.#options.client.standing()
    this.#isPlatform = mode === 'platform'
    if (!this.#isPlatform) return undefined
    const key = await this.#options.openKey()
    key.followClock(nowMillis)
    return key
  }

  /** The grant there is; else one that is asked for, once for all who wait for it. */
  #hold(key: ProofKey): Promise<Held> {
    if (this.#held?.term.isOver(monotonic()) === false) return Promise.resolve(this.#held)
    return (this.#asking ??= this.#begin(key)
      .then(held => this.#adopt(key, held))
      .finally(() => (this.#asking = undefined)))
  }

  /** With what the page had before it was reloaded; else anew. */
  async #begin(key: ProofKey): Promise<Held> {
    const { keeper, invitation, client } = this.#options
    const kept = this.#emergency === undefined ? keeper.recall(invitation) : undefined
    if (kept === undefined) return this.#ask(key)
    try {
      return this.#took(await client.renew(key, kept.token), kept.purpose)
    } catch (error) {
      if (toFault(error).code === 'unavailable') throw error
      // The page was closed for longer than that held.
      keeper.forget()
      return this.#ask(key)
    }
  }

  async #ask(key: ProofKey): Promise<Held> {
    const { invitation, client, signIn, askPurpose } = this.#options
    const purpose = await (this.#purpose ??= askPurpose())
    const emergency = this.#emergency === undefined ? {} : { isEmergency: true, emergencyReason: this.#emergency }
    return this.#took(await client.ask(key, await signIn(key).signIn(), { invitation, purpose, ...emergency }), purpose)
  }

  #took(granted: Granted, purpose: Purpose): Held {
    this.#options.onGranted({ ...granted, purpose })
    return { token: granted.token, purpose, term: new GrantTerm(granted.lifetime, monotonic()) }
  }

  #adopt(key: ProofKey, held: Held): Held {
    this.#held = held
    this.#wasUsed = false
    this.#purpose = Promise.resolve(held.purpose)
    this.#keep(held)
    this.#watch(key, held)
    return held
  }

  #keep({ token, purpose }: Held): void {
    this.#options.keeper.keep({ invitation: this.#options.invitation, token, purpose })
  }

  #drop(): void {
    clearTimeout(this.#timer)
    this.#held = undefined
    this.#wasUsed = false
    this.#options.keeper.forget()
  }

  /** Renews it in time, for as long as it is the one that is held. */
  #watch(key: ProofKey, held: Held): void {
    if (this.#held !== held) return
    clearTimeout(this.#timer)
    const { isToRenew, wakeAt } = held.term.step(monotonic())
    if (isToRenew) void this.#renew(key, held)
    else if (wakeAt !== undefined) this.#timer = setTimeout(() => this.#watch(key, held), Math.max(0, wakeAt - performance.now()) + 1)
  }

  #renew(key: ProofKey, held: Held): Promise<void> {
    return (this.#renewing ??= this.#renewOnce(key, held).finally(() => (this.#renewing = undefined)))
  }

  /** Never rejects: where it is refused for good, the node ends what goes on by it and says why there. */
  async #renewOnce(key: ProofKey, held: Held): Promise<void> {
    try {
      const granted = await this.#options.client.renew(key, held.token)
      held.token = granted.token
      held.term.renewed(granted.lifetime, monotonic())
      if (this.#held !== held) return
      this.#keep(held)
      this.#options.onGranted({ ...granted, purpose: held.purpose })
    } catch (error) {
      const isTriedAgain = held.term.failed(toFault(error).code, monotonic())
      if (!isTriedAgain && this.#held === held) this.#options.keeper.forget()
    }
    this.#watch(key, held)
  }
}
