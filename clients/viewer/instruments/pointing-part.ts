import { signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import type { MemberId } from '../../../relay/wire/ids.ts'
import { DRAWING_LIMITS } from '../../../relay/wire/pointing.ts'
import type { DrawnGeometry, ImageAnnotation, ImagePlace, ImagePoint, PointedImage } from '../../../relay/wire/pointing.ts'
import type { Notification, Publication } from '../../../relay/wire/signaling.ts'
import type { MemberColour } from '../../../relay/wire/slide-sharing.ts'
import type { StageState } from '../../../relay/wire/stage.ts'
import { millis, rtpTimestamp } from '../../../relay/wire/units.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { ConnectionPart, NodeVoice } from '../session/connection-part.ts'
import { epochNow } from '../session/page-clock.ts'
import type { Joined } from '../session/viewer-session.ts'
import { ThrottledSender } from '../slides/latest-throttle.ts'
import { FramePlaces } from './frame-places.ts'

/** Slower than what the node passes on of one session. */
const POINTER_INTERVAL = millis(1000 / (0.8 * DRAWING_LIMITS.pointersPerSecond))
/** A pointer that is silent for so long is shown no more. */
const POINTER_LIFE_MS = 10_000
/** Pointers that are remembered for measurements. */
const LOGGED = 512

/** Where another member points, on which tissue. */
export interface LivePointer {
  readonly memberId: MemberId
  readonly colour: MemberColour
  readonly at: ImagePoint
  readonly place: ImagePlace | null
}

/** A pointer of somebody else, and when it was heard of and drawn, in milliseconds since the epoch on the page's clock. */
export interface LoggedPointer {
  readonly memberId: MemberId
  readonly at: ImagePoint
  readonly heardAtMs: number
  drawnAtMs: number | null
}

/** The frame that is on the canvas. */
type Seen = () => RtpTimestamp | undefined

/** What members show each other on the live image. */
export class PointingPart implements ConnectionPart {
  readonly pointers = signal<readonly LivePointer[]>([])
  readonly annotations = signal<readonly ImageAnnotation[]>([])
  /** Whether others see this viewer's pointer. */
  readonly isShared = signal(true)
  readonly me = signal<Joined | null>(null)
  /** Where each frame was taken. */
  readonly places = new FramePlaces()
  readonly #voice: NodeVoice
  readonly #seen: Seen
  readonly #onFault: (fault: RelayFault) => void
  readonly #sender = new ThrottledSender<{ readonly at: ImagePoint | null; readonly seen: RtpTimestamp }>(POINTER_INTERVAL, ({ at, seen }) => {
    this.#say(this.#voice.askOfPublication('pointAtImage', { rtpTimestamp: seen, at }))
  })
  readonly #timers = new Map<MemberId, ReturnType<typeof setTimeout>>()
  #log: LoggedPointer[] = []
  #isPointing = false

  constructor(voice: NodeVoice, seen: Seen, onFault: (fault: RelayFault) => void) {
    this.#voice = voice
    this.#seen = seen
    this.#onFault = onFault
  }

  /** Pointers of the others that were heard of last, oldest first. */
  get log(): readonly LoggedPointer[] {
    return this.#log
  }

  joined(me: Joined): void {
    this.me.value = me
  }

  lost(): void {
    this.#forget()
  }

  publicationChanged(publication: Publication | null): void {
    // A reception that was opened anew is of the same publication, whose drawings stay.
    if (publication === null) this.#forget()
    this.places.restart(publication?.stage ?? null)
  }

  stageChanged(state: StageState): void {
    this.places.told(state)
  }

  heard(notification: Notification): void {
    switch (notification.type) {
      case 'imagePointed':
        this.#pointed(notification)
        break
      case 'imageAnnotated': {
        const known = new Set(notification.annotations.map(({ id }) => id))
        this.annotations.value = [...this.annotations.value.filter(({ id }) => !known.has(id)), ...notification.annotations]
        break
      }
      case 'imageAnnotationRemoved':
        this.annotations.value = this.annotations.value.filter(({ id }) => id !== notification.id)
        break
      default:
        // Another part's.
        break
    }
  }

  /** The pointer is over that place of the image; undefined: elsewhere. */
  pointAt(at: ImagePoint | undefined): void {
    const seen = this.#seen()
    if (!this.#voice.may('pointAtImage')) return
    if (seen === undefined || (at === undefined && !this.#isPointing)) return
    if (!this.isShared.value && at !== undefined) return
    this.#isPointing = at !== undefined
    this.#sender.offer({ at: at ?? null, seen })
  }

  toggleShared(): void {
    this.isShared.value = !this.isShared.value
    if (!this.isShared.value) this.pointAt(undefined)
  }

  /** Draws on the frame that is on the canvas, for everybody. */
  draw(geometry: DrawnGeometry): void {
    const seen = this.#seen()
    if (seen !== undefined && this.#voice.may('annotateImage')) this.#say(this.#voice.askOfPublication('annotateImage', { rtpTimestamp: seen, annotation: { id: crypto.randomUUID(), geometry } }))
  }

  /** Takes back what this member drew last. */
  undo(): void {
    const last = this.annotations.value.findLast(({ author }) => author === this.me.value?.memberId)
    if (last !== undefined && this.#voice.may('removeImageAnnotation')) this.#say(this.#voice.askOfPublication('removeImageAnnotation', { id: last.id }))
  }

  #pointed({ memberId, colour, at, rtpTimestamp: seen }: PointedImage): void {
    clearTimeout(this.#timers.get(memberId))
    const others = this.pointers.value.filter(pointer => pointer.memberId !== memberId)
    if (at === null) {
      this.pointers.value = others
      return
    }
    this.#timers.set(memberId, setTimeout(() => (this.pointers.value = this.pointers.value.filter(pointer => pointer.memberId !== memberId)), POINTER_LIFE_MS))
    const logged: LoggedPointer = { memberId, at, heardAtMs: epochNow(), drawnAtMs: null }
    this.#log = [...this.#log.slice(1 - LOGGED), logged]
    this.pointers.value = [...others, { memberId, colour, at, place: this.places.at(rtpTimestamp(seen)) }]
    // What depends on the signal is in the page before the next frame is painted.
    requestAnimationFrame(() => (logged.drawnAtMs = epochNow()))
  }

  #forget(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.pointers.value = []
    this.annotations.value = []
    this.#sender.drop()
  }

  #say(saying: Promise<unknown>): void {
    saying.catch((error: unknown) => {
      const fault = toFault(error)
      // The publication is over, or the socket is: news of that comes by another way.
      if (fault.code !== 'unavailable' && fault.code !== 'wrong_state') this.#onFault(fault)
    })
  }
}
