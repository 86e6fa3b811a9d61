import { LinkMetrics } from './link-metrics.ts'
import { LinkPages } from './link-pages.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { Registry } from 'prom-client'
import type { LinkDirectory } from './link-metrics.ts'

const INTERVAL_MILLIS = 1000

/** Reads every link once a second, for the metrics and for the page. */
export class LinkObserver {
  /** The page, for the HTTP server. */
  readonly pages: LinkPages
  readonly #metrics: LinkMetrics
  readonly #directory: LinkDirectory
  readonly #log: Logger
  readonly #timer: NodeJS.Timeout

  constructor(directory: LinkDirectory, registry: Registry, log: Logger) {
    this.#directory = directory
    this.#log = log
    this.#metrics = new LinkMetrics(registry)
    this.pages = new LinkPages(directory)
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MILLIS)
  }

  /** Brings the metrics up to this moment: before a scrape. */
  read(): void {
    this.#metrics.read(this.#directory)
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer)
    this.pages.close()
  }

  #tick(): void {
    this.read()
    this.pages.update(Date.now())
    const pages = this.pages.takeCutOff()
    if (pages > 0) this.#log.warn({ pages }, 'pages of links did not read and were cut off')
  }
}
