import { millis } from '../../wire/units.ts'
import type { PathPolicy } from '../../wire/link.ts'
import type { Millis } from '../../wire/units.ts'

/** A path that came back is preferred again after it has lived so long: one that flaps is not. */
const PROBATION = millis(1000)

/** What is known of a path when it is chosen. */
export interface PathCandidate {
  /** In the contract, which names the preferred ones first. */
  readonly index: number
  /** Since when it has lived. */
  readonly upSince: Millis
}

/** Which paths one class uses. Does no I/O and reads no clock. */
export class PathChoice {
  readonly #policy: PathPolicy
  #chosen: readonly number[] = []
  #switches = 0

  constructor(policy: PathPolicy) {
    this.#policy = policy
  }

  /** Indices of the paths in use, the preferred one first. Empty while none lives. */
  get chosen(): readonly number[] {
    return this.#chosen
  }

  /** Times that a class that uses one path moved to another. */
  get switches(): number {
    return this.#switches
  }

  /** Packets of the class are on several paths at once. */
  get isSpread(): boolean {
    return this.#chosen.length > 1
  }

  /** Every packet is to leave on each of the chosen paths. */
  get isDoubled(): boolean {
    return this.#policy === 'hitless' && this.#chosen.length > 1
  }

  /** Chooses among those that live, in the order of the contract. */
  update(living: readonly PathCandidate[], now: Millis): void {
    const before = this.#chosen
    this.#chosen = this.#choose(living, now)
    const [from] = before
    const [to] = this.#chosen
    if (from !== undefined && to !== undefined && from !== to && this.#chosen.length === 1) this.#switches++
  }

  #choose(living: readonly PathCandidate[], now: Millis): readonly number[] {
    switch (this.#policy) {
      case 'bond':
        return living.map(({ index }) => index)
      case 'hitless':
        return living.slice(0, 2).map(({ index }) => index)
      case 'single': {
        const stays = living.find(({ index }) => index === this.#chosen[0])
        return indexOf(stays ?? living[0])
      }
      case 'failover': {
        const present = living.find(({ index }) => index === this.#chosen[0])
        const better = living.find(({ index, upSince }) => (present === undefined || index < present.index) && now - upSince >= PROBATION)
        return indexOf(better ?? present ?? living[0])
      }
      default:
        return this.#policy satisfies never
    }
  }
}

const indexOf = (path: PathCandidate | undefined): readonly number[] => (path === undefined ? [] : [path.index])
