import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { ConsultationId, MemberId, SlideId } from '../../wire/ids.ts'
import { UIDS } from '../formats/dicom-dictionary.ts'
import { readDicomHeader } from '../formats/dicom-header.ts'
import { readInstance, readLevel } from '../formats/dicom-instance.ts'
import { FramePositions } from '../formats/frame-positions.ts'
import { walkSequence } from '../formats/sequence-windows.ts'
import { blankItem, identifyingValues } from './patient-attributes.ts'
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

/** Who uploads, and for which consultation. */
const Uploader = z.object({ consultationId: ConsultationId, memberId: MemberId })
type Uploader = Readonly<z.infer<typeof Uploader>>

/** What is kept of a series beside its instances. The slide's id is chosen with the first of them, so that a series makes one slide however often its import begins. */
const SeriesNote = Uploader.extend({ slideId: SlideId })
type SeriesNote = Readonly<z.infer<typeof SeriesNote>>

/** A series of which nothing has come for a while: a slide, to be opened by `openDicomSlide`. */
export interface StowedSeries extends SeriesNote {
  readonly directory: string
  readonly instances: number
}

interface Series {
  readonly note: SeriesNote
  /** By digest of the SOP Instance UID: length in bytes. */
  readonly instances: Map<string, number>
  changedAt: Millis
  /** Nothing is added any more. */
  isSealed: boolean
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
const NOTE = '.note'
const digestOf = (...parts: string[]): string => createHash('sha256').update(parts.join('/')).digest('hex').slice(0, 32)

/**
 * Keeps uploaded instances of whole slides in a directory for each series of each uploader, without who the patient is. DICOM has no
 * word for the last instance of a series, so a series is settled when nothing has come for a while.
 */
export class StowFolder {
  readonly #options: StowFolderOptions
  readonly #series: Map<string, Series>
  /** Bytes of instances that are being received. */
  #arriving = 0

  private constructor(options: StowFolderOptions, series: Map<string, Series>) {
    this.#options = options
    this.#series = series
  }

