import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { loadAuditKey } from '../../relay/audit/audit-key.ts'
import { FileAuditLog } from '../../relay/audit/file-audit-log.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { AuditMetrics } from './audit-metrics.ts'
import { byWhom } from './recorded-member.ts'
import { SlideReadings } from './slide-readings.ts'
import { StageSteering } from './stage-steering.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AuditEventInput, AuditLog } from '../../relay/wire/audit-event.ts'
import type { RecordingId, SessionId, SlideId } from '../../relay/wire/ids.ts'
import type { RequestType } from '../../relay/wire/signaling.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'
import type { NodeConfig } from '../config.ts'
import type { AccessRecord, RecordedAccess, RecordedMember, RecordedSubject } from './recorded-member.ts'
import type { Registry } from 'prom-client'

const MINUTE_MILLIS = 60_000
/** With so many readings under way they are recorded before the minute is over. */
const MAX_READINGS = 4096
/** What is remembered to have been recorded: a slide of a member, or what comes often. What is forgotten is recorded again. */
const MAX_REMEMBERED = 8192

/** Requests that are recorded before they are answered, and as what. */
const RECORDED_REQUESTS: Partial<Record<RequestType, RecordedAccess>> = {
  publish: 'publish',
  publishLink: 'publish',
  claimStage: 'take_stage',
  releaseStage: 'release_stage',
  handOverStage: 'hand_over_stage',
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
  readonly to?: SessionId
}

/** What of a node is recorded, beside the decisions of the platform. Owns the log. */
export class NodeAudit implements AccessRecord, AsyncDisposable {
  readonly log: AuditLog & AsyncDisposable
  readonly #readings = new SlideReadings()
  readonly #steering = new StageSteering()
  readonly #known = new LRUCache<string, Promise<void>>({ max: MAX_REMEMBERED })
  readonly #logger: Logger
  readonly #timer: NodeJS.Timeout

  /** @param log - Becomes this one's. */
  constructor(log: AuditLog & AsyncDisposable, logger: Logger) {
    this.log = log
    this.#logger = logger
    this.#timer = setInterval(() => void this.#recordMinute(), MINUTE_MILLIS)
    this.#timer.unref()
  }

  /** @throws {RelayFault} `bad_config`, `conflict`, `bad_audit_log` or `not_recorded`. */
  static async open({ stateDir, auditDir }: Pick<NodeConfig, 'stateDir' | 'auditDir'>, registry: Registry, log: Logger): Promise<NodeAudit> {
    const key = await loadAuditKey(stateDir)
    const file = await FileAuditLog.open({ directory: auditDir ?? join(stateDir, 'audit'), key, nowMillis: () => Date.now(), log, observer: new AuditMetrics(registry) })
    return new NodeAudit(file, log)
  }

  async doing(member: RecordedMember, access: RecordedAccess, subject: RecordedSubject = {}): Promise<void> {
    const event = accessOf(member, access, subject)
    await (member.holder?.isEmergency === true ? this.log.recordEmergency(event) : this.log.record(event))
  }

  doingOften(member: RecordedMember, access: RecordedAccess, subject: RecordedSubject = {}): Promise<void> {
    return this.#once(member, access, subject, String(Math.floor(Date.now() / MINUTE_MILLIS)))
  }

  failed(member: RecordedMember, access: RecordedAccess, error: unknown, subject: RecordedSubject = {}): void {
    void this.happened({ ...accessOf(member, access, subject), outcome: toFault(error).code })
  }

  /** Somebody is about to join. @throws {RelayFault} `not_recorded`. */
  joining(member: RecordedMember): Promise<void> {
    return this.doing(member, 'join')
  }

  /** Somebody left. */
  left(member: RecordedMember, sessionId: SessionId): void {
    void this.happened(accessOf(member, 'leave', { sessionId }))
  }

  /** Somebody is about to be answered. @throws {RelayFault} `not_recorded`. */
  async asking(member: RecordedMember, sessionId: SessionId, request: RecordedRequest): Promise<void> {
    const access = RECORDED_REQUESTS[request.type]
    if (access !== undefined) await this.doing(member, access, subjectOf(sessionId, request))
    if (request.type === 'moveStage') this.#steering.asked(member, sessionId, Date.now())
    // A stage is stopped at once, whatever the disk does: nothing is safer than that it stands.
    if (request.type === 'stopStage') void this.happened(accessOf(member, 'stop_stage', { sessionId }))
  }

  /** What was about to be done was not. */
  failedRequest(member: RecordedMember, sessionId: SessionId, request: RecordedRequest, error: unknown): void {
    const access = RECORDED_REQUESTS[request.type]
    if (access !== undefined) this.failed(member, access, error, subjectOf(sessionId, request))
    if (request.type === 'moveStage') this.#steering.refused(member, sessionId, Date.now())
  }

  /** Somebody is about to open a slide. @throws {RelayFault} `not_recorded`. */
  async slideOpening(member: RecordedMember, slideId: SlideId): Promise<void> {
    this.#known.delete(keyOf(member, 'open_slide', { slideId }, ''))
    await this.#once(member, 'open_slide', { slideId }, '')
  }

  /** Somebody is about to be sent a tile: whoever did not open the slide before does by that. @throws {RelayFault} `not_recorded`. */
  async tileAsked(member: RecordedMember, slideId: SlideId): Promise<void> {
    await this.#once(member, 'open_slide', { slideId }, '')
  }

  /** Somebody was sent a tile. */
  tileSent(member: RecordedMember, slideId: SlideId, level: number, position: TilePosition): void {
    this.#readings.sent(member, slideId, level, position, Date.now())
    if (this.#readings.size >= MAX_READINGS) void this.#recordMinute()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#recordMinute()
    await this.log[Symbol.asyncDispose]()
  }

  async #once(member: RecordedMember, access: RecordedAccess, subject: RecordedSubject, when: string): Promise<void> {
    const key = keyOf(member, access, subject, when)
    const known = this.#known.get(key)
    const recording = known ?? this.doing(member, access, subject)
    if (known === undefined) this.#known.set(key, recording)
    try {
      await recording
    } catch (error) {
      // Whoever asks next tries again.
      if (this.#known.get(key) === recording) this.#known.delete(key)
      throw error
    }
  }

  async #recordMinute(): Promise<void> {
    const now = Date.now()
    await Promise.all([...this.#readings.take(now), ...this.#steering.take(now)].map(event => this.happened(event)))
  }

  /** Records what has happened already: it cannot be refused any more. Never rejects. */
  async happened(event: AuditEventInput): Promise<void> {
    try {
      await this.log.record(event)
    } catch (err) {
      this.#logger.error({ err, event }, 'an audit event of what happened is not recorded')
    }
  }
}

const subjectOf = (sessionId: SessionId, { recordingId, to }: RecordedRequest): RecordedSubject =>
  ({ sessionId, ...(recordingId === undefined ? {} : { recordingId }), ...(to === undefined ? {} : { toSessionId: to }) })

const keyOf = ({ consultationId, memberId, grantId }: RecordedMember, access: RecordedAccess, subject: RecordedSubject, when: string): string =>
  [consultationId, memberId, grantId ?? '', access, JSON.stringify(subject), when].join(' ')

const accessOf = (member: RecordedMember, access: RecordedAccess, subject: RecordedSubject) =>
  ({ kind: 'access', atMillis: Date.now(), ...byWhom(member), access, subject, outcome: 'ok' }) as const
