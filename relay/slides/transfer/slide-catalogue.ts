import { LRUCache } from 'lru-cache'
import { RelayFault } from '../../wire/fault.ts'
import { columnsOf, rowsOf, TILE_SQUARE } from '../../wire/slide.ts'
import { ordinalOf } from '../../wire/tile-order.ts'
import { sha256Of } from '../manifest/heads.ts'
import type { MemberId, Sha256, SlideId } from '../../wire/ids.ts'
import type { SlideLevel, SlideSummary } from '../../wire/slide.ts'
import type { IndexedChunk, LevelIndex } from '../manifest/level-index.ts'
import type { LevelRecord, SlideRecord, SlideStore } from '../store/slide-store.ts'
import type { TileService } from '../tiles/tile-service.ts'

/** A level that is known of a slide. */
export interface KnownLevel {
  readonly shape: SlideLevel
  readonly index: LevelIndex
  /** Merkle root over its tiles. Lower-case hexadecimal. */
  readonly root: string
  /** Its signed head, JWS. */
  readonly head: string
  /** Of the index as it came. */
  readonly indexSha256: Sha256
  /** Of its chunks, in order. */
  readonly names: readonly Sha256[]
  /** Where a chunk stands in the level: equal chunks have one name. */
  readonly places: ReadonlyMap<Sha256, readonly number[]>
}

/** What has arrived of a level. */
export interface ArrivedLevel {
  readonly level: number
  readonly chunks: number
  readonly chunksHere: number
  /** One bit per chunk, bit 0 of byte 0 first; set: here. */
  readonly here: Uint8Array
  /** For every square of `TILE_SQUARE` tiles a side, row by row: how many of its tiles are here, 0 (none) to 255 (all). */
  readonly heat: Uint8Array
}

/** Names of chunks are kept up to about so much memory, in bytes. */
const MAX_NAME_MEMORY = 256 * 1024 * 1024
/** Of one chunk: its name, its places, and the room between. */
const MEMORY_OF_CHUNK = 256

/** Reads slides of a store by what their indices say. Keeps at hand what was used last. */
export class SlideCatalogue {
  readonly store: SlideStore
  readonly #tiles: Pick<TileService, 'arrived' | 'index'>
  readonly #levels = new LRUCache<string, KnownLevel>({ maxSize: MAX_NAME_MEMORY })

  constructor(store: SlideStore, tiles: Pick<TileService, 'arrived' | 'index'>) {
    this.store = store
    this.#tiles = tiles
  }

  /** @throws {RelayFault} `not_found`. */
  slide(slideId: SlideId): SlideRecord {
    const record = this.store.slide(slideId)
    if (record === undefined) throw new RelayFault('not_found', 'no such slide')
    return record
  }

  /** A level, if its index is here. */
  find(slideId: SlideId, level: number): KnownLevel | undefined {
    const key = `${slideId} ${level}`
    const kept = this.#levels.get(key)
    if (kept !== undefined) return kept
    const shape = this.store.slide(slideId)?.structure.levels[level]
    const record = this.store.level(slideId, level)
    if (shape === undefined || record === undefined) return undefined
    const known = knowLevel(shape, this.#tiles.index(slideId, level), record)
    this.#levels.set(key, known, { size: 1024 + known.names.length * MEMORY_OF_CHUNK })
    return known
  }

  /** @throws {RelayFault} `not_found` for a level whose index is not here. */
  level(slideId: SlideId, level: number): KnownLevel {
    const known = this.find(slideId, level)
    if (known === undefined) throw new RelayFault('not_found', 'that level is not here')
    return known
  }

  /** Every place of a slide where a chunk stands. */
  places(slideId: SlideId, sha256: Sha256): { readonly level: number; readonly shape: SlideLevel; readonly chunk: IndexedChunk }[] {
    return this.store.levels(slideId).flatMap(level => {
      const { shape, index, places } = this.level(slideId, level)
      return (places.get(sha256) ?? []).map(chunk => ({ level, shape, chunk: index.chunk(chunk) }))
    })
  }

  /** Which chunks of a level are missing: one bit per chunk, bit 0 of byte 0 first. */
  missing(owner: MemberId, slideId: SlideId, level: number): Uint8Array {
    const { names } = this.level(slideId, level)
    return bitmap(this.store.hasChunks(owner, names).map(isHere => !isHere))
  }

  /** What is here of every level that is known, coarsest first. */
  arrived(slideId: SlideId): ArrivedLevel[] {
    return this.#tiles.arrived(slideId).toReversed().map(({ level, chunks, chunksHere, bits }) => ({ level, chunks, chunksHere, here: bits, heat: heatOf(this.level(slideId, level), bits) }))
  }

  /** How far a slide is. */
  summary({ slideId, structure, state }: SlideRecord): SlideSummary {
    const levels = this.#tiles.arrived(slideId)
    const sum = (of: (level: (typeof levels)[number]) => number): number => levels.reduce((total, level) => total + of(level), 0)
    return {
      slideId, pseudonym: structure.pseudonym, state, levels: structure.levels.length,
      chunksHere: sum(it => it.chunksHere), chunks: sum(it => it.chunks), bytesHere: sum(it => it.bytesHere),
    }
  }

  /** Forgets what is kept of a slide. */
  forget(slideId: SlideId): void {
    for (const key of [...this.#levels.keys()]) if (key.startsWith(slideId)) this.#levels.delete(key)
  }
}

function knowLevel(shape: SlideLevel, index: LevelIndex, record: LevelRecord): KnownLevel {
  const places = new Map<Sha256, number[]>()
  const names: Sha256[] = []
  for (const { sha256 } of index.entries()) {
    const known = places.get(sha256)
    if (known === undefined) places.set(sha256, [names.length])
    else known.push(names.length)
    names.push(sha256)
  }
  return { shape, index, root: Buffer.from(index.root).toString('hex'), head: record.head, indexSha256: sha256Of(record.index), names, places }
}

function bitmap(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8))
  for (const [index, bit] of bits.entries()) if (bit) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7))
  return bytes
}

/** Squares and chunks are both runs of tiles in the order of the level: they are walked along side by side. */
function heatOf({ shape, index }: KnownLevel, here: Uint8Array): Uint8Array {
  const [columns, rows] = [columnsOf(shape), rowsOf(shape)]
  const heat: number[] = []
  let at = 0
  for (let row = 0; row < rows; row += TILE_SQUARE) {
    for (let column = 0; column < columns; column += TILE_SQUARE) {
      const first = ordinalOf(shape, { column, row })
      const tiles = Math.min(TILE_SQUARE, columns - column) * Math.min(TILE_SQUARE, rows - row)
      let tilesHere = 0
      for (;;) {
        const chunk = index.chunk(at)
        const [from, to] = [Math.max(first, chunk.firstTile), Math.min(first + tiles, chunk.firstTile + chunk.tiles)]
        if (((here[at >> 3] ?? 0) & (1 << (at & 7))) !== 0) tilesHere += Math.max(0, to - from)
        if (chunk.firstTile + chunk.tiles >= first + tiles || at === index.chunks - 1) break
        at++
      }
      // One tile of many must not look like none, nor all but one like all.
      heat.push(tilesHere === tiles ? 255 : tilesHere === 0 ? 0 : Math.min(254, Math.max(1, Math.round((tilesHere * 255) / tiles))))
    }
  }
  return Uint8Array.from(heat)
}
