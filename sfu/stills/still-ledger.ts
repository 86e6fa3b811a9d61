import { millis } from '../../relay/wire/units.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { STILL_LIMITS } from '../../relay/wire/still.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { StillId } from '../../relay/wire/ids.ts'
import type { StillDescription, StillSummary } from '../../relay/wire/still.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Who asks for which frame. */
export type StillAsked = Pick<StillSummary, 'stillId' | 'publicationId' | 'rtpTimestamp' | 'keptBy' | 'askedAtMillis'>

const ARRIVAL = millis(STILL_LIMITS.arrivalSeconds * 1000)

const isPending = ({ state }: StillSummary): boolean => state === 'wanted' || state === 'arriving'

/** The stills of one consultation and how far each is. Does no I/O and reads no clock. */
export class StillLedger {
  readonly #stills = new Map<StillId, StillSummary>()
  readonly #deadlines = new Map<StillId, Millis>()
  readonly #rate: TokenBucket

  constructor(now: Millis) {
    this.#rate = new TokenBucket(STILL_LIMITS.perSecond, STILL_LIMITS.burst, now)
  }

  /** Oldest first; of many, the latest. */
  get summaries(): readonly StillSummary[] {
    return [...this.#stills.values()].sort((a, b) => a.askedAtMillis - b.askedAtMillis).slice(-STILL_LIMITS.listed)
  }

  get(stillId: StillId): StillSummary | undefined {
    return this.#stills.get(stillId)
  }

  /** When {@link expire} has something to do. */
  get wakeAt(): Millis | undefined {
    return this.#deadlines.size === 0 ? undefined : millis(Math.min(...this.#deadlines.values()))
  }

  /** Enters stills that an earlier process kept. */
  found(stills: Iterable<StillSummary>): void {
    for (const still of stills) if (!this.#stills.has(still.stillId)) this.#stills.set(still.stillId, still)
    this.#trim()
  }

  /**
   * Somebody asks for a frame. A frame that is there, or on its way, is not asked for again.
   *
   * @returns The still of that frame: the one that was asked for, or an earlier one.
   * @throws {RelayFault} `rate_limited`; `overloaded` while as many are on their way as may be.
   */
  ask(asked: StillAsked, now: Millis): StillSummary {
    const known = this.#find(asked)
    if (known !== undefined) return known
    if ([...this.#stills.values()].filter(isPending).length >= STILL_LIMITS.pending) throw new RelayFault('overloaded', 'other stills are on their way')
    if (!this.#rate.take(now)) throw new RelayFault('rate_limited', 'too many stills')
    const still: StillSummary = { ...asked, state: 'wanted', origin: null, missingTiles: 0, fault: null }
    this.#stills.set(asked.stillId, still)
    this.#deadlines.set(asked.stillId, millis(now + ARRIVAL))
    this.#trim()
    return still
  }

  /**
   * Its planes begin to come.
   *
   * @throws {RelayFault} `not_found`; `wrong_state` when they are not wanted.
   */
  arriving(stillId: StillId): StillSummary {
    const still = this.#stills.get(stillId)
    if (still === undefined) throw new RelayFault('not_found', 'no such still')
    if (still.state !== 'wanted') throw new RelayFault('wrong_state', 'the planes of this still are not wanted')
    return this.#set({ ...still, state: 'arriving' })
  }

  /** It is on disk. A still that was given up meanwhile is kept all the same. */
  kept(stillId: StillId, { origin, missing }: Pick<StillDescription, 'origin' | 'missing'>): void {
    const still = this.#stills.get(stillId)
    if (still === undefined) return
    this.#deadlines.delete(stillId)
    this.#set({ ...still, state: 'kept', origin, missingTiles: missing.length, fault: null })
  }

  /** It will not come. @returns Whether that is news. */
  failed(stillId: StillId, fault: FaultCode): boolean {
    const still = this.#stills.get(stillId)
    if (still === undefined || !isPending(still)) return false
    this.#deadlines.delete(stillId)
    this.#set({ ...still, state: 'failed', fault })
    return true
  }

  /** Gives up what did not come in time. @returns Whether there was something. */
  expire(now: Millis): boolean {
    const late = [...this.#deadlines].filter(([, deadline]) => deadline <= now)
    for (const [stillId] of late) this.failed(stillId, 'timeout')
    return late.length > 0
  }

  /** Nobody is left to answer for what is wanted. What arrives may still arrive. @returns Whether there was something. */
  microscopeLeft(): boolean {
    const wanted = [...this.#stills.values()].filter(({ state }) => state === 'wanted')
    for (const { stillId } of wanted) this.failed(stillId, 'unavailable')
    return wanted.length > 0
  }

  #find({ publicationId, rtpTimestamp }: StillAsked): StillSummary | undefined {
    for (const still of this.#stills.values()) {
      if (still.state !== 'failed' && still.publicationId === publicationId && still.rtpTimestamp === rtpTimestamp) return still
    }
    return undefined
  }

  #set(still: StillSummary): StillSummary {
    this.#stills.set(still.stillId, still)
    return still
  }

  /** Failed ones are forgotten first, then the oldest; those on disk stay there. */
  #trim(): void {
    while (this.#stills.size > STILL_LIMITS.listed) {
      const oldest = [...this.#stills.values()].filter(still => !isPending(still)).sort((a, b) => Number(b.state === 'failed') - Number(a.state === 'failed') || a.askedAtMillis - b.askedAtMillis)[0]
      if (oldest === undefined) return
      this.#stills.delete(oldest.stillId)
    }
  }
}
