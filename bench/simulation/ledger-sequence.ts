/** Random use of a ledger beside a book of its own: what a test and a bench count violations with. */
import { LinkName } from '../../relay/wire/link.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import { LinkLedger } from '../../relay/access/ledger/link-ledger.ts'
import type { Hop, ReservationAnswer, ReservationRequest } from '../../relay/access/ledger/link-ledger.ts'

const LINKS = ['line-a', 'line-b', 'backbone', 'line-c'].map(name => LinkName.parse(name))
const HOPS: readonly Hop[] = LINKS.flatMap(link => (['forward', 'backward'] as const).map(direction => ({ link, direction })))
const keyOf = ({ link, direction }: Hop): string => `${link}/${direction}`

/** What one sequence found. */
export interface SequenceOutcome {
  /** One sentence each; none when the ledger keeps its word. */
  readonly violations: readonly string[]
  readonly requests: number
  readonly refusals: number
  /** Offers that were taken up, each of which had to fit. */
  readonly offersTaken: number
}

/** Mulberry32: small, and good enough to choose what to try. */
function random(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Runs one sequence of `steps` random requests, releases and changes of links. */
export function runSequence(seed: number, steps: number): SequenceOutcome {
  const next = random(seed)
  const whole = (below: number): number => Math.floor(next() * below)
  const pick = <Item>(items: readonly Item[]): Item => items[whole(items.length)] as Item
  const ledger = new LinkLedger()
  const capacities = new Map<string, number>()
  const book = new Map<string, ReservationRequest>()
  const violations: string[] = []
  let [now, requests, refusals, offersTaken] = [0, 0, 0, 0]

  const totalOf = ({ levels }: Pick<ReservationRequest, 'levels'>): number => levels.reduce((sum, level) => sum + level.bitsPerSecond, 0)
  const heldOn = (key: string, filter: (held: ReservationRequest) => boolean = () => true): number =>
    [...book.values()].filter(held => filter(held) && held.route.some(hop => keyOf(hop) === key)).reduce((sum, held) => sum + totalOf(held), 0)
  const forget = (ids: readonly string[], below = Infinity): void => {
    for (const id of ids) {
      if (!book.has(id)) violations.push(`${id} ended and was not held`)
      else if ((book.get(id)?.priority ?? 0) >= below) violations.push(`${id} gave way to no higher one`)
      book.delete(id)
    }
  }
  const check = (): void => {
    for (const hop of HOPS) {
      const key = keyOf(hop)
      if (heldOn(key) > (capacities.get(key) ?? 0)) violations.push(`${key} is oversubscribed`)
      if (ledger.reserved(hop) !== heldOn(key)) violations.push(`${key}: the ledger's sum is not that of what was promised`)
    }
  }
  const route = (): Hop[] => Array.from({ length: 1 + whole(3) }, () => pick(HOPS))
  const request = (asked: ReservationRequest): ReservationAnswer => {
    requests++
    for (const [id, held] of book) if (held.untilMillis <= now) book.delete(id)
    const answer = ledger.request(asked, now)
    if (answer.state === 'reserved') {
      book.delete(asked.id)
      forget(answer.ended, asked.priority)
      book.set(asked.id, asked)
    } else {
      refusals++
      const isJust = asked.route.some(hop => heldOn(keyOf(hop), held => held.id !== asked.id && held.priority >= asked.priority) + totalOf(asked) > (capacities.get(keyOf(hop)) ?? 0))
      if (!isJust) violations.push(`${asked.id} was refused without cause`)
    }
    return answer
  }
  const takeUp = (asked: ReservationRequest, answer: ReservationAnswer): void => {
    if (answer.state !== 'refused') return
    for (const offer of answer.offers) {
      if (offer.kind === 'later') continue
      const changed = offer.kind === 'fewer_levels' ? { ...asked, levels: offer.levels } : { ...asked, route: offer.route }
      offersTaken++
      if (request(changed).state !== 'reserved') violations.push(`an offer of kind ${offer.kind} did not fit`)
      return
    }
  }
  const change = (): void => {
    const hop = pick(HOPS)
    const capacity = whole(6) * 40e6
    capacities.set(keyOf(hop), capacity)
    forget(ledger.setCapacity(hop, bitsPerSecond(capacity)))
  }

  for (const _ of HOPS) change()
  for (let step = 0; step < steps; step++) {
    now += whole(20)
    const choice = next()
    if (choice < 0.7) {
      const levels = Array.from({ length: 1 + whole(3) }, (_, index) => ({ name: `level-${index}`, bitsPerSecond: bitsPerSecond(1e6 * (1 + whole(60))) }))
      const asked = { id: `r${whole(12)}`, priority: whole(5), levels, route: route(), otherRoutes: [route()], untilMillis: now + 1 + whole(400) }
      takeUp(asked, request(asked))
    } else if (choice < 0.85) {
      const id = `r${whole(12)}`
      ledger.release(id)
      book.delete(id)
    } else change()
    const due = [...book.values()].filter(({ untilMillis }) => untilMillis <= now).map(({ id }) => id)
    if (ledger.expire(now).toSorted().join() !== due.toSorted().join()) violations.push('what ran out did not end')
    for (const id of due) book.delete(id)
    check()
  }
  return { violations, requests, refusals, offersTaken }
}
