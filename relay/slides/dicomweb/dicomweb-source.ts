import type { SlideId } from '../../wire/ids.ts'
import type { SlideStructure } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'

/** A slide that is wholly here. */
export interface DicomwebSlide {
  readonly structure: SlideStructure
  /** When it came, in milliseconds since the epoch. */
  readonly createdAtMillis: number
}

/** How long the stored tiles of a level are, in bytes. */
export interface LevelLengths {
  /** Of all tiles together. */
  readonly total: number
  /** 0 for a tile that the format left out. */
  lengthOf(position: TilePosition): number
}

/** What DICOMweb needs of the store and of the tile service. Slides that are still arriving are not among it. */
export interface DicomwebSource {
  /** All complete slides, oldest first. */
  slides(): Iterable<DicomwebSlide>
  /** `undefined` for one that is unknown or not complete. */
  slide(slideId: SlideId): DicomwebSlide | undefined
  /** @throws {RelayFault} `not_found`. */
  lengths(slideId: SlideId, level: number): LevelLengths
  /** The bytes of a tile as they are stored. @throws {RelayFault} `not_found`, `out_of_range`. */
  readTile(slideId: SlideId, level: number, position: TilePosition): Promise<Buffer>
}
