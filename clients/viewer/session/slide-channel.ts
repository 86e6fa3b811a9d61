import { signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { Notification } from '../../../relay/wire/signaling.ts'
import type { ArrivedTiles, LedSlide, PointedSlide, SlideLead, SlidePoint } from '../../../relay/wire/slide-sharing.ts'
import type { SlideSummary } from '../../../relay/wire/slide.ts'
import type { ConnectionPart, NodeVoice } from './connection-part.ts'
import type { Joined } from './viewer-session.ts'

/** What is heard and said about slides on the signaling connection, over all its sessions. */
export class SlideChannel implements ConnectionPart {
  /** Who this viewer is; null before it joined first. */
  readonly me = signal<Pick<Joined, 'memberId' | 'colour'> | null>(null)
  /** Oldest first. */
  readonly slides = signal<readonly SlideSummary[]>([])
  /** Where somebody else leads. */
  readonly led = signal<LedSlide | null>(null)
  /** Called for every pointer of the others. */
  onPointed: ((pointed: PointedSlide) => void) | undefined
  /** Called when tiles can be had that a viewer looks at. */
  onTiles: ((arrived: ArrivedTiles) => void) | undefined
  /** Called after annotations were stored. */
  onAnnotations: ((slideId: SlideId, version: number) => void) | undefined
  readonly #voice: NodeVoice
  readonly #onFault: (fault: RelayFault) => void

  constructor(voice: NodeVoice, onFault: (fault: RelayFault) => void) {
    this.#voice = voice
    this.#onFault = onFault
  }

  joined(me: Joined): void {
    this.me.value = me
  }

  lost(): void {
    this.led.value = null
  }

  heard(notification: Notification): void {
    switch (notification.type) {
      case 'slidesChanged':
        this.slides.value = notification.slides
        break
      case 'slidePointed':
        this.onPointed?.(notification)
        break
      case 'slideLed':
        this.led.value = notification.led
        break
      case 'slideTilesArrived':
        this.onTiles?.(notification)
        break
      case 'annotationsChanged':
        this.onAnnotations?.(notification.slideId, notification.version)
        break
      default:
        // Another part's.
        break
    }
  }

  point(slideId: SlideId, at: SlidePoint | null): void {
    if (this.#voice.may('pointAtSlide')) this.#say(this.#voice.ask('pointAtSlide', { slideId, at }))
  }

  /** Whether this viewer may show the others the way. */
  get mayLead(): boolean {
    return this.#voice.may('leadSlide')
  }

  lead(lead: SlideLead | null): void {
    if (this.mayLead) this.#say(this.#voice.ask('leadSlide', { lead }))
  }

  #say(saying: Promise<unknown>): void {
    saying.catch((error: unknown) => {
      const fault = toFault(error)
      // Without a session nobody can be shown anything; that is visible elsewhere.
      if (fault.code !== 'unavailable') this.#onFault(fault)
    })
  }
}
