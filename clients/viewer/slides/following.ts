import type { LedSlide } from '../../../relay/wire/slide-sharing.ts'

/** How a viewer stands to the leader. */
export type FollowMode = 'free' | 'following' | 'leading'

/** Who leads and who follows, as one viewer sees it. Does no I/O. */
export class Following {
  #mode: FollowMode = 'free'
  #led: LedSlide | null = null

  get mode(): FollowMode {
    return this.#mode
  }

  /** Who else leads; null: nobody. */
  get led(): LedSlide | null {
    return this.#led
  }

  /** Where to go by the leader; null while on one's own. */
  get target(): LedSlide | null {
    return this.#mode === 'following' ? this.#led : null
  }

  /** News of the leader. Whoever follows goes on, also after another one; who led, leads no longer when somebody else does. */
  heard(led: LedSlide | null): void {
    this.#led = led
    if (led === null && this.#mode === 'following') this.#mode = 'free'
    if (led !== null && this.#mode === 'leading') this.#mode = 'free'
  }

  follow(): void {
    if (this.#led !== null) this.#mode = 'following'
  }

  lead(): void {
    this.#mode = 'leading'
    this.#led = null
  }

  /** An own gesture, or the wish to stop. A gesture ends following, not leading. */
  gesture(): void {
    if (this.#mode === 'following') this.#mode = 'free'
  }

  stop(): void {
    this.#mode = 'free'
  }
}
