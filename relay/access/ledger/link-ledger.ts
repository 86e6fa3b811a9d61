import type { LinkName } from '../../wire/link.ts'
import type { BitsPerSecond } from '../../wire/units.ts'
import type { Purpose } from '../../wire/access.ts'

/** One link in one direction: `forward` from the first facility that the registry names to the second. */
export interface Hop {
  readonly link: LinkName
  readonly direction: 'forward' | 'backward'
}

/** One level of what a consultation sends, the most needed first: without it, those behind are of no use. */
export interface ReservedLevel {
  readonly name: string
  readonly bitsPerSecond: BitsPerSecond
}

/** What a consultation asks of the links that it crosses. */
export interface ReservationRequest {
  /** Unique; the same again replaces what it had. */
  readonly id: string
  /** A higher one may take what a lower one has. */
  readonly priority: number
  readonly levels: readonly ReservedLevel[]
  readonly route: readonly Hop[]
  /** Other routes that lead there as well. */
  readonly otherRoutes?: readonly (readonly Hop[])[]
  /** Milliseconds since the epoch; then it ends by itself. */
  readonly untilMillis: number
}

/** What would fit instead, so that whoever asks has a choice. */
export type ReservationOffer =
  | { readonly kind: 'fewer_levels'; readonly levels: readonly ReservedLevel[] }
  | { readonly kind: 'other_route'; readonly route: readonly Hop[] }
  /** Milliseconds since the epoch: by then enough has ended, if nobody else comes. */
  | { readonly kind: 'later'; readonly atMillis: number }

/** What became of a request. */
export type ReservationAnswer =
  /** `ended`: those of lower priority that had to give way. */
  | { readonly state: 'reserved'; readonly ended: readonly string[] }
  | {
      readonly state: 'refused'
      /** The link that lacks most. */
      readonly hop: Hop
      readonly shortageBitsPerSecond: number
      readonly offers: readonly ReservationOffer[]
    }

interface Reservation {
  readonly id: string
  readonly priority: number
  readonly bitsPerSecond: number
  readonly hops: readonly string[]
  readonly untilMillis: number
  /** Counts up: the youngest gives way first. */
  readonly order: number
}

/** Emergency outranks all; a frozen section outranks what can wait; teaching comes last. */
const PRIORITIES = { operation: 0, teaching: 1, consultation: 2, intraoperative_diagnosis: 3 } as const satisfies Record<Purpose, number>
const EMERGENCY_PRIORITY = 4

/** How urgent a purpose is to the ledger. */
export const priorityOf = (purpose: Purpose, isEmergency: boolean): number => (isEmergency ? EMERGENCY_PRIORITY : PRIORITIES[purpose])

const keyOf = ({ link, direction }: Hop): string => `${link} ${direction}`
const sumOf = (levels: readonly ReservedLevel[]): number => levels.reduce((sum, { bitsPerSecond }) => sum + bitsPerSecond, 0)

/**
 * What is promised of each link. It never promises more than a link carries. Decides without I/O and reads no clock.
 */
export class LinkLedger {
  readonly #capacities = new Map<string, number>()
  readonly #reservations = new Map<string, Reservation>()
  #orders = 0

  /**
   * What a link carries in one direction from then on, in bits per second; 0 for one that is away.
   *
   * @returns Reservations that had to end, the least urgent first.
   */
  setCapacity(hop: Hop, capacity: BitsPerSecond): readonly string[] {
    const key = keyOf(hop)
    this.#capacities.set(key, capacity)
    const over = this.#reservedOn(key) - capacity
    return over <= 0 ? [] : this.#end(victims(this.#on(key), over))
  }

