import { RelayFault } from '../wire/fault.ts'
import type { Logger } from '../runtime/log.ts'
import type { AuditEvent, AuditReceipt } from '../wire/audit-event.ts'

const MAX_QUEUED = 1024
const RETRY_MILLIS = 1000

/** What an {@link EmergencyQueue} stands on. */
export interface EmergencyQueueOptions {
  /** @throws {RelayFault} `not_recorded`. */
  readonly write: (event: AuditEvent) => Promise<AuditReceipt>
  readonly log: Logger
  readonly nowMillis: () => number
  readonly onQueued: (events: number) => void
}

/**
 * Events of emergencies that could not be recorded when they happened. They wait in memory and, so that they outlive it,
 * stand in the process's log; every second they are tried again, in their order. More than {@link MAX_QUEUED} are refused.
 */
export class EmergencyQueue {
  readonly #options: EmergencyQueueOptions
  readonly #queue: AuditEvent[] = []
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined
  #isClosed = false

  constructor(options: EmergencyQueueOptions) {
    this.#options = options
  }

  /** Whether events are being tried again. */
  get isFlushing(): boolean {
    return this.#flushing !== undefined
  }

  /** @returns Undefined when it waits. @throws {RelayFault} `not_recorded` when too many wait. */
  async record(event: AuditEvent): Promise<AuditReceipt | undefined> {
    const { write, log, onQueued } = this.#options
    if (this.#queue.length === 0) {
      try {
        return await write(event)
      } catch {
        // The shout below says it.
      }
    }
    if (this.#queue.length >= MAX_QUEUED || this.#isClosed) {
      log.fatal({ event }, 'an emergency is refused: too many wait to be recorded')
      throw new RelayFault('not_recorded', 'too many emergencies wait to be recorded')
    }
    this.#queue.push(event)
    log.fatal({ event, queued: this.#queue.length }, 'an emergency goes on unrecorded: the audit log cannot be written')
    onQueued(this.#queue.length)
    this.#retryLater()
    return undefined
  }

  /** Tries once more what waits; what cannot be recorded then stands in the process's log alone. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#flush()
    for (const event of this.#queue) this.#options.log.fatal({ event }, 'an emergency was never recorded')
  }

  #retryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#flush().then(() => {
        if (this.#queue.length > 0 && !this.#isClosed) this.#retryLater()
      })
    }, RETRY_MILLIS).unref()
  }

  #flush(): Promise<void> {
    return (this.#flushing ??= this.#writeQueued().finally(() => (this.#flushing = undefined)))
  }

  async #writeQueued(): Promise<void> {
    const { write, nowMillis, onQueued } = this.#options
    let written = 0
    try {
      for (let event = this.#queue[0]; event !== undefined; event = this.#queue[0]) {
        await write(event)
        this.#queue.shift()
        written++
      }
      if (written > 0) await write({ kind: 'log', atMillis: nowMillis(), actor: {}, what: 'queued', events: written })
    } catch {
      // Tried again in a second, or given up at the end.
    }
    if (written > 0) onQueued(this.#queue.length)
  }
}
