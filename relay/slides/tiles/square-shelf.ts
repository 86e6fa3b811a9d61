import { SQUARE_BYTES } from '../../wire/slide.ts'
import { ordinalOf, squareOf, tileAt, tilesOfSquare } from '../../wire/tile-order.ts'
import { leafHash } from '../manifest/merkle-tree.ts'
import { LayeredTree } from './layered-tree.ts'
import type { SlideId } from '../../wire/ids.ts'
import type { ProofStep, SlideLevel } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { TileSquare } from '../manifest/square-message.ts'

/** Squares that a scanner is asked for of one slide at once: what several viewports show. */
export const SQUARES_AT_ONCE = 16

/** A square by its place. */
export interface SquareRef {
  readonly level: number
  readonly square: number
}

/** A tile of a level that is not known yet, proven by the head of its square. */
export interface EarlyTile {
  readonly bytes: Buffer
  /** Up to the root of the square. */
  readonly proof: readonly ProofStep[]
  /** Lower-case hexadecimal. */
  readonly root: string
  /** The signed head of the square, JWS. */
  readonly head: string
}

interface HeldSquare extends SquareRef {
  readonly slideId: SlideId
  readonly firstTile: number
  readonly tiles: readonly Buffer[]
  readonly leaves: readonly Buffer[]
  readonly tree: LayeredTree
  readonly head: string
  readonly bytes: number
}

/** How much is held, in bytes. */
export interface SquareShelfOptions {
  readonly bytes?: number
  readonly slideBytes?: number
}

const SLIDE_BYTES = SQUARES_AT_ONCE * SQUARE_BYTES

/**
 * Squares of tiles that came ahead of their levels, in memory: nobody was promised that they are kept, and what is lost is
 * asked for again while somebody looks there. The one that was used least lately goes first. Does no I/O.
 */
export class SquareShelf {
  /** The one that was used last stands last. */
  readonly #held = new Map<string, HeldSquare>()
  readonly #most: number
  readonly #mostOfSlide: number
  #bytes = 0

  constructor({ bytes = 2 * SLIDE_BYTES, slideBytes = SLIDE_BYTES }: SquareShelfOptions = {}) {
    this.#most = bytes
    this.#mostOfSlide = slideBytes
  }

  /** Bytes of tiles that are held. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes a square whose head was verified, in place of an earlier one. @param leaves - Of its tiles. */
  put(slideId: SlideId, shape: SlideLevel, { level, square, head, tiles }: TileSquare, leaves: readonly Buffer[]): void {
    const { firstTile } = tilesOfSquare(shape, square)
    const bytes = tiles.reduce((sum, { length }) => sum + length, 0)
    const key = keyOf(slideId, { level, square })
    this.#drop(key)
    this.#held.set(key, { slideId, level, square, firstTile, tiles, leaves, tree: new LayeredTree(leaves), head, bytes })
    this.#bytes += bytes
    this.#makeRoom(slideId)
  }

  has(slideId: SlideId, ref: SquareRef): boolean {
    return this.#held.has(keyOf(slideId, ref))
  }

  /** The position must be in the level. */
  tile(slideId: SlideId, level: number, shape: SlideLevel, position: TilePosition): EarlyTile | undefined {
    const key = keyOf(slideId, { level, square: squareOf(shape, position) })
    const held = this.#held.get(key)
    if (held === undefined) return undefined
    this.#held.delete(key)
    this.#held.set(key, held)
    const turn = ordinalOf(shape, position) - held.firstTile
    const bytes = held.tiles[turn]
    return bytes === undefined ? undefined : { bytes, proof: held.tree.proof(turn), root: held.tree.root.toString('hex'), head: held.head }
  }

  /** What is held of a slide. */
  held(slideId: SlideId): SquareRef[] {
    return [...this.#held.values()].filter(square => square.slideId === slideId).map(({ level, square }) => ({ level, square }))
  }

  /**
   * Compares what a level says of its tiles with the squares that came ahead of it. Those that say something else are dropped.
   *
   * @param leaves - Of a run of tiles in the order of the level.
   * @returns What was dropped.
   */
  contradicted(slideId: SlideId, level: number, firstTile: number, leaves: readonly Buffer[]): SquareRef[] {
    return this.#dropWhere(slideId, level, square => square.leaves.some((leaf, turn) => leaves[square.firstTile + turn - firstTile]?.equals(leaf) === false))
  }

  /** As {@link contradicted}, by nothing but the lengths of tiles. @param lengthOf - Of a tile by its place in the order of the level. */
  contradictedByLengths(slideId: SlideId, level: number, lengthOf: (ordinal: number) => number): SquareRef[] {
    return this.#dropWhere(slideId, level, square => square.tiles.some(({ length }, turn) => lengthOf(square.firstTile + turn) !== length))
  }

  /** Forgets all of a slide. */
  forget(slideId: SlideId): void {
    for (const [key, square] of this.#held) if (square.slideId === slideId) this.#drop(key)
  }

  #dropWhere(slideId: SlideId, level: number, isWrong: (square: HeldSquare) => boolean): SquareRef[] {
    const dropped: SquareRef[] = []
    for (const [key, square] of this.#held) {
      if (square.slideId !== slideId || square.level !== level || !isWrong(square)) continue
      this.#drop(key)
      dropped.push({ level, square: square.square })
    }
    return dropped
  }

  #makeRoom(slideId: SlideId): void {
    let ofSlide = 0
    for (const square of this.#held.values()) if (square.slideId === slideId) ofSlide += square.bytes
    for (const [key, square] of this.#held) {
      if (ofSlide <= this.#mostOfSlide) break
      if (square.slideId !== slideId) continue
      ofSlide -= square.bytes
      this.#drop(key)
    }
    for (const key of this.#held.keys()) {
      if (this.#bytes <= this.#most) break
      this.#drop(key)
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#held.get(key)?.bytes ?? 0
    this.#held.delete(key)
  }
}

const keyOf = (slideId: SlideId, { level, square }: SquareRef): string => `${slideId}/${level}/${square}`

/** The leaves of a square's tiles. The square must be in the level. */
export function leavesOf(shape: SlideLevel, { level, square, tiles }: Pick<TileSquare, 'level' | 'square' | 'tiles'>): Buffer[] {
  const { firstTile } = tilesOfSquare(shape, square)
  return tiles.map((tile, turn) => leafHash(level, tileAt(shape, firstTile + turn), tile))
}
