import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import { cleanJpeg } from './clean-jpeg.ts'
import { cleanJpeg2000 } from './clean-jpeg2000.ts'
import type { Cleaned } from './byte-cutter.ts'
import type { TileEncoding } from '../../wire/slide.ts'

/**
 * Cuts out of a tile what is no picture: comments, metadata of applications, thumbnails, what follows its end. Nothing
 * is decoded, and the compressed pixels are left as they are.
 *
 * @returns The same buffer when there is nothing to cut. Empty stays empty.
 * @throws {RelayFault} `bad_slide` when it is not what `compression` says, or broken outside the compressed pixels.
 */
export function cleanTile(tile: Buffer, compression: TileEncoding['compression']): Cleaned {
  if (tile.length > SLIDE_LIMITS.tileBytes) throw new RelayFault('bad_slide', 'a tile is too long')
  if (tile.length === 0) return { bytes: tile, cut: new Map() }
  switch (compression) {
    case 'jpeg':
      return cleanJpeg(tile, 'image')
    case 'jpeg2000':
      return cleanJpeg2000(tile)
    default:
      return compression satisfies never
  }
}

/**
 * As {@link cleanTile}, of JPEG tables that tiles share.
 *
 * @param tables - Base64, or empty.
 * @throws {RelayFault} `bad_slide` when they are none, or too long.
 */
export function cleanTables(tables: string): { readonly tables: string; readonly cut: ReadonlyMap<string, number> } {
  if (tables === '') return { tables, cut: new Map() }
  const { bytes, cut } = cleanJpeg(Buffer.from(tables, 'base64'), 'tables')
  const cleaned = bytes.toString('base64')
  if (cleaned.length > SLIDE_LIMITS.tables) throw new RelayFault('bad_slide', 'JPEG tables are too long')
  return { tables: cleaned, cut }
}
