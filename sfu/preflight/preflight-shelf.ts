import { mkdir, open, readdir, readFile, rename, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { toStorageFault } from '../../relay/slides/store/storage-fault.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { PREFLIGHT_LIMITS, PreflightReport } from '../../relay/wire/preflight.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'

/** The last check of each member and end, in `consultations/<consultation>/preflight` below the node's state. */
export class PreflightShelf {
  readonly #stateDir: string

  constructor(stateDir: string) {
    this.#stateDir = stateDir
  }

  /**
   * Keeps it in place of the member's last; durable when this resolves.
   *
   * @throws {RelayFault} `quota_exceeded` where as many are kept as may be; `storage_full`.
   */
  async keep(consultationId: ConsultationId, report: PreflightReport): Promise<void> {
    const directory = this.#directory(consultationId)
    const name = `${report.memberId}.${report.end}.json`
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const names = await readdir(directory)
      const isNew = !names.includes(name)
      if (isNew && names.filter(isReport).length >= PREFLIGHT_LIMITS.kept) throw new RelayFault('quota_exceeded', 'this consultation keeps as many checks as it may')
      const path = join(directory, name)
      await writeDurably(`${path}.part`, JSON.stringify(report))
      await rename(`${path}.part`, path)
      await syncDirectory(directory)
    } catch (error) {
      throw toStorageFault(error)
    }
  }

  /** What is kept of a consultation, the latest first. A file that is none of ours is passed over. */
  async list(consultationId: ConsultationId): Promise<PreflightReport[]> {
    const directory = this.#directory(consultationId)
    // Nobody has checked yet.
    const names = await readdir(directory).catch(() => [] as string[])
    const reports = await Promise.all(names.filter(isReport).map(name => readReport(join(directory, name))))
    return reports.filter(report => report !== undefined).sort((a, b) => b.takenAtMillis - a.takenAtMillis)
  }

  /** Bytes that are free where stills and recordings go; undefined where the system does not tell. */
  async freeBytes(): Promise<number | undefined> {
    try {
      const { bavail, bsize } = await statfs(this.#stateDir)
      return bavail * bsize
    } catch {
      // A file system that does not say: that is the answer.
      return undefined
    }
  }

  #directory(consultationId: ConsultationId): string {
    return join(this.#stateDir, 'consultations', consultationId, 'preflight')
  }
}

const isReport = (name: string): boolean => name.endsWith('.json')

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readReport(path: string): Promise<PreflightReport | undefined> {
  try {
    return PreflightReport.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    // Replaced meanwhile, or written by another program.
    return undefined
  }
}
