import { RelayFault } from '../../wire/fault.ts'
import { squaresOf, tilesOf } from '../../wire/slide.ts'
import { tilesOfSquare } from '../../wire/tile-order.ts'
import { leavesOf } from '../tiles/square-shelf.ts'
import { sha256Of } from './heads.ts'
import { buildLevel, readTilesFrom } from './build-level.ts'
import { LevelIndex } from './level-index.ts'
import { rootOf } from './merkle-tree.ts'
import { encodeSquare } from './square-message.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { ScannerKey, SlideStructure } from '../../wire/slide.ts'
import type { PreparedLevel, PreparedSlide } from '../transfer/transfer.ts'
import type { BuildLevelOptions, CleanTiles } from './build-level.ts'
import type { SigningKey } from './heads.ts'

/** Level indices and heads of an earlier run, by level; what was prepared once is not read twice. */
export interface PreparedCache {
  get(level: number): Promise<{ readonly indexBytes: Buffer; readonly head: string } | undefined>
  put(level: number, prepared: { readonly indexBytes: Buffer; readonly head: string }): Promise<void>
}

/** What a preparation is made from. */
export interface SlidePreparationOptions {
  readonly structure: SlideStructure
  readonly tiles: CleanTiles
  readonly key: SigningKey
  readonly cache?: PreparedCache | undefined
  /** Builds the index of a level somewhere else, such as on another thread; undefined for one that is to be read here. */
  readonly build?: ((options: BuildLevelOptions) => Promise<Buffer> | undefined) | undefined
  /** Tiles read so far, of all levels together. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** Levels that are made of no more tiles take some seconds. */
const QUICKLY_MADE_TILES = 2000

/** Reads a slide that has no names any more, level by level, the coarsest first, those of the file beside those that are made, and proves each by a signed head. Owns the tiles. */
export class SlidePreparation implements PreparedSlide {
  readonly structure: SlideStructure
  readonly structureBytes: Buffer
  readonly key: ScannerKey
  readonly #options: SlidePreparationOptions
  readonly #structureSha: Sha256
  readonly #roots = new Map<number, Sha256>()
  #done = 0
  /** The levels that are being written to the cache, one after the other. */
  #keeping: Promise<void> = Promise.resolve()

  constructor(options: SlidePreparationOptions) {
    this.#options = options
    this.structure = options.structure
    this.structureBytes = Buffer.from(JSON.stringify(options.structure))
    this.key = options.key.publicKey
    this.#structureSha = sha256Of(this.structureBytes)
  }

