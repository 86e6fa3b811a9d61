import { RelayFault } from '../../relay/wire/fault.ts'

/**
 * Who holds the stage: one at a time, taken and handed over by word, and nobody after a stop. Does no I/O.
 * Each method says whether anything changed.
 */
export class StageHold<Member> {
  #holder: Member | undefined
  #stoppedBy: Member | undefined

  get holder(): Member | undefined {
    return this.#holder
  }

  /** Who stopped the stage, until it is claimed again. */
  get stoppedBy(): Member | undefined {
    return this.#stoppedBy
  }

  /** @throws {RelayFault} `conflict` while somebody else holds it. */
  claim(member: Member): boolean {
    if (this.#holder === member) return false
    if (this.#holder !== undefined) throw new RelayFault('conflict', 'somebody else holds the stage')
    this.#holder = member
    this.#stoppedBy = undefined
    return true
  }

  /** Whoever holds nothing has nothing to release. */
  release(member: Member): boolean {
    if (this.#holder !== member) return false
    this.#holder = undefined
    return true
  }

  /** @throws {RelayFault} As of {@link require}. */
  handOver(member: Member, to: Member): boolean {
    this.require(member)
    this.#holder = to
    return member !== to
  }

  /** Takes the hold from whoever has it. */
  stop(member: Member): boolean {
    const isNews = this.#holder !== undefined || this.#stoppedBy !== member
    this.#holder = undefined
    this.#stoppedBy = member
    return isNews
  }

  /** Somebody left. */
  left(member: Member): boolean {
    const isNews = this.release(member)
    if (this.#stoppedBy !== member) return isNews
    this.#stoppedBy = undefined
    return true
  }

  /** @throws {RelayFault} `conflict` when somebody else holds it; `wrong_state` when nobody does. */
  require(member: Member): void {
    if (this.#holder === member) return
    if (this.#holder !== undefined) throw new RelayFault('conflict', 'somebody else holds the stage')
    throw new RelayFault('wrong_state', 'take the stage first')
  }
}
