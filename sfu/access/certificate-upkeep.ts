import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { renewInFolder } from '../../relay/access/pki/certificate-renewal.ts'
import { MEMBER_FILES } from '../../relay/access/pki/enrolment-folder.ts'
import { toFault } from '../../relay/wire/fault.ts'
import type { Logger } from '../../relay/runtime/log.ts'

/** How often it is looked whether the certificate is due. */
const LOOK_MILLIS = 3_600_000

/** What the upkeep of a node's certificate stands on. */
export interface CertificateUpkeepOptions {
  readonly nodeCertFile: string
  readonly coreUrl: string
  readonly lookMillis?: number | undefined
  readonly log: Logger
}

/**
 * Renews a node's certificate in its last 30 days, where it lies in the folder of the ceremony by which the node
 * joined. Whoever shows it reads the file anew.
 */
export class CertificateUpkeep implements Disposable {
  readonly #options: CertificateUpkeepOptions
  readonly #timer: NodeJS.Timeout
  #isLooking = false

  constructor(options: CertificateUpkeepOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#look(), options.lookMillis ?? LOOK_MILLIS).unref()
    void this.#look()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    await this.#renew()
    this.#isLooking = false
  }

  async #renew(): Promise<void> {
    const { nodeCertFile, coreUrl, log } = this.#options
    const folder = dirname(nodeCertFile)
    // What came another way is renewed another way.
    if (basename(nodeCertFile) !== MEMBER_FILES.certificate || !existsSync(join(folder, MEMBER_FILES.request))) return
    try {
      const { isNew, notAfterMillis } = await renewInFolder(folder, coreUrl, Date.now())
      if (isNew) log.info({ notAfterMillis }, 'the node\'s certificate was renewed')
    } catch (error) {
      log.warn({ code: toFault(error).code }, 'the node\'s certificate is due and was not renewed')
    }
  }
}
