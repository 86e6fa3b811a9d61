import { join } from 'node:path'
import { loadAuditKey } from '../../relay/audit/audit-key.ts'
import { FileAuditLog } from '../../relay/audit/file-audit-log.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { AuditMetrics } from './audit-metrics.ts'
import { SlideReadings } from './slide-readings.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { ACCESSES, AuditEventInput, AuditLog } from '../../relay/wire/audit-event.ts'
import type { RecordingId, SessionId, SlideId } from '../../relay/wire/ids.ts'
import type { RequestType } from '../../relay/wire/signaling.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'
import type { NodeConfig } from '../config.ts'
import type { SlideMember } from './slide-readings.ts'
import type { Registry } from 'prom-client'

const MINUTE_MILLIS = 60_000
/** With so many readings under way they are recorded before the minute is over. */
const MAX_READINGS = 4096

/** Requests that are recorded before they are answered, and as what. */
const RECORDED_REQUESTS: Partial<Record<RequestType, (typeof ACCESSES)[number]>> = {
  publish: 'publish',
  publishLink: 'publish',
  claimStage: 'take_stage',
  releaseStage: 'release_stage',
  subscribe: 'view_live',
  createVoiceTransport: 'speak',
  keepStill: 'keep_still',
  startRecording: 'start_recording',
  stopRecording: 'stop_recording',
  openReplay: 'view_recording',
}

/** What a request may name. */
interface RecordedRequest {
  readonly type: RequestType
  readonly recordingId?: RecordingId
}

/** What of a node is recorded, beside the decisions of the platform. Owns the log. */
export class NodeAudit implements AsyncDisposable {
  readonly log: AuditLog
  readonly #file: FileAuditLog
  readonly #readings = new SlideReadings()
  readonly #logger: Logger
  readonly #timer: NodeJS.Timeout

  private constructor(file: FileAuditLog, logger: Logger) {
    this.log = file
    this.#file = file
    this.#logger = logger
    this.#timer = setInterval(() => void this.#recordReadings(), MINUTE_MILLIS)
    this.#timer.unref()
  }

  /** @throws {RelayFault} `bad_config`, `conflict`, `bad_audit_log` or `not_recorded`. */
  static async open({ stateDir, auditDir }: Pick<NodeConfig, 'stateDir' | 'auditDir'>, registry: Registry, log: Logger): Promise<NodeAudit> {
    const key = await loadAuditKey(stateDir)
    const file = await FileAuditLog.open({ directory: auditDir ?? join(stateDir, 'audit'), key, nowMillis: () => Date.now(), log, observer: new AuditMetrics(registry) })
    return new NodeAudit(file, log)
  }

  /** Somebody is about to join. @throws {RelayFault} `not_recorded`. */
  async joining(member: SlideMember): Promise<void> {
    await this.log.record(accessOf(member, 'join'))
  }

  /** Somebody left. */
  left(member: SlideMember, sessionId: SessionId): void {
    void this.#recordAfterwards({ ...accessOf(member, 'leave'), subject: { sessionId } })
  }

  /** Somebody is about to be answered. @throws {RelayFault} `not_recorded`. */
  async asking(member: SlideMember, sessionId: SessionId, { type, recordingId }: RecordedRequest): Promise<void> {
    const access = RECORDED_REQUESTS[type]
    if (access !== undefined) await this.log.record({ ...accessOf(member, access), subject: { sessionId, ...(recordingId === undefined ? {} : { recordingId }) } })
  }

  /** What was about to be done was not. */
  failed(member: SlideMember, sessionId: SessionId, { type }: RecordedRequest, error: unknown): void {
    const access = RECORDED_REQUESTS[type]
    if (access !== undefined) void this.#recordAfterwards({ ...accessOf(member, access), subject: { sessionId }, outcome: toFault(error).code })
  }

  /** Somebody is about to open a slide. @throws {RelayFault} `not_recorded`. */
  async slideOpening(member: SlideMember, slideId: SlideId): Promise<void> {
    await this.log.record({ ...accessOf(member, 'open_slide'), subject: { slideId } })
  }

  /** Somebody was sent a tile. */
  tileSent(member: SlideMember, slideId: SlideId, level: number, position: TilePosition): void {
    this.#readings.sent(member, slideId, level, position, Date.now())
    if (this.#readings.size >= MAX_READINGS) void this.#recordReadings()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#recordReadings()
    await this.#file[Symbol.asyncDispose]()
  }

  async #recordReadings(): Promise<void> {
    await Promise.all(this.#readings.take(Date.now()).map(event => this.#recordAfterwards(event)))
  }

  /** Of what has happened already: it cannot be refused any more. */
  async #recordAfterwards(event: AuditEventInput): Promise<void> {
    try {
      await this.log.record(event)
    } catch (err) {
      this.#logger.error({ err, event }, 'an audit event of what happened is not recorded')
    }
  }
}

const accessOf = ({ consultationId, memberId, role }: SlideMember, access: (typeof ACCESSES)[number]) =>
  ({ kind: 'access', atMillis: Date.now(), actor: { memberId, seat: role }, access, consultationId, outcome: 'ok' }) as const
