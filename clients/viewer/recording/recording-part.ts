import { signal } from '@preact/signals'
import { z } from 'zod'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { RecordingId } from '../../../relay/wire/ids.ts'
import { RECORDING_LIMITS, RecordingSummary } from '../../../relay/wire/recording.ts'
import type { RecordingStatus, ReplayOrigin, ReplayStatus } from '../../../relay/wire/recording.ts'
import type { Notification, Publication } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { AuthorizedFetch } from '../access/node-fetch.ts'
import type { ConnectionPart, NodeVoice } from '../session/connection-part.ts'

const Listed = z.object({ recordings: z.array(RecordingSummary).max(RECORDING_LIMITS.listed + 1) })
/** A replay that plays and brings nothing new for so long stands still. */
const REPLAY_STALE = millis(3000)

/** What may be asked of a replay. */
export interface ReplayControl {
  readonly isPlaying?: boolean
  readonly positionMillis?: number
  readonly speed?: number
}

/** Recording the consultation, and watching what was recorded. */
export class RecordingPart implements ConnectionPart {
  /** What the node last said; null before it said anything. */
  readonly status = signal<RecordingStatus | null>(null)
  /** What is replayed in place of the live image. */
  readonly origin = signal<ReplayOrigin | null>(null)
  readonly replay = signal<ReplayStatus | null>(null)
  /** Oldest first; as it was when it was last asked for. */
  readonly recordings = signal<readonly RecordingSummary[]>([])
  readonly fault = signal<RelayFault | null>(null)
  readonly isOpen = signal(false)
  readonly #voice: NodeVoice
  readonly #fetch: AuthorizedFetch

  constructor(voice: NodeVoice, fetch: AuthorizedFetch) {
    this.#voice = voice
    this.#fetch = fetch
  }

  joined(): void {
    this.status.value = null
    if (this.isOpen.value) void this.refresh()
  }

  lost(): void {
    this.replay.value = null
    this.recordings.value = []
  }

  publicationChanged(publication: Publication | null): void {
    this.origin.value = publication?.replay ?? null
    if (publication?.replay === undefined) this.replay.value = null
  }

  heard(notification: Notification): void {
    if (notification.type === 'recordingChanged') {
      const { type: _type, ...status } = notification
      const isOther = status.state !== this.status.value?.state
      this.status.value = status
      if (isOther && this.isOpen.value) void this.refresh()
    }
    if (notification.type === 'replayChanged') {
      const { type: _type, ...status } = notification
      this.replay.value = status
    }
  }

  /** When a picture of the publication counts as standing still; undefined: as for a live one. */
  staleAfter(publication: Publication | null): Millis | undefined {
    if (publication?.replay === undefined) return undefined
    return this.replay.value === null || this.replay.value.state === 'playing' ? REPLAY_STALE : millis(Infinity)
  }

  /** Whether this viewer may begin, end and delete recordings. */
  get mayRecord(): boolean {
    return this.#voice.may('startRecording')
  }

  get mayWatch(): boolean {
    return this.#voice.may('openReplay')
  }

  toggle(): void {
    this.isOpen.value = !this.isOpen.value
    if (this.isOpen.value) void this.refresh()
  }

  start(): Promise<void> {
    return this.#try(() => this.#voice.ask('startRecording', {}))
  }

  async stop(): Promise<void> {
    await this.#try(() => this.#voice.ask('stopRecording', {}))
    await this.refresh()
  }

  watch(recordingId: RecordingId): Promise<void> {
    return this.#try(() => this.#voice.ask('openReplay', { recordingId }))
  }

  control(control: ReplayControl): Promise<void> {
    return this.#try(() => this.#voice.askOfPublication('controlReplay', control))
  }

  backToLive(): Promise<void> {
    return this.#try(() => this.#voice.ask('closeReplay', {}))
  }

  /** Asks which recordings there are. */
  refresh(): Promise<void> {
    if (!this.mayWatch) return Promise.resolve()
    return this.#try(async () => {
      const listed = Listed.safeParse(await (await this.#fetch('/recordings/')).json())
      if (!listed.success) throw new RelayFault('bad_message', 'the node answered with something else', { cause: listed.error })
      this.recordings.value = listed.data.recordings
    })
  }

  async remove(recordingId: RecordingId): Promise<void> {
    await this.#try(() => this.#fetch(`/recordings/${recordingId}`, { method: 'DELETE' }))
    await this.refresh()
  }

  async #try(ask: () => Promise<unknown>): Promise<void> {
    try {
      await ask()
      this.fault.value = null
    } catch (error) {
      this.fault.value = toFault(error)
    }
  }
}
