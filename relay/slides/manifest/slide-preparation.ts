import { RelayFault } from '../../wire/fault.ts'
import { tilesOf } from '../../wire/slide.ts'
import { tileAt } from '../../wire/tile-order.ts'
import { sha256Of } from './heads.ts'
import { LevelBuilder } from './level-builder.ts'
import { LevelIndex } from './level-index.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { ScannerKey, SlideStructure } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { PreparedLevel, PreparedSlide } from '../transfer/transfer.ts'
import type { SigningKey } from './heads.ts'

/** Tiles that are read at once. */
const READ_AHEAD = 16

/** Tiles as they may leave. */
export interface CleanTiles extends AsyncDisposable {
  /** Empty where the format leaves a tile out. @throws {RelayFault} `bad_slide`. */
  readTile(level: number, position: TilePosition): Promise<Buffer>
}

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
  /** Tiles read so far, of all levels together. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** Reads a slide that has no names any more, level by level, the coarsest first, and proves each by a signed head. Owns the tiles. */
export class SlidePreparation implements PreparedSlide {
  readonly structure: SlideStructure
  readonly structureBytes: Buffer
  readonly key: ScannerKey
  readonly #options: SlidePreparationOptions
  readonly #structureSha: Sha256
  readonly #roots = new Map<number, Sha256>()
  #done = 0

  constructor(options: SlidePreparationOptions) {
    this.#options = options
    this.structure = options.structure
    this.structureBytes = Buffer.from(JSON.stringify(options.structure))
    this.key = options.key.publicKey
    this.#structureSha = sha256Of(this.structureBytes)
  }

  async *levels(signal: AbortSignal): AsyncGenerator<PreparedLevel> {
    this.#done = 0
    for (let level = this.structure.levels.length - 1; level >= 0; level--) {
      signal.throwIfAborted()
      const prepared = (await this.#cached(level)) ?? (await this.#prepare(level, signal))
      this.#roots.set(level, Buffer.from(prepared.index.root).toString('hex') as Sha256)
      yield prepared
    }
  }

  async readChunk({ level, index }: PreparedLevel, chunk: number): Promise<Buffer> {
    const { firstTile, tiles, sha256 } = index.chunk(chunk)
    const shape = this.#shape(level)
    const parts: Buffer[] = []
    for (let tile = firstTile; tile < firstTile + tiles; tile++) parts.push(await this.#options.tiles.readTile(level, tileAt(shape, tile)))
    const body = Buffer.concat(parts)
    if (sha256Of(body) !== sha256) throw new RelayFault('bad_slide', 'the file has changed since it was read first')
    return body
  }

  head(): Promise<string> {
    const roots = this.structure.levels.map((_, level) => this.#roots.get(level))
    if (!roots.every(root => root !== undefined)) throw new Error('a slide head follows its levels')
    return this.#options.key.signSlide({ slideId: this.structure.slideId, structure: this.#structureSha, roots })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.tiles[Symbol.asyncDispose]()
  }

  #shape(level: number) {
    const shape = this.structure.levels[level]
    if (shape === undefined) throw new RelayFault('out_of_range', 'no such level')
    return shape
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
    const builder = new LevelBuilder(level, shape)
    for (let first = 0; first < tiles; first += READ_AHEAD) {
      signal.throwIfAborted()
      const count = Math.min(READ_AHEAD, tiles - first)
      const read = await Promise.all(Array.from({ length: count }, (_, offset) => this.#options.tiles.readTile(level, tileAt(shape, first + offset))))
      for (const tile of read) builder.add(tile)
      this.#progress(count)
    }
    const indexBytes = builder.finish()
    const index = LevelIndex.decode(indexBytes, shape)
    const { slideId } = this.structure
    const root = Buffer.from(index.root).toString('hex') as Sha256
    const head = await this.#options.key.signLevel({ slideId, level, tiles, root, index: sha256Of(indexBytes), structure: this.#structureSha })
    await this.#options.cache?.put(level, { indexBytes, head })
    return { level, index, indexBytes, head }
  }

  #progress(tiles: number): void {
    this.#done += tiles
    this.#options.onProgress?.(this.#done, this.structure.levels.reduce((sum, level) => sum + tilesOf(level), 0))
  }
}
