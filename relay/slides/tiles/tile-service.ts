import { LRUCache } from 'lru-cache'
import { RelayFault } from '../../wire/fault.ts'
import { hasTile, ordinalOf, tileAt } from '../../wire/tile-order.ts'
import { LevelIndex } from '../manifest/level-index.ts'
import { leafHash } from '../manifest/merkle-tree.ts'
import { ArrivalMap } from './arrival-map.ts'
import { LayeredTree } from './layered-tree.ts'
import type { MemberId, SlideId } from '../../wire/ids.ts'
import type { ProofStep, SlideLevel } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { IndexedChunk } from '../manifest/level-index.ts'
import type { SlideRecord, SlideStore } from '../store/slide-store.ts'
import type { ArrivedLevel } from './arrival-map.ts'

/** A tile as it is stored, and its way up to the root that the level's head signs. */
export interface ProvenTile {
  readonly bytes: Buffer
  readonly proof: readonly ProofStep[]
}

/** How much is kept at hand, in bytes. */
export interface TileServiceOptions {
  /** Decoded level indexes, with the trees over their chunks; 128 MiB. */
  readonly indexCacheBytes?: number
  /** Trees over the tiles of chunks; 32 MiB. */
  readonly treeCacheBytes?: number
  /** Slides of which it is kept what has arrived; 64. */
  readonly watchedSlides?: number
}

interface KnownLevel {
  readonly index: LevelIndex
  readonly tree: LayeredTree
}

interface WatchedSlide {
  readonly owner: MemberId
  readonly levels: Map<number, ArrivalMap>
}

const MIB = 1024 * 1024

/** Gives out tiles with their proofs. Who may see a slide is decided before. */
export class TileService implements Disposable {
  readonly #store: SlideStore
  readonly #levels: LRUCache<string, KnownLevel>
  readonly #trees: LRUCache<string, LayeredTree>
  readonly #hashing = new Map<string, Promise<LayeredTree>>()
  readonly #watched: LRUCache<SlideId, WatchedSlide>
  readonly #watch: Disposable

