import { delayQuantiles as quantilesOf } from './delays.ts'
import { MOST_RUNS, MOST_SLICES } from './acceptance-measurement.ts'
import { IP_UDP_BYTES } from './traffic-shape.ts'
import type { LossRun, Reception } from './acceptance-measurement.ts'

/** No load has more datagrams: what one of them costs is remembered, 25 bytes each. */
export const MOST_DATAGRAMS = 4_000_000
const SHORTEST_SLICE_MILLIS = 100

/**
 * The receiving end's book of one load: what came, in which order, how late. Memory is bounded by the number of
 * datagrams announced, whatever comes. Does no I/O and reads no clock.
 */
export class StepReception {
  readonly #sentAt: Float64Array
  readonly #delay: Float64Array
  readonly #bytes: Uint16Array
  readonly #isHere: Uint8Array
  #received = 0
  #ipBytes = 0
  #duplicates = 0
  #highest = -1
  #highestAt = 0
  #reordered = 0
  #reorderedMillis = 0
  #firstAt: number | undefined
  #lastAt: number | undefined
  #longestGap = 0

  /** @param capacity - Datagrams announced, up to {@link MOST_DATAGRAMS}. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MOST_DATAGRAMS) throw new Error(`a load has 1 to ${MOST_DATAGRAMS} datagrams`)
    this.#sentAt = new Float64Array(capacity)
    this.#delay = new Float64Array(capacity)
    this.#bytes = new Uint16Array(capacity)
    this.#isHere = new Uint8Array(capacity)
  }

  /** Takes one datagram. @param bytes - UDP payload. @param at - When it came, on this end's clock. */
  take(sequence: number, sentAt: number, bytes: number, at: number): void {
    if (sequence >= this.#isHere.length) return
    if (this.#isHere[sequence] === 1) {
      this.#duplicates++
      return
    }
    this.#isHere[sequence] = 1
    this.#sentAt[sequence] = sentAt
    this.#delay[sequence] = at - sentAt
    this.#bytes[sequence] = bytes + IP_UDP_BYTES
    this.#received++
    this.#ipBytes += bytes + IP_UDP_BYTES
    if (this.#lastAt !== undefined) this.#longestGap = Math.max(this.#longestGap, at - this.#lastAt)
    this.#firstAt ??= at
    this.#lastAt = at
    if (sequence > this.#highest) {
      this.#highest = sequence
      this.#highestAt = at
    } else {
      this.#reordered++
      this.#reorderedMillis = Math.max(this.#reorderedMillis, at - this.#highestAt)
    }
  }

  /** What came of so many. @param sent - Datagrams that left. @param localDrops - That the kernel here dropped meanwhile. */
  report(sent: number, localDrops: number): Reception {
    const count = Math.min(sent, this.#isHere.length)
    const here = Array.from({ length: count }, (_, index) => index).filter(index => this.#isHere[index] === 1)
    const delays = Float64Array.from(here, index => this.#delay[index] ?? 0)
    const least = delays.reduce((shortest, delay) => Math.min(shortest, delay), Infinity)
    const runs = this.#lossRuns(here, count)
    const told = runs.length <= MOST_RUNS ? runs : runs.toSorted((a, b) => b.packets - a.packets).slice(0, MOST_RUNS)
    return {
      received: this.#received, ipBytes: this.#ipBytes, duplicates: this.#duplicates, reordered: this.#reordered, reorderedMillis: this.#reorderedMillis,
      lossRuns: told,
      lostInOtherRuns: sum(runs.map(({ packets }) => packets)) - sum(told.map(({ packets }) => packets)),
      arrivalMillis: (this.#lastAt ?? 0) - (this.#firstAt ?? 0),
      longestGapMillis: this.#longestGap,
      delayVariation: quantilesOf(delays.map(delay => delay - least)) ?? null,
      ...this.#slices(here, runs, least),
      localDrops,
    }
  }

  #lossRuns(here: readonly number[], count: number): LossRun[] {
    const runs: LossRun[] = []
    const [first, last] = [here[0] ?? 0, here.at(-1) ?? 0]
    const spacing = last > first ? ((this.#sentAt[last] ?? 0) - (this.#sentAt[first] ?? 0)) / (last - first) : 0
    let before = -1
    for (const next of [...here, count]) {
      const packets = next - before - 1
      if (packets > 0) {
        // At the ends of a load there is only one neighbour: then it lasted as its packets do on average.
        const isInside = before >= 0 && next < count
        const between = (this.#sentAt[next] ?? 0) - (this.#sentAt[before] ?? 0)
        runs.push({ first: before + 1, packets, millis: isInside ? Math.max(0, between) : packets * spacing })
      }
      before = next
    }
    return runs
  }

  #slices(here: readonly number[], runs: readonly LossRun[], least: number): Pick<Reception, 'sliceMillis' | 'slices'> {
    const [first, last] = [here[0], here.at(-1)]
    if (first === undefined || last === undefined) return { sliceMillis: 0, slices: [] }
    const beganAt = this.#sentAt[first] ?? 0
    const length = Math.max(0, (this.#sentAt[last] ?? 0) - beganAt)
    const sliceMillis = Math.max(SHORTEST_SLICE_MILLIS, (length + 1) / MOST_SLICES)
    const slices = Array.from({ length: Math.min(MOST_SLICES, Math.floor(length / sliceMillis) + 1) }, () => ({ bytes: 0, lost: 0, delayMillis: 0 }))
    const sliceOf = (index: number): (typeof slices)[number] | undefined => slices[Math.floor(((this.#sentAt[index] ?? 0) - beganAt) / sliceMillis)]
    for (const index of here) {
      const slice = sliceOf(index)
      if (slice === undefined) continue
      slice.bytes += this.#bytes[index] ?? 0
      slice.delayMillis = Math.max(slice.delayMillis, (this.#delay[index] ?? 0) - least)
    }
    for (const { first: lost, packets } of runs) {
      const slice = sliceOf(Math.max(first, lost - 1))
      if (slice !== undefined) slice.lost += packets
    }
    return { sliceMillis, slices: slices.map(({ bytes, lost, delayMillis }) => ({ bitsPerSecond: (8000 * bytes) / sliceMillis, lost, delayMillis })) }
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
