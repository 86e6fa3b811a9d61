import sharp from 'sharp'
import { SlideStructure } from '../../relay/wire/slide.ts'
import type { DicomwebSlide } from '../../relay/slides/dicomweb/dicomweb-source.ts'
import type { SlideLevel } from '../../relay/wire/slide.ts'
import type { PaintTile } from '../fakes/fake-slides.ts'

const level = (width: number, height: number, more: Partial<SlideLevel> = {}): SlideLevel => ({
  width,
  height,
  tileWidth: 64,
  tileHeight: 64,
  encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' },
  isMade: false,
  ...more,
})

/** A slide of two levels, 5×3 and 2×1 tiles. */
export const smallSlide = (more: Partial<SlideStructure> = {}): DicomwebSlide => ({
  structure: SlideStructure.parse({
    version: 1,
    slideId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    format: 'aperio',
    pseudonym: 'CASE-7Q2K',
    micronsPerPixel: { x: 0.25, y: 0.5 },
    objectivePower: 40,
    levels: [level(300, 170), level(75, 42)],
    removed: [],
    ...more,
  }),
  createdAtMillis: Date.UTC(2026, 4, 6, 7, 8, 9),
})

/** A JPEG whose colour tells its place. */
export const paintTile: PaintTile = async ({ tileWidth, tileHeight, encoding }, { column, row }) => {
  const picture = sharp({ create: { width: tileWidth, height: tileHeight, channels: 3, background: { r: 40 + 30 * column, g: 40 + 50 * row, b: 200 } } })
  return (encoding.photometric === 'grey' ? picture.greyscale() : picture).jpeg({ quality: 80 }).toBuffer()
}

/** As {@link paintTile}, every third tile left out. */
export const paintSparsely: PaintTile = (shape, position) => ((position.column + position.row) % 3 === 2 ? Promise.resolve(Buffer.alloc(0)) : paintTile(shape, position))
