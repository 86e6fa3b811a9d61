import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

/** Numbers of which it is remembered whether they arrived. */
const MEMORY = 32_768
const MASK = MEMORY - 1
/** A missing number is lost at the latest when so many later ones arrived: what 50,000 datagrams per second send in 0.3 s. */
const OPEN = MEMORY / 2
/** Otherwise it is lost when it was missing for {@link MARKS} of these: 200 to 220 ms. */
const MARK = millis(20)
const MARKS = 10
/** Further ahead than this no path falls silent and comes back: 80 s of 50,000 datagrams each. */
const MAX_JUMP = 2 ** 22
/** So many arrivals astray in a row begin a new sequence. Fewer may be an old queue that drains at last. */
const RESTART_AFTER = 1024
const NUMBERS = 2 ** 48
/** Longest bursts, in packets, of the classes that bursts are counted in; longer ones are in one more. */
export const BURST_LENGTHS = [1, 2, 4, 8, 16, 32] as const
/** Longest gaps, in packets, of the classes that gaps are counted in; longer ones are in one more. */
export const GAP_LENGTHS = [10, 100, 1000, 10_000] as const

/** `fresh`: the first copy. `duplicate`: a further copy. `astray`: a number that makes no sense here, yet or any more. */
export type Arrival = 'fresh' | 'duplicate' | 'astray'

/**
 * Tells from the numbers of arriving datagrams which were lost, in what bursts, which came twice and which out of order.
 * Does no I/O, reads no clock and allocates nothing per datagram; the work of a call is bounded whatever the number.
 *
 * A loss counts once it is final, so that counts only grow. One that arrives even later takes the place of the next
 * loss, so that they end up right. A burst is a run of losses, and a gap a run of arrivals between two of those: RFC
 * 3611 section 4.7.2 with Gmin 1, since repair cares for every single loss. A row of numbers far from the others begins
 * a new sequence, in the spirit of RFC 3550 appendix A.1; what is missing in between does not count.
 */
export class LossWindow {
  readonly #arrived = new Uint32Array(MEMORY / 32)
  /** `#next` as it was when each of the last slots of {@link MARK} began. */
  readonly #marks = new Float64Array(MARKS)
  #slot = -Infinity
  /** One more than the highest number that arrived; undefined before the first. */
  #next: number | undefined
  /** Below it, every loss is final. */
  #final = 0
  /** The lowest number of this sequence: what is missing below was perhaps never sent here. */
  #first = 0
  /** Arrivals astray since the last that was not. */
  #strays = 0
  #lossRun = 0
  /** Length of the run of arrivals; undefined before the first burst. */
  #gapRun: number | undefined
  /** Losses that arrived after they were counted, less those that were made good. */
  #overcounted = 0
  #lost = 0
  #settled = 0
  #reordered = 0
  #duplicates = 0
  #bursts = 0
  readonly #burstsByLength = new Float64Array(BURST_LENGTHS.length + 1)
  readonly #gapsByLength = new Float64Array(GAP_LENGTHS.length + 1)

  /** Losses that are final. */
  get lost(): number {
    return this.#lost
  }

  /** Numbers whose fate is final, lost or arrived. */
  get settled(): number {
    return this.#settled
  }

  /** Datagrams that arrived after one with a higher number. @see RFC 4737 section 3.3 */
  get reordered(): number {
    return this.#reordered
  }

  get duplicates(): number {
    return this.#duplicates
  }

  /** Bursts that have ended. */
  get bursts(): number {
    return this.#bursts
  }