  async *levels(signal: AbortSignal): AsyncGenerator<PreparedLevel> {
    this.#done = 0
    const coarsestFirst = this.structure.levels.map((shape, level) => ({ level, isMade: shape.isMade })).reverse()
    // Levels of the file need not wait for those that are being made.
    const lanes = [true, false].map(isMade => coarsestFirst.filter(level => level.isMade === isMade).map(({ level }) => level))
    const underWay = new Map<number[], Promise<{ readonly lane: number[]; readonly prepared: PreparedLevel }>>()
    const start = (lane: number[]): void => {
      const [level] = lane
      underWay.delete(lane)
      if (level === undefined || this.#waitsForMaking(level)) return
      lane.shift()
      const next = this.#level(level, signal).then(prepared => ({ lane, prepared }))
      // That it failed is heard when it is its turn.
      next.catch(() => undefined)
      underWay.set(lane, next)
    }
    for (const lane of lanes) start(lane)
    while (underWay.size > 0) {
      const { lane, prepared } = await Promise.race(underWay.values())
      signal.throwIfAborted()
      this.#roots.set(prepared.level, Buffer.from(prepared.index.root).toString('hex') as Sha256)
      // The next one is read while this one leaves.
      start(lane)
      for (const other of lanes) if (!underWay.has(other)) start(other)
      yield prepared
    }
    await this.#keeping
  }

  async readChunk({ level, index }: PreparedLevel, chunk: number): Promise<Buffer> {
    const { firstTile, tiles, sha256 } = index.chunk(chunk)
    const body = Buffer.concat(await this.#readTiles(level, { firstTile, tiles }))
    if (sha256Of(body) !== sha256) throw new RelayFault('bad_slide', 'the file has changed since it was read first')
    return body
  }

  async readSquare(level: number, square: number): Promise<Buffer | undefined> {
    const shape = this.#shape(level)
    if (square >= squaresOf(shape)) throw new RelayFault('out_of_range', 'no such square')
    if (shape.isMade) return undefined
    const tiles = await this.#readTiles(level, tilesOfSquare(shape, square))
    const root = Buffer.from(rootOf(leavesOf(shape, { level, square, tiles }))).toString('hex') as Sha256
    const head = await this.#options.key.signSquare({ slideId: this.structure.slideId, level, square, root, structure: this.#structureSha })
    return encodeSquare({ level, square, head, tiles })
  }

  head(): Promise<string> {
    const roots = this.structure.levels.map((_, level) => this.#roots.get(level))
    if (!roots.every(root => root !== undefined)) throw new Error('a slide head follows its levels')
    return this.#options.key.signSlide({ slideId: this.structure.slideId, structure: this.#structureSha, roots })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeping.catch(() => undefined)
    await this.#options.tiles[Symbol.asyncDispose]()
  }

  async #readTiles(level: number, { firstTile, tiles }: { readonly firstTile: number; readonly tiles: number }): Promise<Buffer[]> {
    const shape = this.#shape(level)
    const read: Buffer[] = []
    while (read.length < tiles) read.push(...(await readTilesFrom(this.#options.tiles, level, shape, firstTile + read.length, tiles - read.length)))
    return read
  }

  #shape(level: number) {
    const shape = this.structure.levels[level]
    if (shape === undefined) throw new RelayFault('out_of_range', 'no such level')
    return shape
  }

  async #level(level: number, signal: AbortSignal): Promise<PreparedLevel> {
    signal.throwIfAborted()
    return (await this.#cached(level)) ?? (await this.#prepare(level, signal))
  }

  /** Whether a level of the file is left until a coarser one is made, which does not take long: what is seen first would be made and sent more slowly beside it. */
  #waitsForMaking(level: number): boolean {
    const { levels } = this.structure
    if (levels[level]?.isMade === true) return false
    return levels.some((shape, made) => {
      if (!shape.isMade || this.#roots.has(made)) return false
      const source = levels.findLastIndex((other, index) => index < made && !other.isMade)
      const from = levels[source]
      return source >= level && from !== undefined && tilesOf(from) <= QUICKLY_MADE_TILES
    })
  }

  async #cached(level: number): Promise<PreparedLevel | undefined> {
    const cached = await this.#options.cache?.get(level)
    if (cached === undefined) return undefined
    const index = LevelIndex.decode(cached.indexBytes, this.#shape(level))
    this.#progress(index.tiles)
    return { level, index, ...cached }
  }

  async #prepare(level: number, signal: AbortSignal): Promise<PreparedLevel> {
    const shape = this.#shape(level)
    const tiles = tilesOf(shape)
    const options = { level, shape, signal, onTiles: (count: number) => this.#progress(count) }
    const indexBytes = await (this.#options.build?.(options) ?? buildLevel(this.#options.tiles, options))
    const index = LevelIndex.decode(indexBytes, shape)
    const { slideId } = this.structure
    const root = Buffer.from(index.root).toString('hex') as Sha256
    const head = await this.#options.key.signLevel({ slideId, level, tiles, root, index: sha256Of(indexBytes), structure: this.#structureSha })
    // A level may leave before the disk has it: read again after a crash, it has the same index and head.
    this.#keeping = this.#keeping.then(() => this.#options.cache?.put(level, { indexBytes, head }))
    this.#keeping.catch(() => undefined)
    return { level, index, indexBytes, head }
  }

  #progress(tiles: number): void {
    this.#done += tiles
    this.#options.onProgress?.(this.#done, this.structure.levels.reduce((sum, level) => sum + tilesOf(level), 0))
  }
}
