import { computed, signal } from '@preact/signals'

/** Whether what the microphone takes up may leave the machine. */
export class MicrophoneGate {
  /** Closed by the person, until it is opened again. */
  readonly isMuted = signal(false)
  /** Closed but while a key or button is held. */
  readonly isPushToTalk = signal(false)
  /** That key or button is held. It opens a muted microphone, too. */
  readonly isHeld = signal(false)
  readonly isOpen = computed(() => this.isHeld.value || (!this.isMuted.value && !this.isPushToTalk.value))

  /** Opens or closes it. With push to talk that ends it: the microphone stays open. */
  toggle(): void {
    if (this.isPushToTalk.value) {
      this.isPushToTalk.value = false
      this.isMuted.value = false
    } else {
      this.isMuted.value = !this.isMuted.value
    }
  }
}
