import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { SlideStructure } from '../../../relay/wire/slide.ts'
import { sha256, toHex } from '../../../relay/wire/tile-proof.ts'
import type { LevelProofs } from './level-proofs.ts'
import type { FetchedTile } from './slide-api.ts'
import { shapeOf, tileKey } from './slide-levels.ts'
import type { TileAddress } from './slide-levels.ts'
import { blankTile, refusedTile, TileDecoder } from './tile-decoder.ts'
import type { TileLedger } from './tile-ledger.ts'

/** What a loader needs of the node. */
export interface TileSupply {
  /** @throws {RelayFault} `not_found` for a tile that has not arrived. */
  tile(tile: TileAddress, signal: AbortSignal): Promise<FetchedTile>
}

/** Fetches tiles, checks each against the signed head of its level, or of its square while the level is still being read, and only then completes and decodes it. */
export class TileLoader {
  readonly #structure: SlideStructure
  readonly #supply: TileSupply
  readonly #proofs: LevelProofs
  readonly #ledger: TileLedger
  readonly #closing = new AbortController()
  readonly #decoder = new TileDecoder()
  /** SHA-256 of tiles that came ahead of their level, by tile, until it bears them out. */
  readonly #early = new Map<string, string>()
  readonly #running = new Map<string, { readonly tile: TileAddress; readonly abort: AbortController }>()

  constructor(structure: SlideStructure, supply: TileSupply, proofs: LevelProofs, ledger: TileLedger) {
    this.#structure = structure
    this.#supply = supply
    this.#proofs = proofs
    this.#ledger = ledger
  }

  /**
   * A tile to draw: the picture, or where its proof failed a mark that says so.
   *
   * @returns Undefined when it has not arrived, or is not wanted any more.
   */
  async load(tile: TileAddress): Promise<CanvasRenderingContext2D | undefined> {
    const abort = new AbortController()
    this.#running.set(tileKey(tile), { tile, abort })
    try {
      return await this.#load(tile, abort.signal)
    } catch (error) {
      if (!abort.signal.aborted) this.#ledger.note(tile, toFault(error).code === 'not_found' ? 'missing' : 'loading')
      return undefined
    } finally {
      this.#running.delete(tileKey(tile))
    }
  }

  /**
   * Looks again at a tile that came ahead of its level: whether its level has the same one.
   *
   * @returns False when it has another: what is drawn must go. True also while that cannot be told.
   */
  async checkEarly(tile: TileAddress): Promise<boolean> {
    const drawn = this.#early.get(tileKey(tile))
    if (drawn === undefined) return true
    try {
      const { bytes, proof, squareHead } = await this.#supply.tile(tile, this.#closing.signal)
      if (squareHead !== null) return true
      const verdict = await this.#proofs.check(tile, bytes, proof)
      const isSame = verdict === 'proven' && toHex(await sha256(bytes)) === drawn
      this.#early.delete(tileKey(tile))
      this.#ledger.note(tile, isSame ? 'proven' : 'refused')
      return isSame
    } catch {
      // Not here, or the node is away: it stays what it is.
      return true
    }
  }

  /** Gives up what is under way and not wanted any more. */
  keep(isWanted: (tile: TileAddress) => boolean): void {
    for (const { tile, abort } of this.#running.values()) if (!isWanted(tile)) abort.abort()
  }

  /** Gives up everything. */
  close(): void {
    this.keep(() => false)
    this.#closing.abort()
    this.#decoder.close()
  }

  async #load(tile: TileAddress, signal: AbortSignal): Promise<CanvasRenderingContext2D> {
    const shape = shapeOf(this.#structure, tile.level)
    const { bytes, proof, squareHead } = await this.#supply.tile(tile, signal)
    const verdict = await this.#proofs.check(tile, bytes, proof, squareHead)
    if (verdict === 'refused') {
      this.#ledger.note(tile, 'refused')
      return refusedTile(shape)
    }
    let picture: CanvasRenderingContext2D
    try {
      picture = bytes.length === 0 ? blankTile(shape) : await this.#decoder.decode(bytes, shape)
    } catch (error) {
      // Its bytes are the scanner's, and no picture: it will not be one later.
      if (error instanceof RelayFault && error.code === 'unavailable') throw error
      this.#ledger.note(tile, 'refused')
      return refusedTile(shape)
    }
    if (verdict === 'early') this.#early.set(tileKey(tile), toHex(await sha256(bytes)))
    else this.#early.delete(tileKey(tile))
    this.#ledger.note(tile, verdict)
    return picture
  }
}

