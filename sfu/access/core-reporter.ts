import { askCore } from '../../relay/access/core/core-request.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { REPORT_INTERVAL_MILLIS } from '../../relay/wire/operator.ts'
import { LinkStandings } from '../links/link-standing.ts'
import { nodeReport } from './node-report.ts'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'
import type { CoreMessage } from '../../relay/access/core/core-stream.ts'
import type { HeldGrants } from './node-report.ts'
import type { LogSearch } from '../../relay/audit/log-search.ts'
import type { LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { Logger } from '../../relay/runtime/log.ts'

/** A question of the core, as it comes on its stream. */
export type AuditQuestion = Extract<CoreMessage, { type: 'audit_question' }>

/** What the reporter stands on. */
export interface CoreReporterOptions {
  readonly url: string
  /** Asked each time: a certificate may have been renewed. */
  readonly credentials: () => CoreCredentials
  readonly isReachable: () => boolean
  readonly links: () => readonly LinkSnapshot[]
  readonly grants: HeldGrants
  /** This node's log. */
  readonly logs: Pick<LogSearch, 'find'>
  readonly log: Logger
}

/** Tells the core how this node stands, and answers what operators ask of its audit log. Owns its timer. */
export class CoreReporter implements Disposable {
  readonly #options: CoreReporterOptions
  readonly #standings = new LinkStandings()
  readonly #timer: NodeJS.Timeout
  #isTelling = false

  constructor(options: CoreReporterOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#tell(), REPORT_INTERVAL_MILLIS)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Answers a question in its own time. Never rejects: the core tells of a node that did not answer. */
  async answer({ questionId, search }: AuditQuestion): Promise<void> {
    const { url, credentials, logs, log } = this.#options
    try {
      const findings = await logs.find(search, Date.now())
      await askCore(url, credentials(), { method: 'PUT', path: `/core/answers/${questionId}`, body: findings })
    } catch (error) {
      log.warn({ code: toFault(error).code }, 'an operator\'s question of the audit log is not answered')
    }
  }

  async #tell(): Promise<void> {
    const { url, credentials, isReachable, log } = this.#options
    if (this.#isTelling || !isReachable()) return
    this.#isTelling = true
    try {
      await askCore(url, credentials(), { method: 'PUT', path: '/core/report', body: nodeReport(this.#options.links(), this.#options.grants, this.#standings) })
    } catch (error) {
      log.debug({ code: toFault(error).code }, 'the core was not told how this node stands')
    } finally {
      this.#isTelling = false
    }
  }
}
