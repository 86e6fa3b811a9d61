import { randomInt } from 'node:crypto'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import { openLinkIngest } from '../../links/link-ingest.ts'
import { LOCAL_LINK } from '../../node-metrics.ts'
import { PublishedMedia } from '../../published-media.ts'
import { ReplayPlayer } from './replay-player.ts'
import type { Clock } from '../../../relay/runtime/clock.ts'
import type { PublicationId } from '../../../relay/wire/ids.ts'
import type { ReplayStatus } from '../../../relay/wire/recording.ts'
import type { Publication, RequestOf } from '../../../relay/wire/signaling.ts'
import type { PlainTransport } from 'mediasoup/types'
import type { LinkIngest } from '../../links/link-ingest.ts'
import type { RecordedConsultation, RecordedSegment } from '../recording-reader.ts'
import type { RecordingSummaryFile } from '../recording-files.ts'

/** The member hears how a replay is doing so often, in milliseconds. */
const STATUS_MILLIS = 500

/** Where a replay is published. */
export interface ReplayRoom {
  /** @throws {RelayFault} `unavailable`. */
  createPlainTransport(): Promise<PlainTransport>
}

/** What a member hears of its replay. */
export interface ReplayListener {
  /** Another publication takes the place of the one before. */
  published(publication: Publication): void
  changed(status: ReplayStatus): void
}

/** What a {@link Replay} is made from. */
export interface ReplayOptions {
  readonly recording: RecordedConsultation
  readonly summary: RecordingSummaryFile
  readonly room: ReplayRoom
  readonly listener: ReplayListener
  readonly clock: Clock
}

/** One publication of the recording, while it is played. */
interface Stretch {
  readonly segment: RecordedSegment
  readonly ingest: LinkIngest
  readonly published: PublishedMedia
  player: ReplayPlayer
}

/** A recording that is played to one member, as a publication like a live one. */
export class Replay {
  readonly #options: ReplayOptions
  readonly #segments: readonly RecordedSegment[]
  readonly #closed = Promise.withResolvers<RelayFault>()
  readonly #timer: NodeJS.Timeout
  #stretch: Stretch | undefined
  #state: ReplayStatus['state'] = 'playing'
  #speed = 1
  #isClosed = false
  /** Changes of publication, one after the other. */
  #work: Promise<void> = Promise.resolve()

