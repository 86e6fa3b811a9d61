import { effect, signal, untracked } from '@preact/signals'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { LedSlide, SlideLead, SlidePoint } from '../../../relay/wire/slide-sharing.ts'
import type { SlideSummary } from '../../../relay/wire/slide.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Allowance } from '../access/allowance.ts'
import type { AuthorizedFetch } from '../access/node-fetch.ts'
import type { SlideChannel } from '../session/slide-channel.ts'
import { watchCanvasSize } from '../view/canvas-size.ts'
import { AnnotationStore } from './annotation-store.ts'
import { Following } from './following.ts'
import type { FollowMode } from './following.ts'
import { ThrottledSender } from './latest-throttle.ts'
import { SlideApi } from './slide-api.ts'
import { SlideView } from './slide-view.ts'
import { Telepointers } from './telepointers.ts'
import type { Telepointer } from './telepointers.ts'

/** At most 15 pointers and places a second, as the protocol asks. */
const SHARE_INTERVAL = millis(1000 / 15)
const POINTER_SWEEP_MS = 1000
/** A leader that rests says so again: who came meanwhile, or missed it, is there again. */
const LEAD_REPEAT_MS = 3000

/** One slide on the desk. */
export interface OpenSlide {
  readonly slideId: SlideId
  readonly view: SlideView
  readonly annotations: AnnotationStore
  /** Its pixels. */
  readonly element: HTMLElement
}

/** The slides of the consultation: which is open, who leads, and where others point. */
export class SlideDesk {
  readonly channel: SlideChannel
  readonly open = signal<OpenSlide | null>(null)
  /** Being opened. */
  readonly opening = signal<SlideId | null>(null)
  readonly fault = signal<RelayFault | null>(null)
  readonly follow = signal<FollowMode>('free')
  readonly pointers = signal<readonly Telepointer[]>([])
  readonly #fetch: AuthorizedFetch
  readonly #allowance: Allowance
  readonly #following = new Following()
  readonly #telepointers = new Telepointers()
  readonly #lead: ThrottledSender<SlideLead>
  readonly #point: ThrottledSender<{ readonly slideId: SlideId; readonly at: SlidePoint | null }>
  #stopWatching: (() => void) | undefined
  #lastLead: SlideLead | undefined

  constructor(channel: SlideChannel, fetch: AuthorizedFetch, allowance: Allowance) {
    this.#allowance = allowance
    this.channel = channel
    this.#fetch = fetch
    this.#lead = new ThrottledSender(SHARE_INTERVAL, lead => channel.lead(lead))
    this.#point = new ThrottledSender(SHARE_INTERVAL, ({ slideId, at }) => channel.point(slideId, at))
    channel.onPointed = pointed => {
      this.#telepointers.take(pointed, millis(performance.now()))
      this.#showPointers()
    }
    channel.onTiles = arrived => {
      if (this.open.value?.slideId === arrived.slideId) this.open.value.view.tilesArrived(arrived)
    }
    channel.onAnnotations = slideId => {
      if (this.open.value?.slideId === slideId) this.open.value.annotations.reload()
    }
    setInterval(() => this.#showPointers(), POINTER_SWEEP_MS)
    setInterval(() => this.#repeatLead(), LEAD_REPEAT_MS)
    effect(() => {
      const led = channel.led.value
      untracked(() => this.#heard(led))
    })
    effect(() => {
      const slides = channel.slides.value
      untracked(() => this.#arrived(slides))
    })
  }

  get mayView(): boolean {
    return this.#allowance.may('view_slide')
  }

  get mayAnnotate(): boolean {
    return this.#allowance.may('annotate')
  }

  /** Opens a slide in place of another; null goes back to the live image. */
  async show(slideId: SlideId | null): Promise<void> {
    if (slideId === this.open.value?.slideId || (slideId !== null && slideId === this.opening.value)) return
    this.opening.value = slideId
    this.#close()
    if (slideId === null) return
    if (!this.mayView) {
      this.opening.value = null
      this.fault.value = new RelayFault('policy_refused', 'this was not granted')
      return
    }
    const api = new SlideApi(this.#fetch, slideId)
    try {
      const described = await api.describe()
      if (this.opening.value !== slideId) return
      const element = Object.assign(document.createElement('div'), { className: 'slide-pixels' })
      const view = new SlideView(element, api, described)
      this.fault.value = null
      this.open.value = { slideId, view, annotations: new AnnotationStore(api), element }
      this.#bind(slideId, view, element)
    } catch (error) {
      this.fault.value = toFault(error)
    } finally {
      if (this.opening.value === slideId) this.opening.value = null
    }
  }

  /** Follows who leads; where nobody does, leads. Called again, stops. */
  toggleFollow(): void {
    const { mode, led } = this.#following
    if (mode === 'leading') this.channel.lead(null)
    if (mode !== 'free') this.#following.stop()
    else if (led !== null) this.#following.follow()
    else if (this.open.value !== null && this.channel.mayLead) this.#following.lead()
    this.#follow()
    if (this.#following.mode === 'leading') this.#leadFrom(this.open.value)
  }

  /** Leads, also in place of somebody else. */
  takeLead(): void {
    if (this.open.value === null || !this.channel.mayLead) return
    this.#following.lead()
    this.#follow()
    this.#leadFrom(this.open.value)
  }

  #bind(slideId: SlideId, view: SlideView, element: HTMLElement): void {
    this.#stopWatching = watchCanvasSize(element, (size, ratio) => {
      view.resize(size, ratio)
      this.#follow()
    })
    view.onPointer = at => this.#point.offer({ slideId, at })
    view.onGesture = () => {
      this.#following.gesture()
      this.follow.value = this.#following.mode
    }
    view.onMoved = area => {
      this.#lastLead = { slideId, area }
      if (this.#following.mode === 'leading') this.#lead.offer(this.#lastLead)
    }
    this.#showPointers()
  }

  #close(): void {
    const open = this.open.value
    if (open === null) return
    this.#point.drop()
    this.channel.point(open.slideId, null)
    if (this.#following.mode === 'leading' && this.opening.value === null) this.toggleFollow()
    this.#lead.drop()
    this.#lastLead = undefined
    this.#stopWatching?.()
    this.open.value = null
    open.view.close()
    this.#showPointers()
  }

  #leadFrom(open: OpenSlide | null): void {
    if (open !== null && this.#lastLead !== undefined) this.#lead.offer(this.#lastLead)
  }

  #repeatLead(): void {
    if (this.#following.mode === 'leading') this.#leadFrom(this.open.value)
  }

  #heard(led: LedSlide | null): void {
    this.#following.heard(led)
    this.#follow()
  }

  /** Goes where the leader is, on the leader's slide. */
  #follow(): void {
    this.follow.value = this.#following.mode
    const target = this.#following.target
    if (target === null) return
    const open = this.open.peek()
    if (open?.slideId === target.slideId) open.view.follow(target.area)
    else void this.show(target.slideId)
  }

  #arrived(slides: readonly SlideSummary[]): void {
    const open = this.open.peek()
    if (open !== null && slides.some(({ slideId }) => slideId === open.slideId)) open.view.arrived()
  }

  #showPointers(): void {
    const open = this.open.peek()
    const next = open === null ? [] : this.#telepointers.on(open.slideId, millis(performance.now()))
    if (next.length > 0 || this.pointers.peek().length > 0) this.pointers.value = next
  }
}
