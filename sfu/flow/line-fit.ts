import { OVERVIEW } from '../../relay/wire/ids.ts'
import { middlePosition, tilePosition } from '../../relay/wire/pyramid.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { ImageRect, Pyramid, Rendition } from '../../relay/wire/pyramid.ts'
import type { Flow, Withheld } from '../../relay/wire/signaling.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'

/** What one viewer wants, and what its line carries. */
export interface WantedFlow {
  /** The most important first. */
  readonly renditions: readonly RenditionId[]
  /** The most likely first. */
  readonly prefetch: readonly RenditionId[]
  readonly downlink: BitsPerSecond
}

/** Headers, SRTP tags and repair on top of what an encoder puts out. */
const WIRE_OVERHEAD = 1.08

/** One way to serve a viewer: the renditions that flow, and those that do not although they are in view. */
interface Rung {
  readonly flowing: ReadonlySet<RenditionId>
  readonly withheld: readonly RenditionId[]
  readonly cost: number
}

/** What is known of one viewer while lines are fitted. */
interface Candidate {
  readonly rungs: readonly Rung[]
  /** The rung that its own line allows. */
  readonly downlinkRung: number
  rung: number
}

/** Reckons with the rates and places of one pyramid's renditions. */
export class LineFit {
  readonly #renditions: ReadonlyMap<RenditionId, Rendition>
  readonly #middles: readonly Rendition[]

  constructor(pyramid: Pyramid) {
    this.#renditions = new Map(pyramid.renditions.map(rendition => [rendition.id, rendition]))
    this.#middles = pyramid.renditions.filter(({ id }) => middlePosition(id) !== undefined)
  }

  /** The rate of some renditions on a line, everything included. */
  rateOf(renditions: Iterable<RenditionId>): BitsPerSecond {
    let sum = 0
    for (const id of renditions) sum += this.#rate(id)
    return bitsPerSecond(sum)
  }

  /**
   * What flows to each viewer, so that every line carries what is on it.
   *
   * Quality falls in this order: prefetched tiles, the likeliest last; then tiles in view, the least
   * important first, with a middle tile in their place; then the middle tiles. What a viewer named first
   * (the tile under its pointer) and the overview always flow. On the common uplink the viewer that
   * has most gives way first, so that none can take from those who ask for less.
   */
  fit<Key>(viewers: ReadonlyMap<Key, WantedFlow>, uplink: BitsPerSecond): ReadonlyMap<Key, Flow> {
    const candidates = new Map<Key, Candidate>()
    for (const [key, wanted] of viewers) {
      const rungs = this.#ladder(wanted)
      const downlinkRung = firstWithin(rungs, wanted.downlink)
      candidates.set(key, { rungs, downlinkRung, rung: downlinkRung })
    }
    this.#fitUplink([...candidates.values()], uplink)
    return new Map([...candidates].map(([key, candidate]) => [key, flowOf(candidate)]))
  }

  #rate(id: RenditionId): number {
    return (this.#renditions.get(id)?.bitsPerSecond ?? 0) * WIRE_OVERHEAD
  }

  /** All ways worth considering, from everything to the least, each cheaper than the one before. */
  #ladder(wanted: WantedFlow): readonly Rung[] {
    const base = wanted.renditions.filter(id => !isTile(id))
    const tiles = wanted.renditions.filter(isTile)
    const rungs: Rung[] = []
    let cheapest = Infinity
    const consider = (flowing: readonly RenditionId[], withheld: readonly RenditionId[]): void => {
      const set = new Set(flowing)
      const cost = this.rateOf(set)
      if (cost >= cheapest) return
      cheapest = cost
      rungs.push({ flowing: set, withheld, cost })
    }
    for (let ahead = wanted.prefetch.length; ahead >= 0; ahead--) consider([...base, ...tiles, ...wanted.prefetch.slice(0, ahead)], [])
    if (tiles.length === 0) return rungs
    const floor = base.includes(OVERVIEW) ? base : [...base, OVERVIEW]
    for (let native = tiles.length - 1; native >= 1; native--) {
      const withheld = tiles.slice(native)
      consider([...floor, ...tiles.slice(0, native), ...this.#substitutes(withheld)], withheld)
    }
    const rim = tiles.slice(1)
    const substitutes = this.#substitutes(rim)
    for (let kept = substitutes.length - 1; kept >= 0; kept--) {
      consider([...floor, ...tiles.slice(0, 1), ...substitutes.slice(0, kept)], rim)
    }
    return rungs
  }

  /** The middle tiles that show the regions of withheld tiles, in the same order. */
  #substitutes(withheld: readonly RenditionId[]): readonly RenditionId[] {
    const substitutes = new Set<RenditionId>()
    for (const id of withheld) {
      const region = tilePosition(id) === undefined ? undefined : this.#renditions.get(id)?.region
      if (region === undefined) continue
      for (const middle of this.#middles) if (shareArea(middle.region, region)) substitutes.add(middle.id)
    }
    return [...substitutes]
  }

  #fitUplink(candidates: readonly Candidate[], uplink: BitsPerSecond): void {
    const users = new Map<RenditionId, number>()
    let total = 0
    const use = (rung: Rung | undefined, by: 1 | -1): void => {
      for (const id of rung?.flowing ?? []) {
        const count = (users.get(id) ?? 0) + by
        users.set(id, count)
        if (by === 1 && count === 1) total += this.#rate(id)
        if (by === -1 && count === 0) total -= this.#rate(id)
      }
    }
    for (const candidate of candidates) use(candidate.rungs[candidate.rung], 1)
    while (total > uplink) {
      const giver = candidates
        .filter(({ rung, rungs }) => rung + 1 < rungs.length)
        .reduce<Candidate | undefined>((most, next) => (most === undefined || costOf(next) > costOf(most) ? next : most), undefined)
      if (giver === undefined) return
      use(giver.rungs[giver.rung], -1)
      giver.rung++
      use(giver.rungs[giver.rung], 1)
    }
  }
}

const isTile = (id: RenditionId): boolean => tilePosition(id) !== undefined || middlePosition(id) !== undefined

const costOf = ({ rungs, rung }: Candidate): number => rungs[rung]?.cost ?? 0

const shareArea = (a: ImageRect, b: ImageRect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

/** The first rung within a rate, or the last one. */
function firstWithin(rungs: readonly Rung[], rate: BitsPerSecond): number {
  const index = rungs.findIndex(({ cost }) => cost <= rate)
  return index === -1 ? rungs.length - 1 : index
}

function flowOf({ rungs, rung, downlinkRung }: Candidate): Flow {
  const chosen = rungs[rung]
  const byDownlink = new Set(rungs[downlinkRung]?.withheld)
  const withheld = (chosen?.withheld ?? []).map((renditionId): Withheld => ({ renditionId, cause: byDownlink.has(renditionId) ? 'downlink' : 'uplink' }))
  return { flowing: [...(chosen?.flowing ?? [])], withheld }
}
