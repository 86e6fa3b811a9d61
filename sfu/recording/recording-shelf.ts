import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toStorageFault } from '../../relay/slides/store/storage-fault.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { RecordingId } from '../../relay/wire/ids.ts'
import { RECORDING_FILES, RecordingSummaryFile } from './recording-files.ts'
import { RecordedConsultation } from './recording-reader.ts'
import type { RecordingSummary } from '../../relay/wire/recording.ts'
import type { RecordingHeader } from './recording-files.ts'

/** The recordings of one consultation on disk: a directory for each. */
export class RecordingShelf {
  readonly #directory: string
  readonly #isOn: (id: RecordingId) => boolean

  /** @param directory - Made when the first recording begins. @param isOn - Whether a recording is being written. */
  constructor(directory: string, isOn: (id: RecordingId) => boolean = () => false) {
    this.#directory = directory
    this.#isOn = isOn
  }

  /** Where a recording is, or would be. */
  path(id: RecordingId): string {
    return join(this.#directory, id)
  }

  /** Makes the directory of a recording, with its header. @throws {RelayFault} `storage_full`. */
  async create(header: RecordingHeader): Promise<string> {
    const directory = this.path(header.recordingId)
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await writeFile(join(directory, RECORDING_FILES.header), `${JSON.stringify(header)}\n`, { mode: 0o600, flush: true })
      return directory
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw toStorageFault(error)
    }
  }

  /** Those that have ended, oldest first. One that cannot be read is left out. */
  async list(): Promise<RecordingSummary[]> {
    const found: RecordingSummary[] = []
    for (const name of await namesIn(this.#directory)) {
      const id = RecordingId.safeParse(name)
      const summary = id.success && !this.#isOn(id.data) ? await this.#summary(id.data) : undefined
      if (summary !== undefined) found.push(summary)
    }
    return found.sort((a, b) => a.startedAtMillis - b.startedAtMillis)
  }

  /** @throws {RelayFault} `not_found`; `bad_recording`. */
  async read(id: RecordingId): Promise<{ readonly recording: RecordedConsultation; readonly summary: RecordingSummaryFile }> {
    const directory = this.path(id)
    if (!(await namesIn(directory)).includes(RECORDING_FILES.header)) throw new RelayFault('not_found', 'no such recording')
    const recording = await RecordedConsultation.open(directory)
    return { recording, summary: (await readSummary(directory)) ?? (await summarise(directory, recording, { state: 'cut', fault: null })) }
  }

  /** Writes what is known of a recording that has ended. @throws {RelayFault} `storage_full`; then it is made anew whenever it is read. */
  async conclude(id: RecordingId, end: RecordingOutcome): Promise<void> {
    const directory = this.path(id)
    try {
      const recording = await RecordedConsultation.open(directory)
      await recording.repair()
      const path = join(directory, RECORDING_FILES.summary)
      await writeFile(`${path}.part`, `${JSON.stringify(await summarise(directory, recording, end))}\n`, { mode: 0o600, flush: true })
      await rename(`${path}.part`, path)
    } catch (error) {
      throw toStorageFault(error)
    }
  }

  /** @returns Bytes that are free again. @throws {RelayFault} `not_found`. */
  async remove(id: RecordingId): Promise<number> {
    const bytes = await bytesBelow(this.path(id))
    if (bytes === 0) throw new RelayFault('not_found', 'no such recording')
    await rm(this.path(id), { recursive: true, force: true })
    return bytes
  }

  async #summary(id: RecordingId): Promise<RecordingSummary | undefined> {
    try {
      const { recording: { header }, summary } = await this.read(id)
      const { durationMillis, bytes, state, fault, gaps } = summary
      return { recordingId: id, startedAtMillis: header.startedAtMillis, by: header.startedBy, durationMillis, bytes, state, fault, gaps }
    } catch (error) {
      if (error instanceof RelayFault) return undefined
      throw error
    }
  }
}

/** How a recording ended, as far as that is known. */
export type RecordingOutcome = Pick<RecordingSummaryFile, 'state' | 'fault'> & { readonly durationMillis?: number }

async function summarise(directory: string, recording: RecordedConsultation, { state, fault, durationMillis }: RecordingOutcome): Promise<RecordingSummaryFile> {
  return { version: 1, ...(await recording.survey(durationMillis)), bytes: await bytesBelow(directory), state, fault }
}

/**
 * Looks through all recordings of a node at its start: makes those readable that a node that was killed left behind.
 *
 * @param consultations - The directory with one directory for each consultation.
 * @param onUnreadable - Called for each that cannot be.
 * @returns Bytes that they take together.
 */
export async function surveyRecordings(consultations: string, onUnreadable: (error: unknown) => void): Promise<number> {
  let sum = 0
  for (const consultation of await namesIn(consultations)) {
    const directory = join(consultations, consultation, 'recordings')
    const shelf = new RecordingShelf(directory)
    for (const name of await namesIn(directory)) {
      const id = RecordingId.safeParse(name)
      if (!id.success) continue
      if ((await readSummary(shelf.path(id.data))) === undefined) await shelf.conclude(id.data, { state: 'cut', fault: null }).catch(onUnreadable)
      sum += await bytesBelow(shelf.path(id.data))
    }
  }
  return sum
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function readSummary(directory: string): Promise<RecordingSummaryFile | undefined> {
  try {
    return RecordingSummaryFile.parse(JSON.parse(await readFile(join(directory, RECORDING_FILES.summary), 'utf8')))
  } catch {
    // Not there, or not whole: it is made anew at the next start.
    return undefined
  }
}

async function bytesBelow(directory: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size
  }
  return sum
}
