import { signal } from '@preact/signals'
import { z } from 'zod'
import { FAULT_CODES, RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { RecordingId } from '../../../relay/wire/ids.ts'
import { RECORDING_LIMITS, RecordingSummary } from '../../../relay/wire/recording.ts'
import type { RecordingStatus, ReplayOrigin, ReplayStatus } from '../../../relay/wire/recording.ts'
import type { Notification, Publication } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { ConnectionPart, NodeVoice } from '../session/connection-part.ts'

const Listed = z.object({ recordings: z.array(RecordingSummary).max(RECORDING_LIMITS.listed + 1) })
const Refusal = z.object({ code: z.enum(FAULT_CODES) })
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
  readonly #url: string
  readonly #token: string

  constructor(voice: NodeVoice, origin: string, token: string) {
    this.#voice = voice
    this.#url = `${origin}/recordings/`
    this.#token = token
  }

  joined(): void {
    this.status.value = null
    if (this.isOpen.value) void this.refresh()
  }

  lost(): void {
    this.replay.value = null
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
    return this.#try(async () => {
      const listed = Listed.safeParse(await (await this.#fetch('', 'GET')).json())
      if (!listed.success) throw new RelayFault('bad_message', 'the node answered with something else', { cause: listed.error })
      this.recordings.value = listed.data.recordings
    })
  }

  async remove(recordingId: RecordingId): Promise<void> {
    await this.#try(() => this.#fetch(recordingId, 'DELETE'))
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

  async #fetch(path: string, method: 'GET' | 'DELETE'): Promise<Response> {
    let response: Response
    try {
      response = await fetch(this.#url + path, { method, headers: { authorization: `Bearer ${this.#token}` } })
    } catch (cause) {
      throw new RelayFault('unavailable', 'the node cannot be reached', { cause })
    }
    if (response.ok) return response
    const refusal = Refusal.safeParse(await response.json().catch(() => undefined))
    throw new RelayFault(refusal.success ? refusal.data.code : 'unavailable', 'the node refused')
  }
}
