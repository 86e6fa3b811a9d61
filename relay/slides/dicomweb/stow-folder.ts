import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RelayFault } from '../../wire/fault.ts'
import { UIDS } from '../formats/dicom-dictionary.ts'
import { readDicomHeader } from '../formats/dicom-header.ts'
import { readInstance, readLevel } from '../formats/dicom-instance.ts'
import { identifyingValues } from './patient-attributes.ts'
import { FAILURE } from './store-routes.ts'
import type { FileHandle } from 'node:fs/promises'
import type { Clock } from '../../runtime/clock.ts'
import type { Bytes, Millis } from '../../wire/units.ts'
import type { DicomHeader } from '../formats/dicom-header.ts'
import type { FailureReason, StowOutcome, StowSink } from './store-routes.ts'

/** What a folder of uploaded series is made from. */
export interface StowFolderOptions {
  /** Is made if it is not there; nothing else may write there. */
  readonly directory: string
  readonly clock: Clock
  /** `strip` overwrites identifying values, `refuse` takes no instance that has a patient's name or id. */
  readonly identities: 'strip' | 'refuse'
  readonly limits: { readonly instanceBytes: Bytes; readonly totalBytes: Bytes; readonly series: number; readonly instancesPerSeries: number }
}

/** A series of which nothing has come for a while: a slide, to be opened by `openDicomSlide`. */
export interface StowedSeries {
  readonly directory: string
  readonly instances: number
}

interface Series {
  /** By digest of the SOP Instance UID: length in bytes. */
  readonly instances: Map<string, number>
  changedAt: Millis
}

/** Says what became of an instance that is not taken. */
class Refusal extends Error {
  readonly reason: FailureReason

  constructor(reason: FailureReason) {
    super('not taken')
    this.reason = reason
  }
}

const PARTIAL = '.partial'
const digestOf = (uid: string): string => createHash('sha256').update(uid).digest('hex').slice(0, 32)

/**
 * Keeps uploaded instances of whole slides in a directory for each series, without who the patient is. DICOM has no
 * word for the last instance of a series, so a series is settled when nothing has come for a while.
 */
export class StowFolder implements StowSink {
  readonly #options: StowFolderOptions
  readonly #series: Map<string, Series>

  private constructor(options: StowFolderOptions, series: Map<string, Series>) {
    this.#options = options
    this.#series = series
  }

  /** Takes up what an earlier run kept. */
  static async open(options: StowFolderOptions): Promise<StowFolder> {
    await mkdir(options.directory, { recursive: true })
    const series = new Map<string, Series>()
    for (const entry of await readdir(options.directory, { withFileTypes: true })) {
      const path = join(options.directory, entry.name)
      if (entry.name.endsWith(PARTIAL)) await rm(path)
      if (!entry.isDirectory()) continue
      const instances = new Map<string, number>()
      for (const name of await readdir(path)) instances.set(name.replace('.dcm', ''), (await stat(join(path, name))).size)
      series.set(entry.name, { instances, changedAt: options.clock.now() })
    }
    return new StowFolder(options, series)
  }

