import { RelayFault } from '../../relay/wire/fault.ts'
import { DRAWING_LIMITS } from '../../relay/wire/pointing.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import { drawingsOn } from './drawings-geojson.ts'
import { ImageDrawings } from './image-drawings.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { MemberId, PublicationId } from '../../relay/wire/ids.ts'
import type { PlaceHistory } from '../../relay/wire/place-history.ts'
import type { DrawnAnnotation, ImageAnnotation, ImagePoint } from '../../relay/wire/pointing.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Notification } from '../../relay/wire/signaling.ts'
import type { SlideAnnotations } from '../../relay/wire/slide-annotations.ts'
import type { MemberColour } from '../../relay/wire/slide-sharing.ts'
import type { Stage } from '../../relay/wire/stage.ts'
import type { FrameClock } from './frame-clock.ts'

/** Whoever may point and draw. */
export interface PointingMember {
  readonly memberId: MemberId
  readonly colour: MemberColour
  notify(notification: Notification): void
}

/** A publication that is pointed at. */
export interface PointedPublication {
  readonly publicationId: PublicationId
  readonly pyramid: Pyramid
  readonly stage: Stage | null
}

/** What a {@link PointingDesk} stands on. */
export interface PointingDeskOptions {
  /** Who is present. */
  readonly members: ReadonlySet<PointingMember>
  readonly published: () => PointedPublication | undefined
  readonly frames: FrameClock
  readonly places: PlaceHistory
  readonly clock: Pick<Clock, 'now'>
}

/** The frame that somebody saw. */
export interface SeenFrame {
  readonly publicationId: PublicationId
  readonly rtpTimestamp: number
}

/** What members show each other on the live image of a consultation: pointers, and what they draw on the present publication. */
export class PointingDesk {
  readonly #options: PointingDeskOptions
  readonly #drawings = new ImageDrawings()
  readonly #buckets = new WeakMap<PointingMember, { readonly pointers: TokenBucket; readonly drawings: TokenBucket }>()
  /** Whose pointer stands somewhere, and on which frame. */
  readonly #pointing = new Map<PointingMember, SeenFrame>()

  constructor(options: PointingDeskOptions) {
    this.#options = options
  }

  /** Tells a new member what is drawn. */
  welcome(member: PointingMember): void {
    const publicationId = this.#options.published()?.publicationId
    if (publicationId === undefined) return
    for (const annotations of this.#drawings.parts()) member.notify({ type: 'imageAnnotated', publicationId, annotations })
  }

  /** A member is gone, and with it its pointer. */
  left(member: PointingMember): void {
    const seen = this.#pointing.get(member)
    if (seen === undefined) return
    this.#pointing.delete(member)
    this.#tellPointer(member, seen, null)
  }

  /** Another publication, or none: what was drawn on the last one went with it. */
  publicationChanged(): void {
    this.#drawings.clear()
    this.#pointing.clear()
  }

  /** @throws {RelayFault} `wrong_state` when that publication is over; `out_of_range` outside of its image, or for a frame from the future. */
  point(member: PointingMember, seen: SeenFrame, at: ImagePoint | null): void {
    const { pyramid } = this.#seen(seen)
    if (at !== null) requireInside(pyramid, [at])
    // The end of pointing is never dropped: a pointer would be left standing.
    if (!this.#bucketsOf(member).pointers.take(this.#options.clock.now()) && at !== null) return
    if (at === null) this.#pointing.delete(member)
    else this.#pointing.set(member, seen)
    this.#tellPointer(member, seen, at)
  }

  /** @throws {RelayFault} As of {@link point}; `conflict` when its id is taken; `overloaded` when there is no room; `rate_limited`. */
  annotate(member: PointingMember, seen: SeenFrame, { id, geometry }: DrawnAnnotation): void {
    const { pyramid, publicationId, stage } = this.#seen(seen)
    requireInside(pyramid, geometry.points)
    if (!this.#bucketsOf(member).drawings.take(this.#options.clock.now())) throw new RelayFault('rate_limited', 'too many annotations per second')
    const place = stage === null ? null : (this.#options.places.at(rtpTimestamp(seen.rtpTimestamp)) ?? null)
    const annotation: ImageAnnotation = { id, geometry, author: member.memberId, colour: member.colour, rtpTimestamp: seen.rtpTimestamp, place }
    this.#drawings.add(annotation)
    this.#tell({ type: 'imageAnnotated', publicationId, annotations: [annotation] })
  }

  /** @throws {RelayFault} `wrong_state` when that publication is over; `not_found`; `grant_refused` for what somebody else drew. */
  remove(member: PointingMember, publicationId: PublicationId, id: string): void {
    this.#published(publicationId)
    this.#drawings.remove(id, member.memberId)
    this.#tell({ type: 'imageAnnotationRemoved', publicationId, id })
  }

  /** What is drawn on a frame of the present publication, as GeoJSON in pixels of that frame; undefined for another publication. */
  annotationsAt(publicationId: PublicationId, timestamp: number): SlideAnnotations | undefined {
    const published = this.#options.published()
    if (published?.publicationId !== publicationId) return undefined
    const { pyramid: { width, height }, stage } = published
    const place = stage === null ? undefined : this.#options.places.at(rtpTimestamp(timestamp))
    const micrometresPerPixel = stage?.objectives.find(({ name }) => name === place?.objective)?.micrometresPerPixel
    return drawingsOn(this.#drawings.all, { width, height, stage: place && micrometresPerPixel !== undefined ? { place, micrometresPerPixel } : undefined })
  }

  #published(publicationId: PublicationId): PointedPublication {
    const published = this.#options.published()
    if (published?.publicationId !== publicationId) throw new RelayFault('wrong_state', 'that publication is over')
    return published
  }

  #seen({ publicationId, rtpTimestamp: timestamp }: SeenFrame): PointedPublication {
    const published = this.#published(publicationId)
    this.#options.frames.check(publicationId, rtpTimestamp(timestamp), this.#options.clock.now())
    return published
  }

  #tellPointer({ memberId, colour }: PointingMember, { publicationId, rtpTimestamp: timestamp }: SeenFrame, at: ImagePoint | null): void {
    for (const other of this.#options.members) {
      if (other.memberId !== memberId) other.notify({ type: 'imagePointed', memberId, colour, publicationId, rtpTimestamp: timestamp, at })
    }
  }

  #tell(notification: Notification): void {
    for (const member of this.#options.members) member.notify(notification)
  }

  #bucketsOf(member: PointingMember): { readonly pointers: TokenBucket; readonly drawings: TokenBucket } {
    const known = this.#buckets.get(member)
    if (known !== undefined) return known
    const now = this.#options.clock.now()
    const { pointersPerSecond, perSecond, burst } = DRAWING_LIMITS
    const made = { pointers: new TokenBucket(pointersPerSecond, pointersPerSecond, now), drawings: new TokenBucket(perSecond, burst, now) }
    this.#buckets.set(member, made)
    return made
  }
}

function requireInside({ width, height }: Pyramid, points: readonly ImagePoint[]): void {
  if (points.some(({ x, y }) => x > width || y > height)) throw new RelayFault('out_of_range', 'that is outside of the image')
}
