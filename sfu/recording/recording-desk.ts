import { randomUUID } from 'node:crypto'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { RecordingId } from '../../relay/wire/ids.ts'
import { RECORDING_LIMITS } from '../../relay/wire/recording.ts'
import { nodeTimeMillis } from '../capture-clock.ts'
import { ActiveRecording } from './active-recording.ts'
import { PublicationTap } from './publication-tap.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AccessAction } from '../../relay/wire/access.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { ConsultationId, MemberId, RenditionId } from '../../relay/wire/ids.ts'
import type { RecordingStatus, RecordingSummary } from '../../relay/wire/recording.ts'
import type { Notification, Role } from '../../relay/wire/signaling.ts'
import type { Producer } from 'mediasoup/types'
import type { RecordedPublication } from './active-recording.ts'
import type { TappedRoom } from './publication-tap.ts'
import type { RecordingDisk } from './recording-disk.ts'
import type { RecordingEvent } from './recording-files.ts'
import type { RecordingMetrics } from './recording-metrics.ts'
import type { RecordingShelf } from './recording-shelf.ts'

/** With nobody there who may record, a recording goes on for so long, in milliseconds: somebody whose line broke comes back. */
const UNWATCHED_MILLIS = 60_000

/** What takes permission away for good. What merely runs out, or a line that breaks, does not. */
const TAKEN_AWAY: ReadonlySet<FaultCode> = new Set(['consent_withdrawn', 'consent_required', 'access_revoked', 'policy_refused', 'admission_refused'])

/** Somebody who is present. */
export interface RecordedMember {
  readonly memberId: MemberId
  /** At this moment. */
  readonly actions: ReadonlySet<AccessAction>
  readonly role: Role
  readonly notify: (notification: Notification) => void
}

/** The consultation as a {@link RecordingDesk} sees it. */
export interface RecordedScene {
  readonly id: ConsultationId
  readonly viewers: Iterable<RecordedMember>
  readonly microscope: RecordedMember | undefined
  readonly published: (RecordedPublication & { readonly producers: ReadonlyMap<RenditionId, Producer> }) | undefined
  room(): Promise<TappedRoom>
}

/** What a {@link RecordingDesk} stands on. */
export interface RecordingDeskOptions {
  readonly scene: RecordedScene
  readonly shelf: RecordingShelf
  readonly disk: RecordingDisk
  /** @throws {RelayFault} `quota_exceeded`. */
  readonly take: (bytes: number) => void
  readonly metrics: RecordingMetrics
  readonly clock: Clock
  readonly log: Logger
}

const OFF: RecordingStatus = { state: 'off', recordingId: null, startedAtMillis: null, by: null, bytes: 0 }

/** Where one consultation's recording is begun and ended, and told of. */
export class RecordingDesk {
  readonly #options: RecordingDeskOptions
  #status = OFF
  #active: ActiveRecording | undefined
  #tap: PublicationTap | undefined
  #isStarting = false
  #writing: RecordingId | undefined
  #concluding: Promise<void> = Promise.resolve()
  #noticeTimer: NodeJS.Timeout | undefined
  #unwatchedTimer: NodeJS.Timeout | undefined

  constructor(options: RecordingDeskOptions) {
    this.#options = options
  }