  /** Takes up what an earlier run kept. */
  static async open(options: StowFolderOptions): Promise<StowFolder> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 })
    const series = new Map<string, Series>()
    const entries = await readdir(options.directory, { withFileTypes: true })
    const directories = new Set(entries.filter(entry => entry.isDirectory()).map(({ name }) => name))
    for (const { name } of entries) {
      const path = join(options.directory, name)
      // A note stands before its directory and goes after it: one without is of a crash between.
      if (name.endsWith(PARTIAL) || (name.endsWith(NOTE) && !directories.has(name.slice(0, -NOTE.length)))) await rm(path)
    }
    for (const name of directories) {
      const path = join(options.directory, name)
      const note = await readNote(`${path}${NOTE}`)
      const instances = new Map<string, number>()
      for (const file of await readdir(path)) instances.set(file.replace('.dcm', ''), (await stat(join(path, file))).size)
      if (note === undefined || instances.size === 0) await remove(path)
      else series.set(name, { note, instances, changedAt: options.clock.now(), isSealed: false })
    }
    return new StowFolder(options, series)
  }

  /** Series of which nothing has come for so long. */
  settled(quiet: Millis): StowedSeries[] {
    const now = this.#options.clock.now()
    return [...this.#series]
      .filter(([, { changedAt }]) => now - changedAt >= quiet)
      .map(([name, { note, instances }]) => ({ ...note, directory: join(this.#options.directory, name), instances: instances.size }))
  }

  /** From here on instances of a series are refused, until it is discarded or the program starts again. */
  seal({ directory }: StowedSeries): void {
    const series = this.#series.get(basename(directory))
    if (series !== undefined) series.isSealed = true
  }

  /** Forgets a series, its files too: it was taken into the store, or is no slide. */
  async discard({ directory }: StowedSeries): Promise<void> {
    await remove(directory)
    this.#series.delete(basename(directory))
  }

  /** Takes the instances of an uploader. */
  sinkOf(uploader: Uploader): StowSink {
    return { take: (body, study) => this.#take(uploader, body, study) }
  }

  async #take(uploader: Uploader, body: AsyncIterable<Buffer>, study: string | undefined): Promise<StowOutcome> {
    const partial = join(this.#options.directory, `${randomUUID()}${PARTIAL}`)
    let uids: Pick<StowOutcome, 'sopClassUid' | 'sopInstanceUid'> = { sopClassUid: undefined, sopInstanceUid: undefined }
    try {
      await using handle = await open(partial, 'wx+')
      const length = await this.#receive(handle, body)
      const header = await readDicomHeader(handle, length)
      if (header === undefined) throw new Refusal(FAILURE.cannotUnderstand)
      uids = uidsOf(header)
      this.#check(header, study)
      await blank(handle, length, header)
      await handle.sync()
      await this.#keep(uploader, partial, header, length)
      return { ...uids, failure: undefined }
    } catch (thrown) {
      await rm(partial, { force: true })
      return { ...uids, failure: reasonOf(thrown) }
    }
  }

  /** @returns Length in bytes. A body that is too long is read to its end all the same, so that what follows it is. */
  async #receive(handle: FileHandle, body: AsyncIterable<Buffer>): Promise<number> {
    const { instanceBytes, totalBytes } = this.#options.limits
    let [length, isTooLong] = [0, false]
    try {
      for await (const chunk of body) {
        isTooLong ||= length + chunk.length > instanceBytes || this.#bytes + this.#arriving + chunk.length > totalBytes
        if (isTooLong) continue
        length += chunk.length
        this.#arriving += chunk.length
        await handle.write(chunk)
      }
    } finally {
      this.#arriving -= length
    }
    if (isTooLong) throw new Refusal(FAILURE.outOfResources)
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

  async #keep({ consultationId, memberId }: Uploader, partial: string, { source, dataSet }: DicomHeader, length: number): Promise<void> {
    const [name, instance] = [digestOf(consultationId, memberId, source.text(dataSet, 'SeriesInstanceUID')), digestOf(source.text(dataSet, 'SOPInstanceUID'))]
    const { limits, directory, clock } = this.#options
    const known = this.#series.get(name)
    if (known === undefined && this.#series.size >= limits.series) throw new Refusal(FAILURE.outOfResources)
    const series = known ?? { note: { consultationId, memberId, slideId: SlideId.parse(randomUUID()) }, instances: new Map<string, number>(), changedAt: clock.now(), isSealed: false }
    if (series.isSealed || (!series.instances.has(instance) && series.instances.size >= limits.instancesPerSeries)) throw new Refusal(FAILURE.outOfResources)
    // Reserved before anything waits: others come at the same time, and the import of the series may begin.
    this.#series.set(name, series)
    series.instances.set(instance, length)
    series.changedAt = clock.now()
    const path = join(directory, name)
    await writeNote(`${path}${NOTE}`, series.note)
    await mkdir(path, { recursive: true, mode: 0o700 })
    await rename(partial, join(path, `${instance}.dcm`))
    await syncDirectory(path)
    await syncDirectory(directory)
    series.changedAt = clock.now()
  }
}

function uidsOf({ source, dataSet, sopClass }: DicomHeader): Pick<StowOutcome, 'sopClassUid' | 'sopInstanceUid'> {
  const checked = (uid: string): string | undefined => (/^[0-9.]{1,64}$/.test(uid) ? uid : undefined)
  return { sopClassUid: checked(sopClass), sopInstanceUid: checked(source.text(dataSet, 'SOPInstanceUID')) }
}

/** Overwrites identifying values where they stand: nothing else of the file moves. */
async function blank(handle: FileHandle, fileSize: number, header: DicomHeader): Promise<void> {
  for (const { at, length, blank: filler } of identifyingValues(header)) await handle.write(Buffer.alloc(length, filler), 0, length, at)
  if (header.frameGroups === undefined) return
  const items = new FramePositions()
  let isChanged = false
  await walkSequence(
    handle,
    fileSize,
    header.frameGroups,
    (bytes, at, length) => {
      const after = items.take(bytes, at, length)
      isChanged = blankItem(bytes, { start: at, end: length === 0xffff_ffff ? after - 8 : after, isImplicit: false }) || isChanged
      return after
    },
    () => {
      const wasChanged = isChanged
      isChanged = false
      return wasChanged
    },
  )
}

/** @throws what is no refusal: failures of the machine, and of the connection. */
function reasonOf(thrown: unknown): FailureReason {
  if (thrown instanceof Refusal) return thrown.reason
  if (thrown instanceof RelayFault && thrown.code === 'unsupported_slide') return FAILURE.doesNotMatch
  if (thrown instanceof RelayFault && thrown.code === 'bad_slide') return FAILURE.cannotUnderstand
  if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')) return FAILURE.outOfResources
  throw thrown
}

async function writeNote(path: string, note: SeriesNote): Promise<void> {
  const draft = `${path}-${randomUUID()}${PARTIAL}`
  {
    await using handle = await open(draft, 'wx', 0o600)
    await handle.writeFile(JSON.stringify(note))
    await handle.sync()
  }
  await rename(draft, path)
}

/** @returns `undefined` where there is none that can be read. */
async function readNote(path: string): Promise<SeriesNote | undefined> {
  try {
    return SeriesNote.safeParse(JSON.parse(await readFile(path, 'utf8'))).data
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Removes a series: its directory first. */
async function remove(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await rm(`${directory}${NOTE}`, { force: true })
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r')
  await handle.sync()
}
