import { signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { LedSlide, PointedSlide, SlideLead, SlidePoint } from '../../../relay/wire/slide-sharing.ts'
import type { SlideSummary } from '../../../relay/wire/slide.ts'
import type { Joined } from './viewer-session.ts'

/** How a channel says things to the node. */
export interface SlideVoice {
  pointAtSlide(slideId: SlideId, at: SlidePoint | null): Promise<void>
  leadSlide(lead: SlideLead | null): Promise<void>
}

/** What is heard and said about slides on the signaling connection, over all its sessions. */
export class SlideChannel {
  /** Who this viewer is; null before it joined first. */
  readonly me = signal<Pick<Joined, 'memberId' | 'colour'> | null>(null)
  /** Oldest first. */
  readonly slides = signal<readonly SlideSummary[]>([])
  /** Where somebody else leads. */
  readonly led = signal<LedSlide | null>(null)
  /** Called for every pointer of the others. */
  onPointed: ((pointed: PointedSlide) => void) | undefined
  /** Called after annotations were stored. */
  onAnnotations: ((slideId: SlideId, version: number) => void) | undefined
  readonly #voice: SlideVoice
  readonly #onFault: (fault: RelayFault) => void

  constructor(voice: SlideVoice, onFault: (fault: RelayFault) => void) {
    this.#voice = voice
    this.#onFault = onFault
  }

  /** A session began: what an earlier one said may be over. */
  joined(me: Joined): void {
    this.me.value = me
  }

  /** A session ended. */
  lost(): void {
    this.led.value = null
  }

  point(slideId: SlideId, at: SlidePoint | null): void {
    this.#say(this.#voice.pointAtSlide(slideId, at))
  }

  lead(lead: SlideLead | null): void {
    this.#say(this.#voice.leadSlide(lead))
  }

  #say(saying: Promise<void>): void {
    saying.catch((error: unknown) => {
      const fault = toFault(error)
      // Without a session nobody can be shown anything; that is visible elsewhere.
      if (fault.code !== 'unavailable') this.#onFault(fault)
    })
  }
}
