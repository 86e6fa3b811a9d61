import { Backoff } from '../../../relay/wire/backoff.ts'
import { FINAL_ACCESS_FAULTS } from '../../../relay/wire/fault.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** A grant is renewed when this part of its time has gone: what is left has to suffice for a core that cannot be heard for a while. */
const RENEWED_AT = 0.5
/** Renewals are decided and recorded: not more often than this, even where a grant cannot become longer. */
const LEAST_INTERVAL = millis(10_000)
const RETRY = { first: millis(1000), cap: millis(10_000) }
const FINAL: ReadonlySet<FaultCode> = new Set(FINAL_ACCESS_FAULTS)

/** What is to be done about a grant now, and when to ask again. */
export interface TermStep {
  readonly isToRenew: boolean
  readonly wakeAt: Millis | undefined
}

/** Decides when a grant is renewed. Does no I/O and reads no clock: times are those of the caller's monotonic clock. */
export class GrantTerm {
  readonly #backoff: Backoff
  #endsAt: Millis
  #renewAt: Millis
  #isRenewing = false

  /** @param lifetime - What is left of it now. @param random - 0 to 1, spreads attempts. */
  constructor(lifetime: Millis, now: Millis, random: () => number = Math.random) {
    this.#backoff = new Backoff(RETRY, random)
    this.#endsAt = millis(now + lifetime)
    this.#renewAt = renewalOf(lifetime, now)
  }

  /** When it ends unless it is renewed. */
  get endsAt(): Millis {
    return this.#endsAt
  }

  isOver(now: Millis): boolean {
    return now >= this.#endsAt
  }

  /** A renewal that is begun has to be {@link renewed} or {@link failed}. */
  step(now: Millis): TermStep {
    if (this.#isRenewing || this.isOver(now)) return { isToRenew: false, wakeAt: undefined }
    if (now < this.#renewAt) return { isToRenew: false, wakeAt: this.#renewAt }
    this.#isRenewing = true
    return { isToRenew: true, wakeAt: undefined }
  }

  renewed(lifetime: Millis, now: Millis): void {
    this.#isRenewing = false
    this.#backoff.succeeded()
    this.#endsAt = millis(now + lifetime)
    this.#renewAt = renewalOf(lifetime, now)
  }

  /** @returns Whether it is tried again: not where the node has decided, or there is no time left. */
  failed(code: FaultCode, now: Millis): boolean {
    this.#isRenewing = false
    if (FINAL.has(code)) {
      this.#endsAt = now
      return false
    }
    this.#renewAt = millis(now + this.#backoff.next())
    return this.#renewAt < this.#endsAt
  }
}

const renewalOf = (lifetime: Millis, now: Millis): Millis => millis(now + Math.max(RENEWED_AT * lifetime, LEAST_INTERVAL))

/** What is done after the node refused what was entered with, or ended it: entering again as before, asking whether anything is left, or saying why not. */
export type Recovery = 'try_again' | 'ask_anew' | 'give_up'

/** What no other grant for the same link cures. */
const OF_THE_LINK: ReadonlySet<FaultCode> = new Set(['invitation_refused', 'wrong_role', 'sign_in_required'])

/**
 * Decides what comes after a refusal. A grant ends whole when it loses anything, so its holder asks once for what is left.
 *
 * @param wasUsed - The grant had let its holder in before. One that never did is not asked for again.
 */
export function recoveryOf(code: FaultCode, { isPlatform, wasUsed }: { readonly isPlatform: boolean; readonly wasUsed: boolean }): Recovery {
  // A line without room stays so for longer than a person would watch a page try.
  if (!FINAL.has(code) && code !== 'admission_refused') return 'try_again'
  return isPlatform && wasUsed && !OF_THE_LINK.has(code) ? 'ask_anew' : 'give_up'
}