  /** The recording that is on, as it is listed; undefined while there is none. */
  get current(): RecordingSummary | undefined {
    const { recordingId, startedAtMillis, by, bytes } = this.#status
    if (this.#active === undefined || recordingId === null || startedAtMillis === null || by === null) return undefined
    return { recordingId, startedAtMillis, by, durationMillis: Math.max(0, nodeTimeMillis() - startedAtMillis), bytes, state: 'recording', fault: null, gaps: [] }
  }

  /** The recording whose files are being written, from its beginning until its summary is there. */
  get writing(): RecordingId | undefined {
    return this.#writing
  }

  /** Tells somebody who came whether this is recorded. */
  welcome(member: RecordedMember): void {
    if (member.actions.has('record')) clearTimeout(this.#unwatchedTimer)
    if (this.#status.recordingId !== null) member.notify({ type: 'recordingChanged', ...this.#status })
    this.membersChanged()
  }

  /** Somebody left, for that reason. A recording goes on while somebody is there who may record. */
  left({ code }: RelayFault): void {
    this.membersChanged()
    if (this.#active === undefined || [...this.#options.scene.viewers].some(({ actions }) => actions.has('record'))) return
    clearTimeout(this.#unwatchedTimer)
    if (TAKEN_AWAY.has(code)) void this.#active.end(null)
    else this.#unwatchedTimer = setTimeout(() => void this.#active?.end(null), UNWATCHED_MILLIS)
  }

  /** Writes down who is there. */
  membersChanged(): void {
    const { viewers, microscope } = this.#options.scene
    const members = [...viewers, ...(microscope === undefined ? [] : [microscope])].map(({ memberId, role }) => ({ memberId, role }))
    this.#active?.note({ type: 'present', members })
  }

  /**
   * Records from now on.
   *
   * @throws {RelayFault} `conflict` while a recording is on; `quota_exceeded`, `storage_full`.
   */
  async start(by: MemberId): Promise<RecordingId> {
    if (this.#active !== undefined || this.#isStarting) throw new RelayFault('conflict', 'this consultation is recorded already')
    this.#isStarting = true
    try {
      return await this.#start(by)
    } finally {
      this.#isStarting = false
    }
  }

  /** Idempotent. Settles when the recording is on disk. */
  async stop(by: MemberId | null): Promise<void> {
    await this.#active?.end(null, by)
    await this.#concluding
  }

  /** Another publication stands, or none. */
  publicationChanged(): void {
    this.#tap?.close()
    this.#tap = undefined
    const active = this.#active
    if (active === undefined) return
    const { published } = this.#options.scene
    if (published === undefined) active.note({ type: 'unpublished', segment: Math.max(0, active.segment) })
    else void this.#follow(active, published)
  }

  /** Writes into the sidecar of the recording that is on. */
  note(event: (segment: number) => RecordingEvent): void {
    if (this.#active !== undefined && this.#active.segment >= 0) this.#active.note(event(this.#active.segment))
  }

  /** The consultation is over. Settles when nothing is written any more. */
  async close(): Promise<void> {
    clearTimeout(this.#unwatchedTimer)
    await this.stop(null)
    clearTimeout(this.#noticeTimer)
  }

  async #start(by: MemberId): Promise<RecordingId> {
    const { scene, shelf, disk, take, clock, metrics, log } = this.#options
    const recordingId = RecordingId.parse(randomUUID())
    const startedAtMillis = nodeTimeMillis()
    take(0)
    this.#writing = recordingId
    const directory = await shelf.create({ version: 1, recordingId, consultationId: scene.id, startedAtMillis, startedBy: by })
    const counted = (bytes: number): void => {
      take(bytes)
      metrics.writtenBytes.inc(bytes)
    }
    let active: ActiveRecording
    try {
      active = await ActiveRecording.open({ recordingId, directory, disk, clock, take: counted })
    } catch (error) {
      this.#writing = undefined
      await shelf.remove(recordingId)
      throw error
    }
    this.#active = active
    metrics.on.inc()
    log.info({ recordingId }, 'recording begun')
    this.#concluding = active.ended.then(end => this.#conclude(active, end))
    this.#tell({ state: 'on', recordingId, startedAtMillis, by, bytes: 0 })
    this.#tellBytesLater()
    this.membersChanged()
    this.publicationChanged()
    return recordingId
  }

  async #follow(active: ActiveRecording, published: NonNullable<RecordedScene['published']>): Promise<void> {
    const { scene, log } = this.#options
    try {
      const take = await active.begin(published)
      const tap = await PublicationTap.open(await scene.room(), published.producers, take)
      // Meanwhile it may be over.
      if (this.#active === active && scene.published === published) this.#tap = tap
      else tap.close()
    } catch (error) {
      const fault = toFault(error)
      log.warn({ code: fault.code, recordingId: active.recordingId }, 'a publication is not recorded')
      // A publication that ended meanwhile is no reason to end the recording.
      if (scene.published === published) void active.end(fault)
    }
  }

  async #conclude(active: ActiveRecording, { fault, durationMillis }: { readonly fault: RelayFault | null; readonly durationMillis: number }): Promise<void> {
    const { shelf, metrics, log } = this.#options
    this.#tap?.close()
    this.#tap = undefined
    this.#active = undefined
    clearTimeout(this.#noticeTimer)
    clearTimeout(this.#unwatchedTimer)
    metrics.on.dec()
    metrics.ended.inc({ outcome: fault?.code ?? 'ok' })
    log.info({ recordingId: active.recordingId, code: fault?.code, bytes: active.bytes }, 'recording ended')
    this.#tell({ ...this.#status, state: fault === null ? 'off' : 'failed', bytes: active.bytes, ...(fault === null ? {} : { fault: fault.code }) })
    try {
      await shelf.conclude(active.recordingId, { state: fault === null ? 'ended' : 'cut', fault: fault?.code ?? null, durationMillis })
    } catch (error) {
      // On a full disk there is no room for the summary either: the next start makes it.
      log.warn({ code: toFault(error).code, recordingId: active.recordingId }, 'a recording was not concluded')
    } finally {
      if (this.#writing === active.recordingId) this.#writing = undefined
    }
  }

  #tell(status: RecordingStatus): void {
    this.#status = status
    const { viewers, microscope } = this.#options.scene
    for (const member of viewers) member.notify({ type: 'recordingChanged', ...status })
    microscope?.notify({ type: 'recordingChanged', ...status })
  }

  #tellBytesLater(): void {
    this.#noticeTimer = setTimeout(() => {
      const active = this.#active
      if (active === undefined) return
      if (active.bytes !== this.#status.bytes) this.#tell({ ...this.#status, bytes: active.bytes })
      this.#tellBytesLater()
    }, RECORDING_LIMITS.noticeMillis)
  }
}
