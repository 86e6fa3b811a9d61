import { open, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RelayFault } from '../../wire/fault.ts'
import { columnsOf, SLIDE_LIMITS } from '../../wire/slide.ts'
import { hasTile } from '../../wire/tile-order.ts'
import { DICOM_LIMITS } from './dicom-data-set.ts'
import { UIDS } from './dicom-dictionary.ts'
import { DicomFrames } from './dicom-frames.ts'
import { readDicomHeader } from './dicom-header.ts'
import { readInstance, readLevel } from './dicom-instance.ts'
import type { DicomInstance, DicomLevel } from './dicom-instance.ts'
import type { AssociatedImage, SlideReader } from './slide-reader.ts'
import type { FileHandle } from 'node:fs/promises'

/*
 * Data sets are parsed here and not by dcmjs or dicom-parser: both want the whole file in memory, and a level has gigabytes.
 */

interface OpenInstance {
  readonly handle: FileHandle
  readonly instance: DicomInstance
  /** Of a volume. */
  readonly level: DicomLevel | undefined
  readonly fileSize: number
}

interface OpenLevel extends DicomLevel {
  readonly scan: DicomInstance['scan']
  readonly reader: DicomFrames
}

/**
 * Opens a slide of DICOM VL Whole Slide Microscopy: a directory with the instances of one series, or one file of it.
 * Reads explicit VR little endian with JPEG baseline or JPEG 2000 frames, one optical path and one focal plane.
 *
 * @throws {RelayFault} `bad_slide`; `unsupported_slide` when there is no such series, or several.
 * @see PS3.3 section A.32.8
 */
export async function openDicomSlide(path: string): Promise<SlideReader> {
  await using scope = new AsyncDisposableStack()
  const instances: OpenInstance[] = []
  const wanted = (await stat(path)).isDirectory() ? undefined : await seriesOf(path)
  for (const file of await filesBeside(path)) {
    const opened = await openInstance(file, wanted)
    if (opened === undefined) continue
    scope.use(opened.handle)
    instances.push(opened)
  }
  const [first] = instances
  if (first === undefined) throw new RelayFault('unsupported_slide', 'DICOM: there is no whole slide image')
  if (instances.some(({ instance }) => instance.seriesInstanceUid !== first.instance.seriesInstanceUid)) throw new RelayFault('unsupported_slide', 'DICOM: several series in one directory')
  const levels = instances.flatMap(({ instance: { scan }, level, handle, fileSize }) => (level === undefined ? [] : [{ ...level, scan, reader: new DicomFrames({ handle, fileSize, ...level }) }]))
  return new DicomSlide(sorted(levels), instances, scope.move())
}

/** Finest first. */
function sorted(levels: OpenLevel[]): OpenLevel[] {
  levels.sort((a, b) => b.level.width - a.level.width || b.level.height - a.level.height)
  if (levels.length === 0) throw new RelayFault('unsupported_slide', 'DICOM: the series has no volume image')
  if (levels.length > SLIDE_LIMITS.levels) throw new RelayFault('bad_slide', 'DICOM: too many levels')
  if (levels.some(({ level }, index) => level.width === levels[index + 1]?.level.width)) throw new RelayFault('unsupported_slide', 'DICOM: several images of one size')
  return levels
}

async function filesBeside(path: string): Promise<string[]> {
  const directory = (await stat(path)).isDirectory() ? path : dirname(path)
  const names = (await readdir(directory, { withFileTypes: true })).filter(entry => entry.isFile()).map(entry => entry.name)
  if (names.length > DICOM_LIMITS.files) throw new RelayFault('unsupported_slide', 'DICOM: too many files in the directory')
  return names.sort().map(name => join(directory, name))
}

/** @throws {RelayFault} `bad_slide`; `unsupported_slide` when the file is no whole slide image. */
async function seriesOf(path: string): Promise<string> {
  await using handle = await open(path, 'r')
  const header = await readDicomHeader(handle, (await handle.stat()).size)
  if (header?.sopClass !== UIDS.wholeSlideMicroscopy) throw new RelayFault('unsupported_slide', 'DICOM: no whole slide image')
  return header.source.text(header.dataSet, 'SeriesInstanceUID')
}

/** @returns `undefined` when the file is no DICOM whole slide image of the series. */
async function openInstance(path: string, series: string | undefined): Promise<OpenInstance | undefined> {
  await using scope = new AsyncDisposableStack()
  const handle = scope.use(await open(path, 'r'))
  const fileSize = (await handle.stat()).size
  const header = await readDicomHeader(handle, fileSize)
  if (header?.sopClass !== UIDS.wholeSlideMicroscopy) return undefined
  const instance = readInstance(header)
  if (series !== undefined && instance.seriesInstanceUid !== series) return undefined
  const level = instance.flavour === 'volume' ? readLevel(header, instance) : undefined
  scope.move()
  return { handle, instance, level, fileSize }
}

class DicomSlide implements SlideReader {
  readonly format = 'dicom'
  readonly levels: SlideReader['levels']
  readonly micronsPerPixel: SlideReader['micronsPerPixel']
  readonly objectivePower: number | undefined
  readonly scan: SlideReader['scan']
  readonly associated: readonly AssociatedImage[]
  readonly withheld: readonly string[]
  readonly #levels: readonly OpenLevel[]
  readonly #files: AsyncDisposableStack

  constructor(levels: readonly OpenLevel[], instances: readonly OpenInstance[], files: AsyncDisposableStack) {
    this.#levels = levels
    this.#files = files
    this.levels = levels.map(({ level }) => level)
    this.micronsPerPixel = levels[0]?.micronsPerPixel
    this.objectivePower = levels.find(({ objectivePower }) => objectivePower !== undefined)?.objectivePower
    // Of the finest level: others may have been made later, elsewhere.
    this.scan = levels[0]?.scan
    this.associated = instances.flatMap(({ level, instance: { flavour, width, height } }) => (level === undefined ? [{ name: flavour, width, height }] : []))
    this.withheld = instances.flatMap(({ instance }) => instance.withheld)
  }

  async readTile(level: number, column: number, row: number): Promise<Buffer> {
    const from = this.#levels[level]
    if (from === undefined || !hasTile(from.level, { column, row })) throw new RelayFault('out_of_range', 'no such tile')
    const tile = row * columnsOf(from.level) + column
    const frame = from.sparse === undefined ? tile : from.sparse.frameOf(tile)
    return frame === undefined ? Buffer.alloc(0) : from.reader.readFrame(frame)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#files.disposeAsync()
  }
}
