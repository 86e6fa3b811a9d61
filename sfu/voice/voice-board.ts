import { millis } from '../../relay/wire/units.ts'
import type { ProducerId } from '../../relay/wire/ids.ts'
import type { Speaker } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Changes within so long are told together. */
const QUIET_MILLIS = 100
/** Who was loud counts as speaking for so long: longer than the pauses between words. */
const PAUSE_MILLIS = 700

/** Keeps who may speak and who does, and decides when the others are told. Does no I/O and reads no clock. */
export class VoiceBoard {
  readonly #speakers = new Map<ProducerId, Omit<Speaker, 'isSpeaking'>>()
  readonly #loudUntil = new Map<ProducerId, Millis>()
  #told: readonly Speaker[] = []
  #toldAt = millis(-Infinity)

  /** How many may speak. */
  get size(): number {
    return this.#speakers.size
  }

  /** A voice is there. */
  add(speaker: Omit<Speaker, 'isSpeaking'>): void {
    this.#speakers.set(speaker.producerId, speaker)
  }

  /** A voice is gone. */
  remove(producerId: ProducerId): void {
    this.#speakers.delete(producerId)
    this.#loudUntil.delete(producerId)
  }

  /** A microphone was opened or closed. */
  setOpen(producerId: ProducerId, isMicrophoneOpen: boolean): void {
    const speaker = this.#speakers.get(producerId)
    if (speaker === undefined) return
    this.#speakers.set(producerId, { ...speaker, isMicrophoneOpen })
    if (!isMicrophoneOpen) this.#loudUntil.delete(producerId)
  }

  /** These are loud now. */
  loud(producerIds: Iterable<ProducerId>, now: Millis): void {
    for (const producerId of producerIds) {
      if (this.#speakers.get(producerId)?.isMicrophoneOpen === true) this.#loudUntil.set(producerId, millis(now + PAUSE_MILLIS))
    }
  }

  /** Who may speak, and who does, in the order of beginning. */
  speakers(now: Millis): readonly Speaker[] {
    return [...this.#speakers.values()].map(speaker => ({ ...speaker, isSpeaking: (this.#loudUntil.get(speaker.producerId) ?? 0) > now }))
  }

  /** What everybody is to be told now, and when to ask again. */
  step(now: Millis): { readonly tell: readonly Speaker[] | undefined; readonly wakeAt: Millis | undefined } {
    const speakers = this.speakers(now)
    const isNews = !isSame(speakers, this.#told)
    if (isNews && now < this.#toldAt + QUIET_MILLIS) return { tell: undefined, wakeAt: millis(this.#toldAt + QUIET_MILLIS) }
    if (isNews) {
      this.#told = speakers
      this.#toldAt = now
    }
    const pauses = [...this.#loudUntil.values()].filter(until => until > now)
    return { tell: isNews ? speakers : undefined, wakeAt: pauses.length === 0 ? undefined : millis(Math.min(...pauses)) }
  }
}

function isSame(one: readonly Speaker[], other: readonly Speaker[]): boolean {
  return one.length === other.length && one.every(({ producerId, isMicrophoneOpen, isSpeaking }, index) => {
    const against = other[index]
    return against?.producerId === producerId && against.isMicrophoneOpen === isMicrophoneOpen && against.isSpeaking === isSpeaking
  })
}
