import { OVERVIEW } from '../../relay/wire/ids.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { DemandTracker } from './demand-tracker.ts'
import { DownlinkBudget } from './downlink-budget.ts'
import { grantedRate, withinGrants } from './granted-flow.ts'
import { LineFit } from './line-fit.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { GrantedMedia } from '../../relay/wire/admission.ts'
import type { Demand, Flow, Withheld } from '../../relay/wire/signaling.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'
import type { BandwidthReading } from './downlink-budget.ts'
import type { WantedFlow } from './line-fit.ts'

/** What flow control needs of one viewer. */
export interface FlowViewer {
  /** What its grant lets flow over a link; null or absent: whatever there is. */
  readonly granted?: GrantedMedia | null
  /** Lets exactly these renditions flow. Never rejects. */
  apply(renditions: readonly RenditionId[]): Promise<void>
  /** The flow changed without the viewer having asked. */
  flowChanged(flow: Flow): void
}

/** What {@link FlowControl} needs. */
export interface FlowControlOptions {
  readonly pyramid: Pyramid
  /** What the microscope's grant lets flow over a link; null or absent: whatever there is. */
  readonly granted?: GrantedMedia | null
  readonly clock: Clock
  /** The microscope shall send this from now on. */
  readonly onDemand: (demand: Demand) => void
}

/** What a viewer asked for. */
export type ViewerWish = Omit<WantedFlow, 'downlink'> & { readonly downlinkBitsPerSecond?: number | undefined }

interface ViewerState {
  wish: ViewerWish
  flow: Flow
  readonly budget: DownlinkBudget
  /** Requests of it that wait for their reply, which will tell it of its flow. */
  waiting: number
}

const NO_WISH: ViewerWish = { renditions: [], prefetch: [] }
const NO_FLOW: Flow = { flowing: [], withheld: [] }
/** So much of the uplink is given away: keyframes, what begins anew and what is sent again need the rest. */
const ADMISSION_SHARE = 0.85
/** A budget that changed by less is the same budget. */
const BUDGET_NEWS = 0.02

/**
 * Decides for one publication which renditions flow to whom, and tells the microscope what to send.
 *
 * Consumers are resumed before the microscope hears of it, so that the keyframe it begins with finds
 * them open.
 */