  constructor(store: SlideStore, { indexCacheBytes = 128 * MIB, treeCacheBytes = 32 * MIB, watchedSlides = 64 }: TileServiceOptions = {}) {
    this.#store = store
    this.#levels = new LRUCache({ maxSize: indexCacheBytes, sizeCalculation: sizeOfLevel })
    this.#trees = new LRUCache({ maxSize: treeCacheBytes, sizeCalculation: ({ bytes }) => bytes + 256 })
    this.#watched = new LRUCache({ max: watchedSlides })
    this.#watch = store.watchChunks((owner, sha256, isHere) => {
      for (const slide of this.#watched.values()) {
        if (slide.owner === owner) for (const map of slide.levels.values()) map.tell(sha256, isHere)
      }
    })
  }

  /**
   * One tile, as its scanner stored it. An empty one is a tile that the format left out.
   *
   * @throws {RelayFault} `not_found` when the slide, its level or the tile is not here yet; `out_of_range` for a place outside of the level.
   */
  async tile(slideId: SlideId, level: number, position: TilePosition): Promise<ProvenTile> {
    const { owner, shape } = this.#shape(slideId, level)
    if (!hasTile(shape, position)) throw new RelayFault('out_of_range', 'the level has no such tile')
    const known = this.#level(slideId, level, shape)
    const ordinal = ordinalOf(shape, position)
    const { chunk, offset, length } = known.index.locate(ordinal)
    const entry = known.index.chunk(chunk)
    const key = `${slideId}/${level}/${chunk}`
    const [tree, bytes] = await Promise.all([
      this.#trees.get(key) ?? this.#tree(key, owner, level, shape, known.index, entry),
      this.#store.readChunk(owner, entry.sha256, offset, length),
    ])
    return { bytes, proof: [...tree.proof(ordinal - entry.firstTile), ...known.tree.proof(chunk)] }
  }

  /** What has arrived of each level that is known, the finest first. @throws {RelayFault} `not_found`. */
  arrived(slideId: SlideId): readonly ArrivedLevel[] {
    const { owner, structure } = this.#slide(slideId)
    let watched = this.#watched.get(slideId)
    if (watched === undefined) this.#watched.set(slideId, (watched = { owner, levels: new Map() }))
    const { levels } = watched
    return this.#store.levels(slideId).flatMap(level => {
      const shape = structure.levels[level]
      if (shape === undefined) return []
      let map = levels.get(level)
      if (map === undefined) {
        const chunks = [...this.#level(slideId, level, shape).index.entries()]
        levels.set(level, (map = new ArrivalMap(level, chunks, this.#store.hasChunks(owner, chunks.map(({ sha256 }) => sha256)))))
      }
      return [map.arrived]
    })
  }

  /** The index of a level, decoded. @throws {RelayFault} `not_found`. */
  index(slideId: SlideId, level: number): LevelIndex {
    return this.#level(slideId, level, this.#shape(slideId, level).shape).index
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
    for (const cache of [this.#levels, this.#trees, this.#watched]) cache.clear()
  }

  #slide(slideId: SlideId): SlideRecord {
    const record = this.#store.slide(slideId)
    // Ids are random, so what is kept of a deleted slide is never asked for again and falls out of the caches.
    if (record === undefined) throw new RelayFault('not_found', 'no such slide')
    return record
  }

  #shape(slideId: SlideId, level: number): { readonly owner: MemberId; readonly shape: SlideLevel } {
    const { owner, structure } = this.#slide(slideId)
    const shape = structure.levels[level]
    if (shape === undefined) throw new RelayFault('not_found', 'no such level')
    return { owner, shape }
  }

  #level(slideId: SlideId, level: number, shape: SlideLevel): KnownLevel {
    const key = `${slideId}/${level}`
    const cached = this.#levels.get(key)
    if (cached !== undefined) return cached
    const record = this.#store.level(slideId, level)
    if (record === undefined) throw new RelayFault('not_found', 'the level is not here yet')
    const index = LevelIndex.decode(record.index, shape)
    const known = { index, tree: new LayeredTree(index.chunkRoots) }
    this.#levels.set(key, known)
    return known
  }

  /** Hashes the tiles of a chunk; many may wait for it. */
  #tree(key: string, owner: MemberId, level: number, shape: SlideLevel, index: LevelIndex, entry: IndexedChunk): Promise<LayeredTree> {
    let hashing = this.#hashing.get(key)
    if (hashing === undefined) {
      hashing = this.#hash(owner, level, shape, index, entry).finally(() => this.#hashing.delete(key))
      this.#hashing.set(key, hashing)
      void hashing.then(tree => this.#trees.set(key, tree), () => undefined)
    }
    return hashing
  }

  async #hash(owner: MemberId, level: number, shape: SlideLevel, index: LevelIndex, { sha256, root, firstTile, tiles, length }: IndexedChunk): Promise<LayeredTree> {
    const body = await this.#store.readChunk(owner, sha256, 0, length)
    const leaves: Buffer[] = []
    for (let ordinal = firstTile, at = 0; ordinal < firstTile + tiles; ordinal++) {
      const end = at + index.lengthOf(ordinal)
      leaves.push(leafHash(level, tileAt(shape, ordinal), body.subarray(at, end)))
      at = end
    }
    const tree = new LayeredTree(leaves)
    // Damaged on the disk, or a head that signs something else than was sent: no proof would hold.
    if (!tree.root.equals(root)) throw new RelayFault('not_found', 'the tile is not here')
    return tree
  }
}

/** The index as it came, three words for each tile and chunk, and the tree. In bytes. */
const sizeOfLevel = ({ index, tree }: KnownLevel): number => tree.bytes + index.chunks * (68 + 8) + index.tiles * (4 + 4) + 1024
