import { tilesOf } from '../../wire/slide.ts'
import { tileAt } from '../../wire/tile-order.ts'
import { LevelBuilder } from './level-builder.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'

/** Tiles as they may leave. */
export interface CleanTiles extends AsyncDisposable {
  /** Empty where the format leaves a tile out. @throws {RelayFault} `bad_slide`. */
  readTile(level: number, position: TilePosition): Promise<Buffer>
  /** As `readTile`, of many tiles in their order. @returns The first of them, one at least. */
  readTiles?(level: number, positions: readonly TilePosition[]): Promise<Buffer[]>
}

/** What is to be read. */
export interface BuildLevelOptions {
  readonly level: number
  readonly shape: SlideLevel
  /** Tiles read since it was called last. */
  readonly onTiles: (count: number) => void
  readonly signal: AbortSignal
}

/** Tiles that are asked for at once: some squares of a level, whose rows lie side by side in most files. */
const AHEAD = 512
/** Where tiles are read one by one. */
const SIDE_BY_SIDE = 16

/** Reads all tiles of a level, one batch ahead of what is being hashed. @returns Its index, as it is sent. @throws {RelayFault} `bad_slide`. The signal's reason. */
export async function buildLevel(tiles: Pick<CleanTiles, 'readTile' | 'readTiles'>, { level, shape, onTiles, signal }: BuildLevelOptions): Promise<Buffer> {
  const count = tilesOf(shape)
  const builder = new LevelBuilder(level, shape)
  const read = (first: number): Promise<Buffer[]> => readTilesFrom(tiles, level, shape, first, Math.min(AHEAD, count - first))
  let [first, next] = [0, read(0)]
  while (first < count) {
    const batch = await next
    signal.throwIfAborted()
    first += batch.length
    if (first < count) {
      next = read(first)
      // Heard where it is awaited; until then it is nobody's.
      next.catch(() => undefined)
    }
    for (const tile of batch) builder.add(tile)
    onTiles(batch.length)
  }
  return builder.finish()
}

/** Tiles in the order of their level from `first` on, `count` at most. @returns One at least. */
export function readTilesFrom(tiles: Pick<CleanTiles, 'readTile' | 'readTiles'>, level: number, shape: SlideLevel, first: number, count: number): Promise<Buffer[]> {
  const positions = (most: number) => Array.from({ length: Math.min(most, count) }, (_, offset) => tileAt(shape, first + offset))
  return tiles.readTiles?.(level, positions(count)) ?? Promise.all(positions(SIDE_BY_SIDE).map(position => tiles.readTile(level, position)))
}
