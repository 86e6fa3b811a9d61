import { computed, signal } from '@preact/signals'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { SessionId } from '../../../relay/wire/ids.ts'
import type { Notification, StageHolder } from '../../../relay/wire/signaling.ts'
import type { ConnectionPart, NodeVoice } from '../session/connection-part.ts'
import type { Joined } from '../session/viewer-session.ts'

/** Who holds the stage, and taking, giving and stopping it. */
export class StageHold implements ConnectionPart {
  readonly holder = signal<StageHolder | null>(null)
  /** Who stopped the stage, until somebody takes it again. */
  readonly stoppedBy = signal<StageHolder | null>(null)
  readonly isMine = computed(() => this.holder.value !== null && this.holder.value.sessionId === this.#me.value)
  readonly #me = signal<SessionId | null>(null)
  readonly #voice: NodeVoice
  readonly #onFault: (fault: RelayFault) => void

  /** @param onFault - The stage did not do what was asked of it, or cannot be had. */
  constructor(voice: NodeVoice, onFault: (fault: RelayFault) => void) {
    this.#voice = voice
    this.#onFault = onFault
  }

  joined({ sessionId }: Joined): void {
    this.#me.value = sessionId
  }

  lost(): void {
    this.holder.value = null
    this.stoppedBy.value = null
  }

  heard(notification: Notification): void {
    if (notification.type === 'stageHeld') {
      this.holder.value = notification.holder
      this.stoppedBy.value = notification.stoppedBy
    } else if (notification.type === 'stageFaulted') {
      this.#onFault(new RelayFault(notification.fault.code, notification.fault.message))
    }
  }

  /** Whether this viewer may steer at all. */
  get mayClaim(): boolean {
    return this.#voice.may('claimStage')
  }

  /** Settles when the node has answered. */
  claim(): Promise<void> {
    return this.#ask(this.#voice.ask('claimStage', {}))
  }

  release(): Promise<void> {
    return this.#ask(this.#voice.ask('releaseStage', {}))
  }

  handOver(to: SessionId): Promise<void> {
    return this.#ask(this.#voice.ask('handOverStage', { to }))
  }

  stop(): Promise<void> {
    return this.#ask(this.#voice.ask('stopStage', {}))
  }

  async #ask(asking: Promise<unknown>): Promise<void> {
    try {
      await asking
    } catch (error) {
      this.#onFault(toFault(error))
    }
  }
}
