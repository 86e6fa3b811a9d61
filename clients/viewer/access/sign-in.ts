import { signal } from '@preact/signals'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { SignInAnswer, SignInWays } from '../../../relay/wire/sign-in.ts'
import type { GrantClient, ProofKey } from './grant-client.ts'
import type { SignInKeeper } from './kept-sign-in.ts'
import type { SignInClient } from './sign-in-client.ts'
import type { SignInSource } from './sign-in-source.ts'

/** A token with less than this left is not used any more. */
const SPARE_MILLIS = 15_000

/** One way of signing in. */
export type SignInWay = { readonly by: 'passkey' | 'card' } | { readonly by: 'new_passkey' | 'ticket'; readonly ticket: string }

/** What a person is asked. */
export interface SignInQuestion {
  readonly ways: SignInWays
  /** From the link. */
  readonly ticket: string | null
  /** The node, or the key, is being waited for. */
  readonly isBusy: boolean
  /** Why the last try failed. */
  readonly fault: RelayFault | null
}

/** What {@link SignIn} stands on. */
export interface SignInOptions {
  readonly node: Pick<GrantClient, 'standing'>
  readonly client: Pick<SignInClient, 'byTicket' | 'byPasskey' | 'byNewPasskey' | 'byCard'>
  /** From the link. */
  readonly ticket: string | null
  readonly keeper: SignInKeeper
}

/** Who uses this page, and how that is found out. */
export class SignIn {
  /** Null while nobody is asked. */
  readonly question = signal<SignInQuestion | null>(null)
  /** Whoever signed in last; their token may have run out. */
  readonly person = signal<SignInAnswer | null>(null)
  readonly #options: SignInOptions
  #answer: ((way: SignInWay | undefined) => void) | undefined

  constructor(options: SignInOptions) {
    this.#options = options
    this.person.value = this.#kept?.answer ?? null
  }

  /** Signs in with this page's key. */
  source(key: ProofKey): SignInSource {
    return { signIn: () => this.#signIn(key) }
  }

  /** The person chose. */
  choose(way: SignInWay): void {
    this.#answer?.(way)
  }

  /** The person does not want to. */
  giveUp(): void {
    this.#answer?.(undefined)
  }

  /** Forgets who used this page; it asks the next time. */
  signOut(): void {
    this.person.value = null
    this.#options.keeper.keep({ thumbprint: '', ticket: this.#options.ticket, answer: null })
  }

  async #signIn(key: ProofKey): Promise<string> {
    const kept = this.#kept
    const { people: ways, nowMillis } = await this.#options.node.standing()
    key.followClock(nowMillis)
    if (kept?.answer != null && kept.thumbprint === key.thumbprint && kept.answer.validUntilMillis - nowMillis > SPARE_MILLIS) return kept.answer.token
    if (ways === null) throw new RelayFault('sign_in_required', 'people do not sign in at this node')
    const { ticket } = this.#options
    const isSignedOut = kept?.answer === null
    const first = ways.isDemonstration && ticket !== null && !isSignedOut ? ({ by: 'ticket', ticket } as const) : undefined
    return this.#ask(key, ways, first)
  }

  /** Until it succeeds, or the person gives up. */
  async #ask(key: ProofKey, ways: SignInWays, first: SignInWay | undefined): Promise<string> {
    let fault: RelayFault | null = null
    let way = first
    try {
      for (;;) {
        way ??= await this.#choice({ ways, ticket: this.#options.ticket, isBusy: false, fault })
        if (way === undefined) throw fault ?? new RelayFault('sign_in_required', 'nobody signed in')
        try {
          return this.#signedIn(key, await this.#by(way, key, ways))
        } catch (error) {
          fault = toFault(error)
          way = undefined
        }
      }
    } finally {
      this.question.value = null
    }
  }

  #choice(question: SignInQuestion): Promise<SignInWay | undefined> {
    this.question.value = question
    return new Promise(resolve => {
      this.#answer = way => {
        this.#answer = undefined
        this.question.value = { ...question, fault: null, isBusy: true }
        resolve(way)
      }
    })
  }

  #by(way: SignInWay, key: ProofKey, { cardOrigin }: SignInWays): Promise<SignInAnswer> {
    const { client } = this.#options
    switch (way.by) {
      case 'passkey':
        return client.byPasskey(key)
      case 'new_passkey':
        return client.byNewPasskey(key, way.ticket)
      case 'ticket':
        return client.byTicket(key, way.ticket)
      case 'card':
        return cardOrigin === null ? Promise.reject(new RelayFault('unavailable', 'no cards are taken here')) : client.byCard(key, cardOrigin)
      default:
        return way satisfies never
    }
  }

  #signedIn(key: ProofKey, answer: SignInAnswer): string {
    this.person.value = answer
    this.#options.keeper.keep({ thumbprint: key.thumbprint, ticket: this.#options.ticket, answer })
    return answer.token
  }

  get #kept() {
    const kept = this.#options.keeper.recall()
    return kept?.ticket === this.#options.ticket ? kept : undefined
  }
}
