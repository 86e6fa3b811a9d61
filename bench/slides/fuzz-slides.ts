/**
 * Opens many slides with broken headers: `node bench/slides/fuzz-slides.ts [--format tiff|dicom] [--count 100000] [--seed 1]`.
 *
 * Whatever a file says, opening it ends soon, with a slide or with a coded refusal.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { columnsOf, rowsOf } from '../../relay/wire/slide.ts'
import { DicomItems } from '../../relay/slides/dicomweb/dicom-encoding.ts'
import { openDicomSlide } from '../../relay/slides/formats/dicom-slide.ts'
import { MemorySource } from '../../relay/slides/formats/random-access-file.ts'
import { TiffSlide } from '../../relay/slides/formats/tiff-slide.ts'
import { dicomFile } from './dicom-file.ts'
import { makeSmallTiff } from './small-tiff.ts'
import type { DicomDataSet } from '../../relay/slides/dicomweb/dicom-encoding.ts'
import type { SlideReader } from '../../relay/slides/formats/slide-reader.ts'

/** What came of it. */
export interface FuzzOutcome {
  readonly opened: number
  /** How often, by code of the fault; `internal` is a bug. */
  readonly refused: ReadonlyMap<string, number>
  readonly slowestMillis: number
  /** Most memory of the heap and of buffers seen, beyond what there was before. */
  readonly memoryBytes: number
  /** Number of the first file that made an error which is no refusal. */
  readonly firstBug: { readonly index: number; readonly cause: unknown } | undefined
}

type Random = () => number

/** Of which readers broken files are read. */
export type FuzzedFormat = 'tiff' | 'dicom'

/** A sound file, and where in it stands what is worth breaking. */
interface SoundFile {
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

/** Numbers that lengths and offsets are wrong with. */
const AWKWARD = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff] as const

/** Breaks a file in one to eight places, most of them in its header and directories, and cuts off every tenth. */
function mutate({ bytes: file, from, to }: SoundFile, random: Random): Buffer {
  const bytes = Buffer.from(file)
  const below = (most: number): number => Math.floor(random() * most)
  for (let changes = 1 + below(8); changes > 0; changes--) {
    const where = random()
    const at = where < 0.15 ? below(16) : where < 0.9 ? from + below(to - from) : below(bytes.length)
    const awkward = AWKWARD[below(AWKWARD.length)] ?? 0
    const how = random()
    if (how < 0.4) bytes[at] = below(256)
    else if (how < 0.6 && at + 4 <= bytes.length) bytes.writeUInt32LE(awkward, at)
    else if (how < 0.8 && at + 4 <= bytes.length) bytes.writeUInt32BE(awkward, at)
    else if (at + 2 <= bytes.length) bytes.writeUInt16LE(awkward & 0xffff, at)
  }
  return random() < 0.1 ? bytes.subarray(0, below(bytes.length)) : bytes
}

/** Opens so many broken files, and reads corner tiles of those that open. The same seed gives the same files. */
export async function fuzzSlides(count: number, seed: number, format: FuzzedFormat = 'tiff'): Promise<FuzzOutcome> {
  const random = seededRandom(seed)
  const files = format === 'tiff' ? await soundTiffs() : soundDicoms()
  await using scope = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-fuzz-'))
  scope.defer(() => rm(directory, { recursive: true }))
  const open = async (bytes: Buffer): Promise<SlideReader> => {
    if (format === 'tiff') return TiffSlide.open(new MemorySource(bytes))
    await writeFile(join(directory, 'level.dcm'), bytes)
    return openDicomSlide(directory)
  }
  const refused = new Map<string, number>()
  const memoryBefore = memoryInUse()
  let [opened, slowestMillis, memoryBytes] = [0, 0, 0]
  let firstBug: FuzzOutcome['firstBug']
  for (let index = 0; index < count; index++) {
    const file = files[index % files.length]
    if (file === undefined) throw new Error('no sound files')
    const broken = mutate(file, random)
    const started = performance.now()
    try {
      await readCorners(await open(broken))
      opened++
    } catch (thrown) {
      const { code, cause } = toFault(thrown)
      refused.set(code, (refused.get(code) ?? 0) + 1)
      if (code === 'internal') firstBug ??= { index, cause }
    }
    slowestMillis = Math.max(slowestMillis, performance.now() - started)
    if (index % 256 === 0) memoryBytes = Math.max(memoryBytes, memoryInUse() - memoryBefore)
  }
  return { opened, refused, slowestMillis, memoryBytes, firstBug }
}