  get burstsByLength(): number[] {
    return [...this.#burstsByLength]
  }

  get gapsByLength(): number[] {
    return [...this.#gapsByLength]
  }

  /** Takes one arrival. `number` is below 2^48. */
  arrive(number: number, now: Millis): Arrival {
    this.step(now)
    const next = this.#next
    if (next === undefined) return this.#begin(number)
    if (number >= next + MAX_JUMP || number < next - MEMORY || number >= NUMBERS) return this.#stray(number)
    this.#strays = 0
    if (number >= next) this.#extend(number, next)
    else if (this.#has(number)) {
      this.#duplicates++
      return 'duplicate'
    } else this.#fill(number)
    return 'fresh'
  }

  /** Makes final what was missing for long enough. `arrive` does it, too; call it before reading, for silence. */
  step(now: Millis): void {
    const slot = Math.floor(now / MARK)
    if (slot === this.#slot) return
    const next = this.#next ?? 0
    const passed = slot - this.#slot
    if (passed < 0 && passed > -MARKS) return
    if (passed < 0) this.#marks.fill(this.#final)
    for (let at = slot - Math.min(MARKS, Math.max(1, passed)) + 1; at <= slot; at++) {
      const index = ((at % MARKS) + MARKS) % MARKS
      if (passed > 0) this.#settle(this.#marks[index] ?? 0)
      this.#marks[index] = next
    }
    if (passed > MARKS) this.#settle(next)
    this.#slot = slot
  }

  #begin(number: number): Arrival {
    this.#arrived.fill(0)
    this.#set(number)
    this.#first = number
    this.#final = number
    this.#next = number + 1
    this.#marks.fill(number)
    this.#strays = 0
    return 'fresh'
  }

  #stray(number: number): Arrival {
    if (this.#strays < RESTART_AFTER || number >= NUMBERS) {
      this.#strays++
      return 'astray'
    }
    this.#settle(this.#next ?? 0)
    return this.#begin(number)
  }

  #extend(number: number, next: number): void {
    this.#settle(number + 1 - OPEN)
    if (number - next >= MEMORY) this.#arrived.fill(0)
    else this.#clear(next, number)
    this.#set(number)
    this.#next = number + 1
  }

  #fill(number: number): void {
    this.#reordered++
    this.#set(number)
    if (number >= this.#first && number < this.#final) this.#overcounted++
  }

  /** Settles the fate of all numbers below `limit`. */
  #settle(limit: number): void {
    const known = Math.min(limit, this.#next ?? 0)
    for (let number = this.#final; number < known; number++) {
      if (this.#has(number)) this.#settleArrival()
      else if ((number & 31) === 0 && number + 32 <= known && this.#arrived[(number & MASK) >>> 5] === 0) {
        this.#settleLosses(32)
        number += 31
      } else this.#settleLosses(1)
    }
    // Numbers that were jumped over never were in the window; there may be millions.
    if (limit > known) this.#settleLosses(limit - known)
    this.#final = Math.max(this.#final, limit)
  }

  #settleArrival(): void {
    this.#settled++
    if (this.#lossRun > 0) {
      this.#bursts++
      count(this.#burstsByLength, BURST_LENGTHS, this.#lossRun)
      this.#lossRun = 0
      this.#gapRun = 0
    }
    if (this.#gapRun !== undefined) this.#gapRun++
  }

  #settleLosses(losses: number): void {
    if (this.#lossRun === 0 && this.#gapRun !== undefined) count(this.#gapsByLength, GAP_LENGTHS, this.#gapRun)
    this.#lossRun += losses
    this.#settled += losses
    const madeGood = Math.min(losses, this.#overcounted)
    this.#overcounted -= madeGood
    this.#lost += losses - madeGood
  }

  #has(number: number): boolean {
    return ((this.#arrived[(number & MASK) >>> 5] ?? 0) & (1 << (number & 31))) !== 0
  }

  #set(number: number): void {
    const index = (number & MASK) >>> 5
    this.#arrived[index] = (this.#arrived[index] ?? 0) | (1 << (number & 31))
  }

  /** Forgets what had the places of `from` up to `to`; fewer than {@link MEMORY}. */
  #clear(from: number, to: number): void {
    for (let number = from; number < to; number++) {
      const index = (number & MASK) >>> 5
      if ((number & 31) === 0 && number + 32 <= to) {
        this.#arrived[index] = 0
        number += 31
      } else this.#arrived[index] = (this.#arrived[index] ?? 0) & ~(1 << (number & 31))
    }
  }
}

/** Counts a run in the class of its length. */
function count(counts: Float64Array, lengths: readonly number[], run: number): void {
  let at = 0
  while (at < lengths.length && run > (lengths[at] ?? 0)) at++
  counts[at] = (counts[at] ?? 0) + 1
}