  /** Series of which nothing has come for so long. */
  settled(quiet: Millis): StowedSeries[] {
    const now = this.#options.clock.now()
    return [...this.#series].filter(([, { changedAt }]) => now - changedAt >= quiet).map(([name, { instances }]) => ({ directory: join(this.#options.directory, name), instances: instances.size }))
  }

  /** Forgets a series, its files too: it was taken into the store, or is no slide. */
  async discard({ directory }: StowedSeries): Promise<void> {
    for (const name of this.#series.keys()) if (join(this.#options.directory, name) === directory) this.#series.delete(name)
    await rm(directory, { recursive: true, force: true })
  }

  async take(body: AsyncIterable<Buffer>, study: string | undefined): Promise<StowOutcome> {
    const partial = join(this.#options.directory, `${randomUUID()}${PARTIAL}`)
    let uids: Pick<StowOutcome, 'sopClassUid' | 'sopInstanceUid'> = { sopClassUid: undefined, sopInstanceUid: undefined }
    try {
      await using handle = await open(partial, 'wx+')
      const length = await this.#receive(handle, body)
      const header = await readDicomHeader(handle, length)
      if (header === undefined) throw new Refusal(FAILURE.cannotUnderstand)
      uids = uidsOf(header)
      this.#check(header, study)
      await blank(handle, header)
      await handle.sync()
      await this.#keep(partial, header, length)
      return { ...uids, failure: undefined }
    } catch (thrown) {
      await rm(partial, { force: true })
      return { ...uids, failure: reasonOf(thrown) }
    }
  }

  /** @returns Length in bytes. A body that is too long is read to its end all the same, so that what follows it is. */
  async #receive(handle: FileHandle, body: AsyncIterable<Buffer>): Promise<number> {
    const most = Math.min(this.#options.limits.instanceBytes, this.#options.limits.totalBytes - this.#bytes)
    let length = 0
    for await (const chunk of body) {
      length += chunk.length
      if (length <= most) await handle.write(chunk)
    }
    if (length > most) throw new Refusal(FAILURE.outOfResources)
    return length
  }

  get #bytes(): number {
    let sum = 0
    for (const { instances } of this.#series.values()) for (const length of instances.values()) sum += length
    return sum
  }

  #check(header: DicomHeader, study: string | undefined): void {
    const { source, dataSet, sopClass } = header
    if (sopClass !== UIDS.wholeSlideMicroscopy) throw new Refusal(FAILURE.sopClassNotSupported)
    if (study !== undefined && source.text(dataSet, 'StudyInstanceUID') !== study) throw new Refusal(FAILURE.doesNotMatch)
    const instance = readInstance(header)
    // Labels and macro images have names in their pixels.
    if (instance.flavour !== 'volume') throw new Refusal(FAILURE.notAuthorised)
    const isNamed = source.text(dataSet, 'PatientIdentityRemoved') !== 'YES' && (source.text(dataSet, 'PatientName') !== '' || source.text(dataSet, 'PatientID') !== '')
    if (isNamed && this.#options.identities === 'refuse') throw new Refusal(FAILURE.notAuthorised)
    readLevel(header, instance)
  }

  async #keep(partial: string, { source, dataSet }: DicomHeader, length: number): Promise<void> {
    const [name, instance] = [digestOf(source.text(dataSet, 'SeriesInstanceUID')), digestOf(source.text(dataSet, 'SOPInstanceUID'))]
    const series = this.#series.get(name) ?? { instances: new Map<string, number>(), changedAt: this.#options.clock.now() }
    const { limits, directory, clock } = this.#options
    if (!this.#series.has(name) && this.#series.size >= limits.series) throw new Refusal(FAILURE.outOfResources)
    if (!series.instances.has(instance) && series.instances.size >= limits.instancesPerSeries) throw new Refusal(FAILURE.outOfResources)
    await mkdir(join(directory, name), { recursive: true })
    await rename(partial, join(directory, name, `${instance}.dcm`))
    await syncDirectory(join(directory, name))
    await syncDirectory(directory)
    series.instances.set(instance, length)
    series.changedAt = clock.now()
    this.#series.set(name, series)
  }
}

function uidsOf({ source, dataSet, sopClass }: DicomHeader): Pick<StowOutcome, 'sopClassUid' | 'sopInstanceUid'> {
  const checked = (uid: string): string | undefined => (/^[0-9.]{1,64}$/.test(uid) ? uid : undefined)
  return { sopClassUid: checked(sopClass), sopInstanceUid: checked(source.text(dataSet, 'SOPInstanceUID')) }
}

/** Overwrites identifying values where they stand: nothing else of the file moves. */
async function blank(handle: FileHandle, header: DicomHeader): Promise<void> {
  for (const { at, length, blank: filler } of identifyingValues(header)) await handle.write(Buffer.alloc(length, filler), 0, length, at)
}

/** @throws what is no refusal: failures of the machine, and of the connection. */
function reasonOf(thrown: unknown): FailureReason {
  if (thrown instanceof Refusal) return thrown.reason
  if (thrown instanceof RelayFault && thrown.code === 'unsupported_slide') return FAILURE.doesNotMatch
  if (thrown instanceof RelayFault && thrown.code === 'bad_slide') return FAILURE.cannotUnderstand
  if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')) return FAILURE.outOfResources
  throw thrown
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r')
  await handle.sync()
}
