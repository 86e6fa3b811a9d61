import { RelayFault } from '../relay/wire/fault.ts'
import { MAX_SLIDES, MEMBER_COLOURS, SHARED_PER_SECOND } from '../relay/wire/slide-sharing.ts'
import { TokenBucket } from './signaling/token-bucket.ts'
import type { Clock } from '../relay/runtime/clock.ts'
import type { ConsultationId, MemberId, SlideId } from '../relay/wire/ids.ts'
import type { ArrivedTiles, LedSlide, MemberColour, SlideLead, SlidePoint } from '../relay/wire/slide-sharing.ts'
import type { SlideSummary } from '../relay/wire/slide.ts'
import type { Notification } from '../relay/wire/signaling.ts'

/** What a consultation needs to know of its node's slides. */
export interface SlideNews {
  slidesOf(consultationId: ConsultationId): readonly SlideSummary[]
  /** Called whenever slides came, went or got further, at most 4 times a second. @returns A function that stops it. */
  onSlidesChanged(consultationId: ConsultationId, listener: (slides: readonly SlideSummary[]) => void): () => void
  /** Called at once when tiles came that a viewer of the consultation looks at. @returns A function that stops it. */
  onTilesArrived(consultationId: ConsultationId, listener: (arrived: ArrivedTiles) => void): () => void
  /** Called after annotations of a slide were stored. @returns A function that stops it. */
  onAnnotationsChanged(consultationId: ConsultationId, listener: (slideId: SlideId, version: number) => void): () => void
}

/** A viewer, as the others see it on slides. */
export interface SharingMember {
  readonly memberId: MemberId
  readonly colour: MemberColour
  notify(notification: Notification): void
}

/** The lowest colour that the fewest have. */
export function nextColour(taken: Iterable<MemberColour>): MemberColour {
  const counts = new Array<number>(MEMBER_COLOURS).fill(0)
  for (const colour of taken) counts[colour] = (counts[colour] ?? 0) + 1
  return counts.indexOf(Math.min(...counts))
}

/** Tells the viewers of a consultation of its slides, and of each other on them. */
export class SlideSharing implements Disposable {
  readonly #members: ReadonlySet<SharingMember>
  readonly #clock: Pick<Clock, 'now'>
  readonly #buckets = new WeakMap<SharingMember, { readonly pointer: TokenBucket; readonly lead: TokenBucket }>()
  readonly #stops: (() => void)[]
  #slides: readonly SlideSummary[] = []
  #leader: SharingMember | undefined
  #lead: SlideLead | undefined

  constructor(consultationId: ConsultationId, news: SlideNews | undefined, members: ReadonlySet<SharingMember>, clock: Pick<Clock, 'now'>) {
    this.#members = members
    this.#clock = clock
    if (news === undefined) {
      this.#stops = []
      return
    }
    this.#slides = news.slidesOf(consultationId)
    this.#stops = [
      news.onSlidesChanged(consultationId, slides => this.#slidesChanged(slides)),
      news.onTilesArrived(consultationId, arrived => this.#tell({ type: 'slideTilesArrived', ...arrived })),
      news.onAnnotationsChanged(consultationId, (slideId, version) => this.#tell({ type: 'annotationsChanged', slideId, version })),
    ]
  }

  /** Tells a new viewer what there is. */
  welcome(member: SharingMember): void {
    if (this.#slides.length > 0) member.notify(this.#slidesNotification())
    const led = this.#led()
    if (led !== null) member.notify({ type: 'slideLed', led })
  }

  /** @throws {RelayFault} `not_found` when the consultation has no such slide. */
  point(member: SharingMember, slideId: SlideId, at: SlidePoint | null): void {
    this.#check(slideId)
    // The end of pointing is never dropped: a pointer would be left standing.
    if (!this.#bucketsOf(member).pointer.take(this.#clock.now()) && at !== null) return
    const { memberId, colour } = member
    this.#tell({ type: 'slidePointed', memberId, colour, slideId, at }, member)
  }

  /** @throws {RelayFault} `not_found` when the consultation has no such slide. */
  lead(member: SharingMember, lead: SlideLead | null): void {
    if (lead === null) {
      this.left(member)
      return
    }
    this.#check(lead.slideId)
    if (!this.#bucketsOf(member).lead.take(this.#clock.now())) return
    const before = this.#leader
    this.#leader = member
    this.#lead = lead
    // Who led before hears of it like everybody else.
    if (before !== undefined && before !== member) before.notify({ type: 'slideLed', led: this.#led() })
    this.#tell({ type: 'slideLed', led: this.#led() }, member, before)
  }

  /** A viewer left, or leads no longer. */
  left(member: SharingMember): void {
    if (this.#leader !== member) return
    this.#leader = undefined
    this.#lead = undefined
    this.#tell({ type: 'slideLed', led: null }, member)
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  #slidesChanged(slides: readonly SlideSummary[]): void {
    this.#slides = slides
    this.#tell(this.#slidesNotification())
  }

  #slidesNotification(): Notification {
    return { type: 'slidesChanged', slides: this.#slides.slice(-MAX_SLIDES) }
  }

  #led(): LedSlide | null {
    if (this.#leader === undefined || this.#lead === undefined) return null
    const { memberId, colour } = this.#leader
    return { memberId, colour, ...this.#lead }
  }

  #check(slideId: SlideId): void {
    if (!this.#slides.some(slide => slide.slideId === slideId)) throw new RelayFault('not_found', 'this consultation has no such slide')
  }

  #tell(notification: Notification, ...except: readonly (SharingMember | undefined)[]): void {
    for (const member of this.#members) if (!except.includes(member)) member.notify(notification)
  }

  #bucketsOf(member: SharingMember): { readonly pointer: TokenBucket; readonly lead: TokenBucket } {
    const known = this.#buckets.get(member)
    if (known !== undefined) return known
    const bucket = (): TokenBucket => new TokenBucket(SHARED_PER_SECOND, SHARED_PER_SECOND, this.#clock.now())
    const made = { pointer: bucket(), lead: bucket() }
    this.#buckets.set(member, made)
    return made
  }
}