  /**
   * What can still be reserved of a link, in bits per second. Of a link that is not known: nothing.
   *
   * @param claimant - What has to give way to it counts as free, and what it holds itself.
   */
  headRoom(hop: Hop, claimant?: { readonly id?: string | undefined; readonly priority: number }): number {
    const key = keyOf(hop)
    const staying = this.#on(key).filter(({ id, priority }) => claimant === undefined || (id !== claimant.id && priority >= claimant.priority))
    return (this.#capacities.get(key) ?? 0) - staying.reduce((sum, { bitsPerSecond }) => sum + bitsPerSecond, 0)
  }

  /** What is reserved on a link, in bits per second. */
  reserved(hop: Hop): number {
    return this.#reservedOn(keyOf(hop))
  }

  /** Ids of all that hold something. */
  get ids(): readonly string[] {
    return [...this.#reservations.keys()]
  }

  /** Reserves on every link of the route, or on none. */
  request(request: ReservationRequest, nowMillis: number): ReservationAnswer {
    this.expire(nowMillis)
    const before = this.#reservations.get(request.id)
    this.#reservations.delete(request.id)
    const ended = this.#room(request.route, sumOf(request.levels), request.priority)
    if (ended !== undefined) {
      this.#keep(request, before?.order ?? this.#orders++)
      return { state: 'reserved', ended: this.#end(ended) }
    }
    const refusal = this.#refusal(request)
    // What it had it keeps: a refused change takes nothing away.
    if (before !== undefined) this.#reservations.set(before.id, before)
    return refusal
  }

  /** What would be answered now. Nothing changes. */
  preview(request: ReservationRequest, nowMillis: number): ReservationAnswer {
    const before = new Map(this.#reservations)
    try {
      return this.request(request, nowMillis)
    } finally {
      this.#reservations.clear()
      for (const [id, reservation] of before) this.#reservations.set(id, reservation)
    }
  }

  /** Gives back what it had. Idempotent. */
  release(id: string): void {
    this.#reservations.delete(id)
  }

  /** Ends what has run out. @returns Their ids. */
  expire(nowMillis: number): readonly string[] {
    return this.#end([...this.#reservations.values()].filter(({ untilMillis }) => untilMillis <= nowMillis))
  }

  #keep({ id, priority, levels, route, untilMillis }: ReservationRequest, order: number): void {
    this.#reservations.set(id, { id, priority, bitsPerSecond: sumOf(levels), hops: [...new Set(route.map(keyOf))], untilMillis, order })
  }

  #on(key: string): Reservation[] {
    return [...this.#reservations.values()].filter(({ hops }) => hops.includes(key))
  }

  #reservedOn(key: string): number {
    return this.#on(key).reduce((sum, { bitsPerSecond }) => sum + bitsPerSecond, 0)
  }

  /** Who would have to give way for it to fit; undefined when it cannot. */
  #room(route: readonly Hop[], bitsPerSecond: number, priority: number): readonly Reservation[] | undefined {
    const giving = new Map<string, Reservation>()
    for (const key of new Set(route.map(keyOf))) {
      const staying = this.#on(key).filter(({ id }) => !giving.has(id))
      const lacking = staying.reduce((sum, each) => sum + each.bitsPerSecond, 0) + bitsPerSecond - (this.#capacities.get(key) ?? 0)
      if (lacking <= 0) continue
      const lower = staying.filter(each => each.priority < priority)
      if (lower.reduce((sum, each) => sum + each.bitsPerSecond, 0) < lacking) return undefined
      for (const each of victims(lower, lacking)) giving.set(each.id, each)
    }
    return [...giving.values()]
  }

  #refusal(request: ReservationRequest): ReservationAnswer {
    const wanted = sumOf(request.levels)
    const lacking = request.route.map(hop => ({ hop, shortage: wanted - this.headRoom(hop, request) }))
    const worst = lacking.reduce((most, each) => (each.shortage > most.shortage ? each : most))
    return { state: 'refused', hop: worst.hop, shortageBitsPerSecond: worst.shortage, offers: this.#offers(request) }
  }

  #offers({ route, levels, otherRoutes = [], priority }: ReservationRequest): ReservationOffer[] {
    const offers: ReservationOffer[] = []
    const fitting = levels.filter((_, index) => this.#room(route, sumOf(levels.slice(0, index + 1)), priority) !== undefined)
    if (fitting.length > 0) offers.push({ kind: 'fewer_levels', levels: fitting })
    const other = otherRoutes.find(each => this.#room(each, sumOf(levels), priority) !== undefined)
    if (other !== undefined) offers.push({ kind: 'other_route', route: other })
    const atMillis = this.#fitsAt(route, sumOf(levels))
    if (atMillis !== undefined) offers.push({ kind: 'later', atMillis })
    return offers
  }

  /** When enough has run out; undefined when it never fits. */
  #fitsAt(route: readonly Hop[], bitsPerSecond: number): number | undefined {
    const times: number[] = []
    for (const key of new Set(route.map(keyOf))) {
      let lacking = this.#reservedOn(key) + bitsPerSecond - (this.#capacities.get(key) ?? 0)
      for (const each of this.#on(key).sort((one, other) => one.untilMillis - other.untilMillis)) {
        if (lacking <= 0) break
        lacking -= each.bitsPerSecond
        times.push(each.untilMillis)
      }
      if (lacking > 0) return undefined
    }
    return times.length === 0 ? undefined : Math.max(...times)
  }

  #end(reservations: readonly Reservation[]): readonly string[] {
    for (const { id } of reservations) this.#reservations.delete(id)
    return reservations.map(({ id }) => id)
  }
}

/** Of these, the least urgent and youngest that together hold what is lacking. */
function victims(from: readonly Reservation[], lacking: number): Reservation[] {
  const chosen: Reservation[] = []
  let left = lacking
  for (const each of from.toSorted((one, other) => one.priority - other.priority || other.order - one.order)) {
    if (left <= 0) break
    if (each.bitsPerSecond === 0) continue
    chosen.push(each)
    left -= each.bitsPerSecond
  }
  return chosen
}
