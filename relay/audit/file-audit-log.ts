import { EmergencyQueue } from './emergency-queue.ts'
import { LogWriter } from './log-writer.ts'
import { RelayFault } from '../wire/fault.ts'
import { AuditEvent } from '../wire/audit-event.ts'
import type { Logger } from '../runtime/log.ts'
import type { AuditEventInput, AuditLog, AuditReceipt } from '../wire/audit-event.ts'
import type { SignedHead } from './log-lines.ts'
import type { LogWriterOptions } from './log-writer.ts'

/** An action that waits for so long for its record is refused, in milliseconds. */
const RECORD_DEADLINE_MILLIS = 5000
/** An emergency waits for its record no longer than this. */
const EMERGENCY_DEADLINE_MILLIS = 500
/** Events that wait for the disk; more are refused. */
const MAX_WAITING = 8192
/** Events that share one write and one `fsync`. */
const MAX_BATCH = 512

/** Who hears how a log is doing. */
export interface AuditObserver {
  committed(commit: { readonly events: readonly AuditEvent[]; readonly bytes: number; readonly millis: number }): void
  refused(events: number): void
  /** Events of emergencies that wait to be recorded. */
  queued(events: number): void
}

/** How a {@link FileAuditLog} is opened. */
export interface FileAuditLogOptions extends LogWriterOptions {
  readonly log: Logger
  readonly observer?: AuditObserver | undefined
  /** How long an action waits for its record. */
  readonly deadlineMillis?: number
}

interface Waiting {
  readonly event: AuditEvent
  readonly resolve: (receipt: AuditReceipt) => void
  readonly reject: (reason: RelayFault) => void
}

const notRecorded = (cause?: unknown): RelayFault => new RelayFault('not_recorded', 'the audit record cannot be written', cause === undefined ? {} : { cause })

/** An audit log in a folder. Events that come while others are being written share the next write. */
export class FileAuditLog implements AuditLog, AsyncDisposable {
  readonly #writer: LogWriter
  readonly #options: FileAuditLogOptions
  readonly #emergencies: EmergencyQueue
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #closing: Promise<void> | undefined

  private constructor(writer: LogWriter, options: FileAuditLogOptions) {
    this.#writer = writer
    this.#options = options
    this.#emergencies = new EmergencyQueue({ write: event => this.#enqueue(event), log: options.log, nowMillis: options.nowMillis, onQueued: events => options.observer?.queued(events) })
  }

  /**
   * Opens a folder for writing, or makes it; an unfinished write of a crash is moved aside, and that is recorded.
   *
   * @throws {RelayFault} `conflict` when it is open in another place; `bad_audit_log` when the newest segment is not what was written; `not_recorded` when nothing can be written.
   */
  static async open(options: FileAuditLogOptions): Promise<FileAuditLog> {
    const { writer, cutBytes } = await LogWriter.open(options)
    const audit = new FileAuditLog(writer, options)
    try {
      if (cutBytes > 0) options.log.warn({ cutBytes }, 'an unfinished write to the audit log was moved aside')
      await audit.record({ kind: 'log', atMillis: options.nowMillis(), actor: {}, what: cutBytes > 0 ? 'recovered' : 'opened', ...(cutBytes > 0 ? { cutBytes } : {}) })
    } catch (error) {
      await writer.close()
      throw error
    }
    return audit
  }

  /** The newest signed head: of everything that was acknowledged. */
  get head(): SignedHead | undefined {
    return this.#writer.head
  }

  /** Events that wait to be written. */
  get waiting(): number {
    return this.#waiting.length
  }

  record(input: AuditEventInput): Promise<AuditReceipt> {
    return settleWithin(this.#enqueue(parseEvent(input)), this.#options.deadlineMillis ?? RECORD_DEADLINE_MILLIS, () => {
      throw notRecorded()
    })
  }

  recordEmergency(input: AuditEventInput): Promise<AuditReceipt | undefined> {
    const event = parseEvent(input)
    const written = this.#emergencies.record(event)
    return settleWithin(written, EMERGENCY_DEADLINE_MILLIS, () => undefined)
  }

  /** Writes what waits, and closes the folder. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await this.#emergencies.close()
    await this.#enqueue({ kind: 'log', atMillis: this.#options.nowMillis(), actor: {}, what: 'closed' }, true).catch(() => this.#options.log.error('the end of the audit log is not recorded'))
    await this.#running
    await this.#writer.close()
  }

  #enqueue(event: AuditEvent, isLast = false): Promise<AuditReceipt> {
    if ((this.#closing !== undefined && !isLast && !this.#emergencies.isFlushing) || this.#waiting.length >= MAX_WAITING) {
      this.#options.observer?.refused(1)
      return Promise.reject(notRecorded())
    }
    const { promise, resolve, reject } = Promise.withResolvers<AuditReceipt>()
    this.#waiting.push({ event, resolve, reject })
    this.#running ??= this.#run().finally(() => (this.#running = undefined))
    return promise
  }

  async #run(): Promise<void> {
    // Whoever records within the same turn of the loop shares the first write.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH)
      await this.#commit(batch)
    }
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const { observer, log } = this.#options
    const events = batch.map(({ event }) => event)
    const began = performance.now()
    try {
      const { receipts, bytes } = await this.#writer.write(events)
      observer?.committed({ events, bytes, millis: performance.now() - began })
      for (const [index, receipt] of receipts.entries()) batch[index]?.resolve(receipt)
    } catch (error) {
      log.error({ err: error, events: events.length }, 'audit events could not be recorded')
      observer?.refused(events.length)
      for (const { reject } of batch) reject(notRecorded(error))
    }
  }
}

function parseEvent(input: AuditEventInput): AuditEvent {
  const result = AuditEvent.safeParse(input)
  if (!result.success) throw new RelayFault('bad_message', 'no audit event', { cause: result.error })
  return result.data
}

async function settleWithin<Value, Late>(promise: Promise<Value>, millis: number, late: () => Late): Promise<Value | Late> {
  const { promise: due, resolve } = Promise.withResolvers<'due'>()
  const timer = setTimeout(() => resolve('due'), millis)
  try {
    const first = await Promise.race([promise, due])
    if (first !== 'due') return first
    // Who hears of a failure after this is nobody.
    promise.catch(() => undefined)
    return late()
  } finally {
    clearTimeout(timer)
  }
}