function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function soundTiffs(): Promise<SoundFile[]> {
  const kinds = [{ isBig: false, isLittleEndian: true }, { isBig: false, isLittleEndian: false }, { isBig: true, isLittleEndian: true }, { isBig: true, isLittleEndian: false }]
  const files = await Promise.all(kinds.flatMap(kind => (['aperio', 'generic', 'ome'] as const).map(family => makeSmallTiff({ family, kind }))))
  // The tiles of a small file end where its last JPEG does.
  return files.map(bytes => ({ bytes, from: bytes.lastIndexOf(Buffer.of(0xff, 0xd9)) + 2, to: bytes.length }))
}

/** Full and sparse levels, with every kind of offset table, of one fragment a frame and of several. */
function soundDicoms(): SoundFile[] {
  const frames = Array.from({ length: 6 }, (_, frame) => Buffer.from(`frame ${frame} of six, and more of it${' '.repeat(8 * frame)}`))
  const shape: DicomDataSet = { TotalPixelMatrixColumns: 160, TotalPixelMatrixRows: 120 }
  const position = (frame: number): DicomDataSet => ({
    FrameContentSequence: DicomItems.of({ DimensionIndexValues: [frame, 1] }),
    PlanePositionSlideSequence: DicomItems.of({ ColumnPositionInTotalImagePixelMatrix: 1 + 64 * (frame % 3), RowPositionInTotalImagePixelMatrix: 1 + 64 * Math.floor(frame / 3) }),
  })
  const sparse: DicomDataSet = { ...shape, DimensionOrganizationType: 'TILED_SPARSE', PerFrameFunctionalGroupsSequence: DicomItems.of(...frames.map((_, frame) => position(frame))) }
  const files = [shape, sparse].flatMap(dataSet => [
    ...(['none', 'basic', 'extended'] as const).map(table => dicomFile({ frames, dataSet, table })),
    ...(['basic', 'extended'] as const).map(table => dicomFile({ frames, dataSet, table, fragments: 3 })),
  ])
  return files.map(bytes => ({ bytes, from: 132, to: bytes.indexOf(frames[0]?.subarray(0, 8) ?? '') }))
}

async function readCorners(opened: SlideReader): Promise<void> {
  await using slide = opened
  for (const [index, level] of slide.levels.entries()) {
    await slide.readTile(index, 0, 0)
    await slide.readTile(index, columnsOf(level) - 1, rowsOf(level) - 1)
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' }, format: { type: 'string', default: 'tiff' } } })
  if (values.format !== 'tiff' && values.format !== 'dicom') throw new Error('--format: tiff or dicom')
  const started = performance.now()
  const { opened, refused, slowestMillis, memoryBytes, firstBug } = await fuzzSlides(Number(values.count), Number(values.seed), values.format)
  console.log(`${values.count} ${values.format} files, seed ${values.seed}: ${opened} opened, ${[...refused].map(([code, times]) => `${times} ${code}`).join(', ')}`)
  console.log(`slowest ${slowestMillis.toFixed(1)} ms, memory +${(memoryBytes / 1e6).toFixed(0)} MB, ${((performance.now() - started) / 1000).toFixed(1)} s in all`)
  if (firstBug !== undefined) {
    console.error(`file ${firstBug.index}:`, firstBug.cause)
    process.exitCode = 1
  }
}
