import type { SlideFormat, SlideLevel } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'

/** A picture beside the levels: a label with the patient's name, a macro view, a thumbnail. Never leaves the facility. */
export interface AssociatedImage {
  /** As the format calls it: `label`, `macro`, `thumbnail`, or its kind. */
  readonly name: string
  readonly width: number
  readonly height: number
}

/** Tiles that are read at once take no more memory, unless the first alone does. */
export const TILE_BATCH_BYTES = 32 * 1024 * 1024

/** A whole slide in a file of its vendor's, opened for reading. Nothing that it says is free of names. */
export interface SlideReader extends AsyncDisposable {
  readonly format: SlideFormat
  /** Finest first. Only those the file has; the tiles of all can be handed on as they are. */
  readonly levels: readonly SlideLevel[]
  /** At level 0, in micrometres. */
  readonly micronsPerPixel: { readonly x: number; readonly y: number } | undefined
  readonly objectivePower: number | undefined
  /** What a policy may let through. `date` is a calendar date, such as `2024-05-31`. */
  readonly scan?: { readonly date?: string | undefined; readonly scannerModel?: string | undefined } | undefined
  readonly associated: readonly AssociatedImage[]
  /** Where the file says something that is not needed to show the picture: names of tags and fields, each as often as it is there. What a slide sent onward is without. */
  readonly withheld: readonly string[]
  /**
   * The bytes of a tile exactly as they are stored; empty where the format leaves a tile out.
   *
   * @throws {RelayFault} `bad_slide` when the file is cut off there or the tile is longer than `SLIDE_LIMITS.tileBytes`; `out_of_range`.
   */
  readTile(level: number, column: number, row: number): Promise<Buffer>
  /** As {@link readTile}, of many tiles in their order, the first ones that fit {@link TILE_BATCH_BYTES}, one at least. Without it, they are read one by one. */
  readTiles?(level: number, positions: readonly TilePosition[]): Promise<Buffer[]>
}

/** Opens a slide. @throws {RelayFault} `bad_slide` for a broken file, `unsupported_slide` for one that no reader knows. */
export type OpenSlide = (path: string) => Promise<SlideReader>

/** Tiles that are read side by side where a reader reads them one by one. */
const SIDE_BY_SIDE = 16

/** Reads many tiles in the best way that a reader has. @returns The first of them, one at least. @throws {RelayFault} As `readTile`. */
export function readManyTiles(reader: Pick<SlideReader, 'readTile' | 'readTiles'>, level: number, positions: readonly TilePosition[]): Promise<Buffer[]> {
  return reader.readTiles?.(level, positions) ?? Promise.all(positions.slice(0, SIDE_BY_SIDE).map(({ column, row }) => reader.readTile(level, column, row)))
}