  private constructor(options: ReplayOptions) {
    this.#options = options
    this.#segments = options.recording.segments
    this.#timer = setInterval(() => {
      if (this.#state === 'playing') this.#tell()
    }, STATUS_MILLIS)
  }

  /** @throws {RelayFault} `bad_recording` for one in which nothing flowed; `unavailable`. */
  static async open(options: ReplayOptions): Promise<Replay> {
    const [first] = options.recording.segments
    if (first === undefined) throw new RelayFault('bad_recording', 'nothing was recorded')
    const replay = new Replay(options)
    try {
      await replay.#enter(first, first.manifest.startMillis)
      return replay
    } catch (error) {
      replay.close(toFault(error))
      throw error
    }
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  /** What is published now. */
  get published(): PublishedMedia | undefined {
    return this.#stretch?.published
  }

  /** @throws {RelayFault} `wrong_state` for an earlier publication of it; `out_of_range` beyond its end. */
  control({ publicationId, isPlaying, positionMillis, speed }: RequestOf<'controlReplay'>): Promise<void> {
    if (this.#stretch?.published.publicationId !== publicationId) throw new RelayFault('wrong_state', 'that publication is over')
    if (positionMillis !== undefined && positionMillis > this.#options.summary.durationMillis) throw new RelayFault('out_of_range', 'beyond the end of the recording')
    return this.#next(async () => {
      if (speed !== undefined) this.#speed = speed
      const isAtEnd = this.#state === 'ended'
      if (isPlaying !== undefined) this.#state = isPlaying ? 'playing' : 'paused'
      else if (positionMillis !== undefined && isAtEnd) this.#state = 'paused'
      if (positionMillis !== undefined) await this.#goTo(positionMillis)
      else if (isAtEnd && isPlaying === true) await this.#goTo(0)
      this.#apply()
      this.#tell()
    })
  }

  /** Idempotent; the first reason wins. */
  close(reason: RelayFault): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    void this.#stretch?.player.close()
    this.#stretch?.published.close(reason)
    this.#stretch = undefined
    this.#closed.resolve(reason)
  }

  #next(change: () => Promise<void>): Promise<void> {
    const changed = this.#work.then(async () => {
      if (!this.#isClosed) await change()
    })
    this.#work = changed.catch((error: unknown) => this.close(toFault(error)))
    return changed
  }

  async #goTo(positionMillis: number): Promise<void> {
    const segment = this.#segments.findLast(({ manifest }) => manifest.startMillis <= positionMillis) ?? this.#segments[0]
    if (segment === undefined) return
    if (segment === this.#stretch?.segment) this.#stretch.player.seek(segment.ticksOf(positionMillis))
    else await this.#enter(segment, positionMillis)
  }

  #apply(): void {
    this.#stretch?.player.setSpeed(this.#speed)
    this.#stretch?.player.play(this.#state === 'playing')
  }

  /** Publishes a segment of the recording. */
  async #enter(segment: RecordedSegment, positionMillis: number): Promise<void> {
    const { room, clock, listener, recording, summary } = this.#options
    const { pyramid } = segment.manifest
    const base = randomInt(1, 2 ** 31)
    const tracks = pyramid.renditions.map(({ id: renditionId }, flow) => ({ flow, ssrc: base + flow, renditionId }))
    const ingest = await openLinkIngest(await room.createPlainTransport(), { type: 'publishLink', requestId: 0, pyramid, tracks, stage: null })
    const onEnd = (): void => void this.#next(() => this.#segmentEnded(segment))
    const onFault = (error: unknown): void => this.close(toFault(error))
    const player = await ReplayPlayer.open({ segment, tracks, output: ingest, clock, onEnd, onFault })
    const { transport, producers } = ingest
    const media = { transport, producers, linkName: LOCAL_LINK, clockOffset: () => undefined, lost: new Promise<never>(() => undefined) }
    const published = new PublishedMedia({ pyramid, stage: null }, media, demand => player.demand(demand))
    const previous = this.#stretch
    this.#stretch = { segment, ingest, published, player }
    if (this.#isClosed) {
      void player.close()
      published.close(new RelayFault('unavailable', 'the replay was closed'))
      return
    }
    player.seek(segment.ticksOf(positionMillis))
    this.#apply()
    for (const [id, producer] of producers) {
      // While pictures follow each other the next keyframe mends what a viewer lost; at a standstill none comes.
      producer.on('trace', ({ type }) => {
        if (type === 'pli' && this.#state !== 'playing') player.refresh(id)
      })
      void producer.enableTraceEvent(['pli']).catch((error: unknown) => toFault(error))
    }
    void published.closed.then(reason => {
      if (this.#stretch?.published === published) this.close(reason)
    })
    void previous?.player.close()
    previous?.published.close(new RelayFault('conflict', 'replaced by a newer publication'))
    const { header: { recordingId, startedAtMillis } } = recording
    listener.published({
      publicationId: published.publicationId, pyramid, stage: null,
      source: { state: 'live', framesPerSecond: pyramid.framesPerSecond },
      replay: { recordingId, startedAtMillis, durationMillis: summary.durationMillis },
    })
    published.flow.open()
    this.#tell()
  }

  async #segmentEnded(segment: RecordedSegment): Promise<void> {
    if (this.#stretch?.segment !== segment) return
    const next = this.#segments[this.#segments.indexOf(segment) + 1]
    if (next === undefined) {
      this.#state = 'ended'
      this.#tell()
    } else {
      await this.#enter(next, next.manifest.startMillis)
    }
  }

  #tell(): void {
    const stretch = this.#stretch
    if (stretch === undefined) return
    const publicationId: PublicationId = stretch.published.publicationId
    const position = Math.max(0, stretch.segment.millisOf(stretch.player.positionTicks))
    this.#options.listener.changed({ publicationId, state: this.#state, positionMillis: Math.round(position), speed: this.#speed })
  }
}
