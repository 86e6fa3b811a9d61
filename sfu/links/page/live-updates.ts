import type { LinkHistoryReport, LinkUpdate } from '../link-pages.ts'

/** Without an update for so long, what is shown counts as stale. Updates come once a second. */
const STALE_AFTER_MILLIS = 3000
/** A connection that is silent for longer is given up: nothing else tells that the node's machine has gone. */
const SILENCE_LIMIT_MILLIS = 8000
const RETRY_MILLIS = 2000

/** Who is told of updates. */
export interface UpdateReader {
  /** All that the node remembers. */
  begin(report: LinkHistoryReport): void
  update(update: LinkUpdate): void
  /** Once a second. @param staleSeconds - Since the last update; undefined while they come, null before the first. */
  tick(staleSeconds: number | undefined | null): void
}

/** Keeps the page in step with its node: history first, then one update a second, for as long as the page is open. */
export class LiveUpdates {
  readonly #reader: UpdateReader
  #source: EventSource | undefined
  #lastAt: number | undefined
  #triedAt = 0
  #isTrying = false

  constructor(reader: UpdateReader) {
    this.#reader = reader
    void this.#connect()
    setInterval(() => this.#tick(), 1000)
  }

  async #connect(): Promise<void> {
    this.#source?.close()
    this.#source = undefined
    this.#triedAt = performance.now()
    this.#isTrying = true
    try {
      const response = await fetch('links.json', { signal: AbortSignal.timeout(10_000) })
      if (!response.ok) return
      this.#reader.begin(await response.json() as LinkHistoryReport)
      const source = new EventSource('links/events')
      source.addEventListener('update', event => {
        this.#lastAt = performance.now()
        this.#reader.update(JSON.parse(event.data as string) as LinkUpdate)
      })
      // The browser's own retrying leaves a hole in the history; begin again with what the node remembers.
      source.addEventListener('error', () => source.close())
      this.#source = source
    } catch {
      // The node cannot be reached; the page says how old its figures are, and tries again.
      return
    } finally {
      this.#isTrying = false
    }
  }

  #tick(): void {
    const now = performance.now()
    const silence = now - (this.#lastAt ?? this.#triedAt)
    const isClosed = this.#source === undefined || this.#source.readyState === EventSource.CLOSED
    const isSilent = silence > SILENCE_LIMIT_MILLIS && now - this.#triedAt > SILENCE_LIMIT_MILLIS
    if (!this.#isTrying && now - this.#triedAt > RETRY_MILLIS && (isClosed || isSilent)) void this.#connect()
    this.#reader.tick(this.#lastAt === undefined ? null : silence > STALE_AFTER_MILLIS ? Math.floor(silence / 1000) : undefined)
  }
}
