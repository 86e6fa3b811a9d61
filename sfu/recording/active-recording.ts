import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { toStorageFault } from '../../relay/slides/store/storage-fault.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { RECORDING_LIMITS } from '../../relay/wire/recording.ts'
import { millis } from '../../relay/wire/units.ts'
import { RECORDING_FILES } from './recording-files.ts'
import { SegmentWriter } from './segment-writer.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { MemberId, PublicationId, RecordingId, RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Stage } from '../../relay/wire/stage.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { GrowingFile, RecordingDisk } from './recording-disk.ts'
import type { RecordingEvent } from './recording-files.ts'

/** What waits is written so often, in milliseconds. */
const FLUSH_MILLIS = 100
/** Whether there is room is asked so often, in milliseconds. */
const ROOM_MILLIS = 1000
/** More than this does not wait for a slow disk: packets are dropped, and counted. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024
/** Publications of one recording. */
const MAX_SEGMENTS = 1000

/** Gives RTP of a publication. */
export interface RecordedPublication {
  readonly publicationId: PublicationId
  readonly pyramid: Pyramid
  readonly stage: Stage | null
}

/** What an {@link ActiveRecording} stands on. */
export interface ActiveRecordingOptions {
  readonly recordingId: RecordingId
  /** With its header in it. */
  readonly directory: string
  readonly disk: RecordingDisk
  readonly clock: Clock
  /** Takes bytes of the quota. @throws {RelayFault} `quota_exceeded`. */
  readonly take: (bytes: number) => void
}

/** How a recording ended. */
export interface RecordingEnd {
  /** Null: somebody wished it. */
  readonly fault: RelayFault | null
  readonly durationMillis: number
}

/** A recording that is being written. Nothing here waits for the disk but its own flushing. */
export class ActiveRecording {
  readonly #options: ActiveRecordingOptions
  readonly #events: GrowingFile
  readonly #startedAt: Millis
  readonly #ended = Promise.withResolvers<RecordingEnd>()
  readonly #timer: NodeJS.Timeout
  #lines: Buffer[] = []
  readonly #segments: SegmentWriter[] = []
  #segment = -1
  #bytes = 0
  #dropped = 0
  #roomAskedAt = -Infinity
  #flushing: Promise<void> | undefined
  #ending: Promise<void> | undefined

  private constructor(options: ActiveRecordingOptions, events: GrowingFile) {
    this.#options = options
    this.#events = events
    this.#startedAt = options.clock.now()
    this.#timer = setInterval(() => void this.#flush(), FLUSH_MILLIS)
  }

  /** @throws {RelayFault} `storage_full`. */
  static async open(options: ActiveRecordingOptions): Promise<ActiveRecording> {
    try {
      if ((await options.disk.roomBytes(options.directory)) <= 0) throw new RelayFault('storage_full', 'the disk is full')
      return new ActiveRecording(options, await options.disk.create(join(options.directory, RECORDING_FILES.events)))
    } catch (error) {
      throw toStorageFault(error)
    }
  }

  get recordingId(): RecordingId {
    return this.#options.recordingId
  }

  /** Written, or about to be. */
  get bytes(): number {
    return this.#bytes
  }

  /** Settles once, when all that was taken is on disk or cannot be. Never rejects. */
  get ended(): Promise<RecordingEnd> {
    return this.#ended.promise
  }

  /** A publication flows from now on. @returns Takes its packets. */
  async begin({ publicationId, pyramid, stage }: RecordedPublication): Promise<(id: RenditionId, packet: Buffer) => void> {
    const { directory, disk } = this.#options
    if (this.#segment + 1 >= MAX_SEGMENTS) throw new RelayFault('overloaded', 'the recording has as many publications as it may')
    const segment = ++this.#segment
    try {
      await mkdir(join(directory, String(segment)), { mode: 0o700 })
    } catch (error) {
      throw toStorageFault(error)
    }
    const writer = new SegmentWriter({ directory: join(directory, String(segment)), publicationId, pyramid, disk })
    this.#segments.push(writer)
    this.note({ type: 'published', segment, publicationId, stage })
    return (id, packet) => {
      if (this.#ending !== undefined) return
      if (writer.pendingBytes > MAX_PENDING_BYTES) this.#dropped++
      else writer.take(id, packet, this.#elapsed())
    }
  }

  /** The number of the publication that began last. */
  get segment(): number {
    return this.#segment
  }

  /** Writes a line into the sidecar. */
  note(event: RecordingEvent): void {
    if (this.#ending !== undefined) return
    this.#lines.push(Buffer.from(`${JSON.stringify({ atMillis: Math.round(this.#elapsed()), ...event })}\n`))
  }

  /** Idempotent; the first reason wins. Never rejects. */
  end(fault: RelayFault | null, by: MemberId | null = null): Promise<void> {
    if (this.#ending === undefined) {
      this.note({ type: 'stopped', by, fault: fault?.code ?? null })
      this.#ending = this.#finish(fault, this.#elapsed())
    }
    return this.#ending
  }

  #elapsed(): Millis {
    return millis(this.#options.clock.now() - this.#startedAt)
  }

  #flush(): Promise<void> {
    return (this.#flushing ??= this.#write().then(fault => {
      this.#flushing = undefined
      if (fault !== undefined) void this.end(fault)
    }))
  }

  /** @returns Why the disk took it not. */
  async #write(): Promise<RelayFault | undefined> {
    try {
      if (this.#dropped > 0) this.note({ type: 'dropped', packets: this.#dropped })
      this.#dropped = 0
      const lines = this.#lines
      this.#lines = []
      const bytes = this.#segments.reduce((sum, { pendingBytes }) => sum + pendingBytes, lines.reduce((sum, { length }) => sum + length, 0))
      if (bytes > 0) this.#options.take(bytes)
      this.#bytes += bytes
      if (lines.length > 0) await this.#events.append(lines)
      for (const segment of this.#segments) await segment.flush()
      await this.#checkRoom()
      return undefined
    } catch (error) {
      return toStorageFault(error)
    }
  }

  async #checkRoom(): Promise<void> {
    const { clock, disk, directory } = this.#options
    if (this.#elapsed() > RECORDING_LIMITS.durationSeconds * 1000) throw new RelayFault('timeout', 'the recording is as long as it may be')
    if (clock.now() - this.#roomAskedAt < ROOM_MILLIS) return
    this.#roomAskedAt = clock.now()
    if ((await disk.roomBytes(directory)) <= 0) throw new RelayFault('storage_full', 'the disk is full')
  }

  async #finish(fault: RelayFault | null, durationMillis: number): Promise<void> {
    clearInterval(this.#timer)
    await this.#flushing
    const last = fault === null ? ((await this.#write()) ?? null) : fault
    // Of a disk that takes no more, what is there stays.
    await Promise.allSettled(this.#lines.length > 0 ? [this.#events.append(this.#lines)] : [])
    for (const segment of this.#segments) await segment.close()
    await Promise.allSettled([this.#events.sync()])
    await Promise.allSettled([this.#events.close()])
    this.#ended.resolve({ fault: last, durationMillis })
  }
}
