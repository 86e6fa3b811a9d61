import { Backoff } from '../../wire/backoff.ts'
import { millis } from '../../wire/units.ts'
import type { BackoffOptions } from '../../wire/backoff.ts'
import type { Millis } from '../../wire/units.ts'
import type { SquareRef } from '../tiles/square-shelf.ts'

/** Squares that are read and sent side by side. */
const SIDE_BY_SIDE = 4

/** Decides which squares go ahead of their levels. Does no I/O and reads no clock. */
export class SquarePlan {
  readonly #backoff: Backoff
  /** Wanted, the most urgent first, and not begun. */
  #pending: SquareRef[] = []
  readonly #underWay = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #levels = new Set<number>()
  #waitUntil = millis(0)

  constructor(retry: BackoffOptions, random?: () => number) {
    this.#backoff = new Backoff(retry, random)
  }

  /** Takes the node's word on what it lacks, in place of what it said before. */
  want(squares: readonly SquareRef[]): void {
    this.#pending = squares.filter(ref => this.#mayGo(ref) && !this.#underWay.has(keyOf(ref)))
  }

  /** The node knows a level: its chunks take the place of its squares. */
  levelKnown(level: number): void {
    this.#levels.add(level)
    this.#pending = this.#pending.filter(ref => ref.level !== level)
  }

  /** What to send now. They count as under way until {@link held}, {@link failed} or {@link cannotGo}. @returns `wakeAt`: when to ask again though nothing else happened. */
  step(now: Millis): { readonly send: readonly SquareRef[]; readonly wakeAt: Millis | undefined } {
    if (now < this.#waitUntil) return { send: [], wakeAt: this.#pending.length === 0 ? undefined : this.#waitUntil }
    const send = this.#pending.splice(0, Math.max(0, SIDE_BY_SIDE - this.#underWay.size))
    for (const ref of send) this.#underWay.add(keyOf(ref))
    return { send, wakeAt: undefined }
  }

  held(ref: SquareRef): void {
    this.#underWay.delete(keyOf(ref))
    this.#backoff.succeeded()
  }

  /** It did not get there. It goes again after a wait, unless something else is wanted by then. @returns Failures in a row. */
  failed(ref: SquareRef, now: Millis): number {
    this.#underWay.delete(keyOf(ref))
    if (this.#mayGo(ref)) this.#pending.unshift(ref)
    this.#waitUntil = millis(now + this.#backoff.next())
    return this.#backoff.attempts
  }

  /** It has to wait for its level. */
  cannotGo(ref: SquareRef): void {
    this.#underWay.delete(keyOf(ref))
    this.#refused.add(keyOf(ref))
  }

  #mayGo(ref: SquareRef): boolean {
    return !this.#levels.has(ref.level) && !this.#refused.has(keyOf(ref))
  }
}

const keyOf = ({ level, square }: SquareRef): string => `${level}/${square}`
