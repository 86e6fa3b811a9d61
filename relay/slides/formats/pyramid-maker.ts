import sharp from 'sharp'
import { RelayFault } from '../../wire/fault.ts'
import { columnsOf, rowsOf, tilesOf } from '../../wire/slide.ts'
import { MadeTiles, MadeTilesWriter } from './made-tiles.ts'
import { LevelShrinker } from './level-shrinker.ts'
import { planPyramid } from './pyramid-plan.ts'
import { readManyTiles } from './slide-reader.ts'
import type { SlideFormat, SlideLevel } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { PlannedLevel } from './pyramid-plan.ts'
import type { ReadTile } from './level-shrinker.ts'
import type { AssociatedImage, SlideReader } from './slide-reader.ts'

/** How missing levels are made. */
export interface MakePyramidOptions {
  /** Where what was made is kept, as one file, and found again. One directory for each slide. */
  readonly directory: string
  readonly signal?: AbortSignal | undefined
  /** Tiles made, and to be made. */
  readonly onProgress?: ((done: number, all: number) => void) | undefined
}

/** Tiles that are being made besides the one that is written next, so that no processor waits for another. */
const AHEAD = 4

/**
 * A slide without gaps between its levels: those the file lacks are made (JPEG, quality 90, 4:2:0, tiles of 256 pixels),
 * tile by tile, with some 50 MB of memory whatever the size of the slide. All are made when the first tile of one is
 * read, which waits for that; levels of the file can be read meanwhile. A slide that lacks none is returned as it is.
 *
 * Reading a tile of a level that has to be made throws {@link RelayFault} `bad_slide` when a tile cannot be decoded,
 * `storage_full`, or the signal's reason when it is aborted.
 *
 * @param reader - Taken over, also when this fails.
 */
export async function makePyramid(reader: SlideReader, options: MakePyramidOptions): Promise<SlideReader> {
  await using scope = new AsyncDisposableStack()
  scope.use(reader)
  // Of pictures as small as tiles, each seen once, libvips's cache and its own threads cost a quarter more than they give.
  sharp.cache(false)
  sharp.concurrency(1)
  const plan = planPyramid(reader.levels)
  const all = plan.reduce((sum, { kind, shape }) => sum + (kind === 'made' ? tilesOf(shape) : 0), 0)
  const slide = all === 0 ? reader : new CompletedSlide(reader, plan, options, await MadeTiles.find(options.directory, all))
  scope.move()
  return slide
}

/** A full disk has a code of its own. */
async function translated(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')) throw new RelayFault('storage_full', 'no room for the levels of a slide', { cause })
    throw cause
  }
}

interface MakeAllOptions {
  readonly directory: string
  readonly signal: AbortSignal | undefined
  readonly onProgress: (done: number) => void
}

async function makeAll(reader: SlideReader, plan: readonly PlannedLevel[], { directory, signal, onProgress }: MakeAllOptions): Promise<void> {
  await using writer = await MadeTilesWriter.open(directory)
  let source: { readonly shape: SlideLevel; readonly read: ReadTile } | undefined
  let done = 0
  const ahead: Promise<Buffer>[] = []
  const writeNext = async (): Promise<void> => {
    const next = await ahead.shift()
    if (next !== undefined) await writer.write(next)
    onProgress(++done)
  }
  for (const level of plan) {
    const first = done
    const columns = columnsOf(level.shape)
    if (level.kind === 'made') {
      if (source === undefined) throw new Error('a pyramid begins with a level of the file')
      const shrinker = new LevelShrinker(source.shape, level.shrink, source.read)
      for (let row = 0; row < rowsOf(level.shape); row++) {
        for (let column = 0; column < columns; column++) {
          signal?.throwIfAborted()
          const tile = shrinker.make(level.shape, column, row)
          // Heard where it is awaited; until then it is nobody's.
          tile.catch(() => undefined)
          ahead.push(tile)
          if (ahead.length > AHEAD) await writeNext()
        }
      }
      while (ahead.length > 0) await writeNext()
    }
    source = { shape: level.shape, read: level.kind === 'kept' ? (column, row) => reader.readTile(level.index, column, row) : (column, row) => writer.read(first + row * columns + column) }
  }
  await writer.finish()
}

/** A slide with levels that were made. Closing it closes the original. */
class CompletedSlide implements SlideReader {
  readonly format: SlideFormat
  readonly levels: readonly SlideLevel[]
  readonly micronsPerPixel: SlideReader['micronsPerPixel']
  readonly objectivePower: number | undefined
  readonly scan: SlideReader['scan']
  readonly associated: readonly AssociatedImage[]
  readonly withheld: readonly string[]
  readonly #reader: SlideReader
  readonly #plan: readonly PlannedLevel[]
  readonly #options: MakePyramidOptions
  readonly #closing = new AbortController()
  #made: Promise<MadeTiles> | undefined

  /** @param made - What an earlier run made; this one's from here on. */
  constructor(reader: SlideReader, plan: readonly PlannedLevel[], options: MakePyramidOptions, made: MadeTiles | undefined) {
    this.#reader = reader
    this.#plan = plan
    this.#options = options
    this.#made = made && Promise.resolve(made)
    this.format = reader.format
    this.levels = plan.map(({ shape }) => shape)
    this.micronsPerPixel = reader.micronsPerPixel
    this.objectivePower = reader.objectivePower
    this.scan = reader.scan
    this.associated = reader.associated
    this.withheld = reader.withheld
  }

  async readTile(level: number, column: number, row: number): Promise<Buffer> {
    const planned = this.#plan[level]
    if (planned === undefined) throw new RelayFault('out_of_range', 'no such level')
    if (planned.kind === 'kept') return this.#reader.readTile(planned.index, column, row)
    const columns = columnsOf(planned.shape)
    if (!Number.isInteger(column) || !Number.isInteger(row) || column < 0 || row < 0 || column >= columns || row >= rowsOf(planned.shape)) throw new RelayFault('out_of_range', 'no such tile')
    const before = this.#plan.slice(0, level).reduce((sum, { kind, shape }) => sum + (kind === 'made' ? tilesOf(shape) : 0), 0)
    return (await this.#allMade()).read(before + row * columns + column)
  }

  async readTiles(level: number, positions: readonly TilePosition[]): Promise<Buffer[]> {
    const planned = this.#plan[level]
    return planned?.kind === 'kept' ? readManyTiles(this.#reader, planned.index, positions) : readManyTiles({ readTile: (_, column, row) => this.readTile(level, column, row) }, level, positions)
  }

  #allMade(): Promise<MadeTiles> {
    if (this.#made === undefined) {
      const made = this.#make()
      this.#made = made
      // What failed is tried again when it is read again.
      made.catch(() => {
        if (this.#made === made) this.#made = undefined
      })
    }
    return this.#made
  }

  async #make(): Promise<MadeTiles> {
    const { directory, onProgress, signal } = this.#options
    const { signal: closing } = this.#closing
    const all = this.#plan.reduce((sum, { kind, shape }) => sum + (kind === 'made' ? tilesOf(shape) : 0), 0)
    await translated(makeAll(this.#reader, this.#plan, { directory, signal: signal === undefined ? closing : AbortSignal.any([signal, closing]), onProgress: done => onProgress?.(done, all) }))
    const made = await MadeTiles.find(directory, all)
    if (made === undefined) throw new Error('what was made is there')
    return made
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new RelayFault('unavailable', 'the slide is closed'))
    const made = await this.#made?.catch(() => undefined)
    await made?.[Symbol.asyncDispose]()
    await this.#reader[Symbol.asyncDispose]()
  }
}
