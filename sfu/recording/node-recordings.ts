import { join } from 'node:path'
import { z } from 'zod'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { RecordingId } from '../../relay/wire/ids.ts'
import { RECORDING_LIMITS } from '../../relay/wire/recording.ts'
import { SlideAccess, watching } from '../slides/slide-access.ts'
import { parsePart, refuseByCode } from '../slides/slide-replies.ts'
import { RecordingDesk } from './recording-desk.ts'
import { systemDisk } from './recording-disk.ts'
import { RecordingShelf, surveyRecordings } from './recording-shelf.ts'
import { Replay } from './replay/replay.ts'
import type { AccessRecord } from '../access/recorded-member.ts'
import type { VerifyToken } from '../slides/slide-access.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'
import type { RecordingSummary } from '../../relay/wire/recording.ts'
import type { RecordedScene } from './recording-desk.ts'
import type { RecordingDisk } from './recording-disk.ts'
import type { RecordingMetrics } from './recording-metrics.ts'
import type { ReplayRoom, ReplayListener } from './replay/replay.ts'
import type { FastifyInstance } from 'fastify'

/** What {@link NodeRecordings} stand on. */
export interface NodeRecordingsOptions {
  /** Of the node; recordings are in `consultations/<consultation>/recordings` below it. */
  readonly stateDir: string
  /** Bytes that recordings may take together. */
  readonly quotaBytes: number
  readonly metrics: RecordingMetrics
  readonly verify: VerifyToken
  /** Without it nothing is recorded. */
  readonly recorder?: AccessRecord | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly disk?: RecordingDisk
}

const RecordingPath = z.object({ id: RecordingId })

/** The recordings of a node: a desk for each consultation, replays, and the routes below `/recordings`. */
export class NodeRecordings implements AsyncDisposable {
  readonly #options: NodeRecordingsOptions
  readonly #access: SlideAccess
  readonly #desks = new Map<ConsultationId, RecordingDesk>()
  readonly #closing = new Set<Promise<void>>()
  readonly #replays = new Map<Replay, RecordingId>()
  #usedBytes: number

  private constructor(options: NodeRecordingsOptions, usedBytes: number) {
    this.#options = options
    this.#access = new SlideAccess(options.verify)
    this.#usedBytes = usedBytes
    options.metrics.storedBytes.set(usedBytes)
  }

  /** Makes readable what an earlier process left behind. */
  static async open(options: NodeRecordingsOptions): Promise<NodeRecordings> {
    const { stateDir, log } = options
    const used = await surveyRecordings(join(stateDir, 'consultations'), error => log.warn({ code: toFault(error).code }, 'a recording cannot be read'))
    return new NodeRecordings(options, used)
  }

  /** The desk of a consultation that begins. */
  desk(scene: RecordedScene): RecordingDesk {
    const { clock, log, metrics, disk = systemDisk } = this.#options
    const desk = new RecordingDesk({
      scene, disk, metrics, clock, shelf: this.#shelf(scene.id), take: bytes => this.#take(bytes), log: log.child({ consultationId: scene.id }),
    })
    this.#desks.set(scene.id, desk)
    return desk
  }

  /** A consultation is over. What is being written comes to its end. */
  closed(id: ConsultationId, desk: RecordingDesk): void {
    const closing = desk.close().finally(() => {
      this.#closing.delete(closing)
      if (this.#desks.get(id) === desk) this.#desks.delete(id)
    })
    this.#closing.add(closing)
  }

  /**
   * Replays a recording of a consultation to one member.
   *
   * @throws {RelayFault} `not_found`; `wrong_state` for one that is on; `bad_recording` for one with nothing in it; `overloaded`.
   */
  async replay(consultationId: ConsultationId, recordingId: RecordingId, room: ReplayRoom, listener: ReplayListener): Promise<Replay> {
    if (this.#isOn(recordingId)) throw new RelayFault('wrong_state', 'this recording is on')
    if (this.#replays.size >= RECORDING_LIMITS.replays) throw new RelayFault('overloaded', 'this node replays as many recordings as it may')
    const { recording, summary } = await this.#shelf(consultationId).read(recordingId)
    const replay = await Replay.open({ recording, summary, room, listener, clock: this.#options.clock })
    this.#replays.set(replay, recordingId)
    this.#options.metrics.replays.set(this.#replays.size)
    void replay.closed.then(() => {
      this.#replays.delete(replay)
      this.#options.metrics.replays.set(this.#replays.size)
    })
    return replay
  }

  /** Adds the routes below `/recordings`. */
  addTo(app: FastifyInstance): void {
    void app.register((scope, _options, done) => {
      this.#addRoutes(scope)
      done()
    }, { prefix: '/recordings' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [id, desk] of this.#desks) this.closed(id, desk)
    await Promise.allSettled(this.#closing)
    this.#access[Symbol.dispose]()
  }

  #addRoutes(app: FastifyInstance): void {
    refuseByCode(app, this.#options.log)
    app.addHook('onRequest', async (_request, reply) => void reply.header('cache-control', 'no-store'))

    app.get('/', async request => {
      const { consultationId } = await this.#access.grant(request, watching('view_recording'))
      return { recordings: await this.#list(consultationId) }
    })

    app.delete('/:id', async (request, reply) => {
      const grant = await this.#access.grant(request, watching('record'))
      const { consultationId } = grant
      const { id } = parsePart(RecordingPath, request.params)
      if (this.#isOn(id)) throw new RelayFault('wrong_state', 'this recording is on')
      if ([...this.#replays.values()].includes(id)) throw new RelayFault('conflict', 'somebody watches this recording')
      await this.#options.recorder?.doing(grant, 'delete_recording', { recordingId: id })
      try {
        this.#take(-(await this.#shelf(consultationId).remove(id)))
      } catch (error) {
        this.#options.recorder?.failed(grant, 'delete_recording', error, { recordingId: id })
        throw error
      }
      return reply.code(204).send()
    })
  }

  async #list(id: ConsultationId): Promise<RecordingSummary[]> {
    const { current } = this.#desks.get(id) ?? {}
    return [...(await this.#shelf(id).list()), ...(current === undefined ? [] : [current])].slice(-RECORDING_LIMITS.listed)
  }

  #isOn(id: RecordingId): boolean {
    return [...this.#desks.values()].some(({ writing }) => writing === id)
  }

  #take(bytes: number): void {
    const { quotaBytes, metrics } = this.#options
    if (bytes >= 0 && this.#usedBytes + bytes >= quotaBytes) throw new RelayFault('quota_exceeded', 'recordings take as much as they may')
    this.#usedBytes = Math.max(0, this.#usedBytes + bytes)
    metrics.storedBytes.set(this.#usedBytes)
  }

  #shelf(id: ConsultationId): RecordingShelf {
    return new RecordingShelf(join(this.#options.stateDir, 'consultations', id, 'recordings'), recordingId => this.#isOn(recordingId))
  }
}