export class FlowControl {
  readonly #options: FlowControlOptions
  readonly #fit: LineFit
  readonly #tracker = new DemandTracker()
  readonly #viewers = new Map<FlowViewer, ViewerState>()
  #uplink: BitsPerSecond | undefined
  #isStale = false
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: FlowControlOptions) {
    this.#options = options
    this.#fit = new LineFit(options.pyramid)
  }

  /** What the microscope's line carries by its own last word; undefined before there was one. */
  get uplink(): BitsPerSecond | undefined {
    return this.#uplink
  }

  /** Whether the microscope was asked for this rendition, or may not have heard yet that it no longer is. */
  isDemanded(id: RenditionId): boolean {
    return this.#tracker.demanded.has(id)
  }

  /** What each viewer has now. */
  get flows(): Iterable<Flow> {
    return [...this.#viewers.values()].map(({ flow }) => flow)
  }

  /** Tells the microscope for the first time. */
  open(): void {
    this.#stepDemand()
  }

  /** A viewer wants this from now on. @returns What it gets, once that flows. */
  async want(viewer: FlowViewer, wish: ViewerWish): Promise<Flow> {
    const state = this.#viewers.get(viewer) ?? { wish: NO_WISH, flow: NO_FLOW, budget: new DownlinkBudget(), waiting: 0 }
    this.#viewers.set(viewer, state)
    state.wish = wish
    state.budget.claim(wish.downlinkBitsPerSecond as BitsPerSecond | undefined)
    state.waiting++
    await this.#update()
    state.waiting--
    return state.flow
  }

  /** A viewer is gone. Idempotent. */
  leave(viewer: FlowViewer): void {
    if (this.#viewers.delete(viewer)) void this.#update()
  }

  /** The microscope's word on its line. */
  uplinkEstimated(rate: BitsPerSecond): void {
    const isNews = isOther(rate, this.#uplink)
    this.#uplink = rate
    if (isNews) void this.#update()
  }

  /** The congestion controller's word on a viewer's line. */
  downlinkEstimated(viewer: FlowViewer, estimate: Omit<BandwidthReading, 'flowing'>): void {
    const state = this.#viewers.get(viewer)
    if (state === undefined) return
    const before = state.budget.bitsPerSecond
    state.budget.read({ ...estimate, flowing: this.#fit.rateOf(state.flow.flowing) }, this.#options.clock.now())
    if (isOther(state.budget.bitsPerSecond, before)) void this.#update()
  }

  /** Nothing is decided any more. Idempotent. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  /** Settles when everything known at this moment has taken effect. */
  #update(): Promise<void> {
    this.#isStale = true
    return (this.#running ??= this.#settle())
  }

  async #settle(): Promise<void> {
    try {
      while (this.#isStale && !this.#isClosed) {
        this.#isStale = false
        await this.#applyFlows()
        this.#stepDemand()
      }
    } finally {
      this.#running = undefined
    }
  }

  async #applyFlows(): Promise<void> {
    const uplink = bitsPerSecond(Math.min((this.#uplink ?? Infinity) * ADMISSION_SHARE, grantedRate(this.#options.granted ?? null)))
    const changes: Promise<void>[] = []
    for (const [viewer, flow] of this.#fitGranted(uplink)) {
      const state = this.#viewers.get(viewer)
      if (state === undefined || isSameFlow(state.flow, flow)) continue
      state.flow = flow
      changes.push(viewer.apply(flow.flowing))
      if (state.waiting === 0) viewer.flowChanged(flow)
    }
    await Promise.all(changes)
    const union = unionByRank([...this.#viewers.values()])
    const canLinger = this.#fit.rateOf(new Set([...union, ...this.#tracker.demanded])) <= uplink
    this.#tracker.want(union, canLinger, this.#options.clock.now())
  }

  /** What flows to each viewer, and never more than was reserved: where lines alone are short, the overview and what is under a pointer flow all the same. */
  #fitGranted(uplink: BitsPerSecond): ReadonlyMap<FlowViewer, Flow> {
    const microscope = this.#options.granted ?? null
    const rateOf = this.#fit.rateOf.bind(this.#fit)
    const wanted = new Map<FlowViewer, WantedFlow>()
    const refused = new Map<FlowViewer, Withheld[]>()
    for (const [viewer, { wish, budget }] of this.#viewers) {
      const { granted = null } = viewer
      const within = withinGrants(wish, { viewer: granted, microscope }, rateOf)
      const cause = withinGrants(wish, { viewer: granted, microscope: null }, rateOf).refused.length > 0 ? 'downlink' : 'uplink'
      refused.set(viewer, within.refused.map(renditionId => ({ renditionId, cause })))
      wanted.set(viewer, { ...within, downlink: bitsPerSecond(Math.min(budget.bitsPerSecond, grantedRate(granted))) })
    }
    for (;;) {
      const flows = this.#fit.fit(wanted, uplink)
      const all = new Set([...flows.values()].flatMap(({ flowing }) => flowing))
      const [greediest] = [...flows].filter(([viewer]) => wanted.get(viewer)?.renditions.some(id => id !== OVERVIEW)).sort(([, a], [, b]) => rateOf(b.flowing) - rateOf(a.flowing))
      if (rateOf(all) <= grantedRate(microscope) || greediest === undefined) {
        return new Map([...flows].map(([viewer, flow]) => [viewer, { ...flow, withheld: [...flow.withheld, ...(refused.get(viewer) ?? [])] }]))
      }
      const [viewer] = greediest
      const { renditions = [], downlink = uplink } = wanted.get(viewer) ?? {}
      refused.set(viewer, [...(refused.get(viewer) ?? []), ...renditions.filter(id => id !== OVERVIEW).map(renditionId => ({ renditionId, cause: 'uplink' as const }))])
      wanted.set(viewer, { renditions: [OVERVIEW], prefetch: [], downlink })
    }
  }

  #stepDemand(): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const now = this.#options.clock.now()
    const { send, wakeAt } = this.#tracker.step(now)
    if (send !== undefined) this.#options.onDemand(send)
    if (wakeAt !== undefined) this.#timer = setTimeout(() => this.#stepDemand(), millis(Math.max(1, wakeAt - now)))
  }
}

const isOther = (rate: BitsPerSecond, before: BitsPerSecond | undefined): boolean =>
  before === undefined || Math.abs(rate - before) > before * BUDGET_NEWS

function isSameFlow(a: Flow, b: Flow): boolean {
  const flowing = new Set(a.flowing)
  const withheld = new Set(a.withheld.map(({ renditionId, cause }) => `${renditionId} ${cause}`))
  return (
    flowing.size === b.flowing.length &&
    b.flowing.every(id => flowing.has(id)) &&
    withheld.size === b.withheld.length &&
    b.withheld.every(({ renditionId, cause }) => withheld.has(`${renditionId} ${cause}`))
  )
}

/** Everything that flows to anybody, ordered by the best rank that any viewer gives it. */
function unionByRank(viewers: readonly ViewerState[]): readonly RenditionId[] {
  const ranks = new Map<RenditionId, number>()
  for (const { wish, flow } of viewers) {
    const order = new Map([...wish.renditions, ...wish.prefetch].map((id, index) => [id, index]))
    for (const id of flow.flowing) ranks.set(id, Math.min(ranks.get(id) ?? Infinity, order.get(id) ?? order.size))
  }
  return [...ranks].sort(([, a], [, b]) => a - b).map(([id]) => id)
}
