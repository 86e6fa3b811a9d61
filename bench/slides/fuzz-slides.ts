/**
 * Opens many slides with broken headers: `node bench/slides/fuzz-slides.ts [--count 100000] [--seed 1]`.
 *
 * Whatever a file says, opening it ends soon, with a slide or with a coded refusal.
 */
import { parseArgs } from 'node:util'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { columnsOf, rowsOf } from '../../relay/wire/slide.ts'
import { MemorySource } from '../../relay/slides/formats/random-access-file.ts'
import { TiffSlide } from '../../relay/slides/formats/tiff-slide.ts'
import { makeSmallTiff } from './small-tiff.ts'

/** What came of it. */
export interface FuzzOutcome {
  readonly opened: number
  /** How often, by code of the fault; `internal` is a bug. */
  readonly refused: ReadonlyMap<string, number>
  readonly slowestMillis: number
  /** Largest heap seen, beyond what there was before. */
  readonly heapBytes: number
  /** Number of the first file that made an error which is no refusal. */
  readonly firstBug: { readonly index: number; readonly cause: unknown } | undefined
}

type Random = () => number

/** Numbers that lengths and offsets are wrong with. */
const AWKWARD = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff] as const

/** Breaks a file in one to eight places, most of them in its header and directories, and cuts off every tenth. */
function mutate(file: Buffer, directoriesAt: number, random: Random): Buffer {
  const bytes = Buffer.from(file)
  const below = (most: number): number => Math.floor(random() * most)
  for (let changes = 1 + below(8); changes > 0; changes--) {
    const where = random()
    const at = where < 0.15 ? below(16) : where < 0.9 ? directoriesAt + below(bytes.length - directoriesAt) : below(bytes.length)
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
export async function fuzzSlides(count: number, seed: number): Promise<FuzzOutcome> {
  const random = seededRandom(seed)
  const kinds = [{ isBig: false, isLittleEndian: true }, { isBig: false, isLittleEndian: false }, { isBig: true, isLittleEndian: true }, { isBig: true, isLittleEndian: false }]
  const files = await Promise.all(kinds.flatMap(kind => (['aperio', 'generic', 'ome'] as const).map(family => makeSmallTiff({ family, kind }))))
  const refused = new Map<string, number>()
  const heapBefore = process.memoryUsage().heapUsed
  let [opened, slowestMillis, heapBytes] = [0, 0, 0]
  let firstBug: FuzzOutcome['firstBug']
  for (let index = 0; index < count; index++) {
    const file = files[index % files.length] ?? Buffer.alloc(0)
    const broken = mutate(file, directoriesOf(file), random)
    const started = performance.now()
    try {
      await readCorners(broken)
      opened++
    } catch (thrown) {
      const { code, cause } = toFault(thrown)
      refused.set(code, (refused.get(code) ?? 0) + 1)
      if (code === 'internal') firstBug ??= { index, cause }
    }
    slowestMillis = Math.max(slowestMillis, performance.now() - started)
    if (index % 256 === 0) heapBytes = Math.max(heapBytes, process.memoryUsage().heapUsed - heapBefore)
  }
  return { opened, refused, slowestMillis, heapBytes, firstBug }
}

/** The tiles of a small file end where its last JPEG does. */
const directoriesOf = (file: Buffer): number => file.lastIndexOf(Buffer.of(0xff, 0xd9)) + 2

async function readCorners(bytes: Buffer): Promise<void> {
  await using slide = await TiffSlide.open(new MemorySource(bytes))
  for (const [index, level] of slide.levels.entries()) {
    await slide.readTile(index, 0, 0)
    await slide.readTile(index, columnsOf(level) - 1, rowsOf(level) - 1)
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } } })
  const started = performance.now()
  const { opened, refused, slowestMillis, heapBytes, firstBug } = await fuzzSlides(Number(values.count), Number(values.seed))
  console.log(`${values.count} files, seed ${values.seed}: ${opened} opened, ${[...refused].map(([code, times]) => `${times} ${code}`).join(', ')}`)
  console.log(`slowest ${slowestMillis.toFixed(1)} ms, heap +${(heapBytes / 1e6).toFixed(0)} MB, ${((performance.now() - started) / 1000).toFixed(1)} s in all`)
  if (firstBug !== undefined) {
    console.error(`file ${firstBug.index}:`, firstBug.cause)
    process.exitCode = 1
  }
}
