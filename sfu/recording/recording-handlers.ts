import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { RECORDING_LIMITS } from '../../relay/wire/recording.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import type { ConsultationId, MemberId, PublicationId, RecordingId } from '../../relay/wire/ids.ts'
import type { Notification, Publication } from '../../relay/wire/signaling.ts'
import type { PublishedMedia } from '../published-media.ts'
import type { Handlers } from '../session.ts'
import type { RecordingDesk } from './recording-desk.ts'
import type { Replay, ReplayListener, ReplayRoom } from './replay/replay.ts'

/** The consultation as somebody who replays sees it. */
export interface ReplayScene {
  readonly id: ConsultationId
  readonly recordings: RecordingDesk | undefined
  /** The live one. */
  readonly publication: Publication | null
  room(): Promise<ReplayRoom>
  /** @throws {RelayFault} `unavailable` where nothing is recorded; `not_found`, `wrong_state`, `bad_recording`, `overloaded`. */
  replay(recordingId: RecordingId, room: ReplayRoom, listener: ReplayListener): Promise<Replay>
}

type RecordingRequests = 'startRecording' | 'stopRecording' | 'openReplay' | 'controlReplay' | 'closeReplay'

/** What one session does with recordings, among it the replay that it watches in place of the live image. */
export class RecordingSeat {
  readonly #scene: ReplayScene
  readonly #memberId: MemberId
  readonly #notify: (notification: Notification) => void
  readonly #rate = new TokenBucket(RECORDING_LIMITS.perSecond, RECORDING_LIMITS.burst, systemClock.now())
  #replay: Replay | undefined
  #isClosed = false

  /** @param notify - Reaches the member even while it watches a replay. */
  constructor(scene: ReplayScene, memberId: MemberId, notify: (notification: Notification) => void) {
    this.#scene = scene
    this.#memberId = memberId
    this.#notify = notify
  }

  /** Whether a replay takes the place of the live image. */
  get isReplaying(): boolean {
    return this.#replay !== undefined
  }

  /** The replayed publication, if that is its id. */
  published(publicationId: PublicationId): PublishedMedia | undefined {
    const published = this.#replay?.published
    return published?.publicationId === publicationId ? published : undefined
  }

  readonly handlers: Pick<Handlers<'viewer'>, RecordingRequests> = {
    startRecording: async () => ({ recordingId: await this.#desk().start(this.#memberId) }),
    stopRecording: async () => {
      await this.#desk().stop(this.#memberId)
      return {}
    },
    openReplay: async ({ recordingId }) => ({ publicationId: await this.#open(recordingId) }),
    controlReplay: async request => {
      this.#limit()
      if (this.#replay === undefined) throw new RelayFault('wrong_state', 'no recording is replayed')
      await this.#replay.control(request)
      return {}
    },
    closeReplay: () => {
      this.#end('the member closed it')
      return {}
    },
  }

  /** The session ended. */
  close(): void {
    this.#isClosed = true
    this.#end('the session closed')
  }

  #desk(): RecordingDesk {
    this.#limit()
    if (this.#scene.recordings === undefined) throw new RelayFault('unavailable', 'this node records nothing')
    return this.#scene.recordings
  }

  #limit(): void {
    if (!this.#rate.take(systemClock.now())) throw new RelayFault('rate_limited', 'too many requests about recordings')
  }

  async #open(recordingId: RecordingId): Promise<PublicationId> {
    this.#desk()
    let announced: Publication | undefined
    let isOpen = false
    const listener: ReplayListener = {
      published: publication => {
        announced = publication
        if (isOpen) this.#notify({ type: 'publicationChanged', publication })
      },
      changed: status => {
        if (isOpen) this.#notify({ type: 'replayChanged', ...status })
      },
    }
    const replay = await this.#scene.replay(recordingId, await this.#scene.room(), listener)
    if (this.#isClosed || replay.published === undefined || announced === undefined) {
      const reason = new RelayFault('unavailable', 'the session or the media room closed')
      replay.close(reason)
      throw reason
    }
    const previous = this.#replay
    this.#replay = replay
    previous?.close(new RelayFault('conflict', 'replaced by another replay'))
    isOpen = true
    this.#notify({ type: 'publicationChanged', publication: announced })
    void replay.closed.then(() => this.#ended(replay))
    return announced.publicationId
  }

  #end(why: string): void {
    this.#replay?.close(new RelayFault('unavailable', why))
  }

  #ended(replay: Replay): void {
    if (this.#replay !== replay) return
    this.#replay = undefined
    if (!this.#isClosed) this.#notify({ type: 'publicationChanged', publication: this.#scene.publication })
  }
}
