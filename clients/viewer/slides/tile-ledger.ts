import { tileKey } from './slide-levels.ts'
import type { TileAddress } from './slide-levels.ts'
import type { TileState } from './slide-truth.ts'

/** So many tiles are remembered; far more than fit a screen. Of the others nothing is claimed. */
const MAX_TILES = 50_000

/** What came of each tile that was asked for. */
export class TileLedger {
  readonly #states = new Map<string, TileState>()

  note(tile: TileAddress, state: TileState): void {
    const key = tileKey(tile)
    this.#states.delete(key)
    this.#states.set(key, state)
    const [eldest] = this.#states.keys()
    if (this.#states.size > MAX_TILES && eldest !== undefined) this.#states.delete(eldest)
  }

  /**
   * How a tile stands on the screen.
   *
   * @param isDrawn - Whether it is there: what was proven and is not drawn is on its way again.
   */
  stateOf(tile: TileAddress, isDrawn: boolean): TileState {
    const state = this.#states.get(tileKey(tile)) ?? 'loading'
    const isPicture = state === 'proven' || state === 'early' || state === 'unproven'
    return isPicture && !isDrawn ? 'loading' : state
  }

  /** Tiles that were proven so far, as far as they are remembered. */
  count(state: TileState): number {
    let count = 0
    for (const known of this.#states.values()) if (known === state) count++
    return count
  }
}
