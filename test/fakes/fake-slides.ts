import { RelayFault } from '../../relay/wire/fault.ts'
import { columnsOf, rowsOf, tilesOf } from '../../relay/wire/slide.ts'
import { hasTile } from '../../relay/wire/tile-order.ts'
import type { DicomwebSlide, DicomwebSource, LevelLengths } from '../../relay/slides/dicomweb/dicomweb-source.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { SlideLevel } from '../../relay/wire/slide.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'

/** Makes the bytes of a tile. */
export type PaintTile = (level: SlideLevel, position: TilePosition) => Promise<Buffer>

interface HeldSlide extends DicomwebSlide {
  /** By level, then by row × columns + column. */
  readonly tiles: readonly (readonly Buffer[])[]
}

/** Complete slides in memory. */
export class FakeSlides implements DicomwebSource {
  readonly #slides = new Map<SlideId, HeldSlide>()
  /** How many tiles were read. */
  reads = 0

  async add(slide: DicomwebSlide, paint: PaintTile): Promise<void> {
    const tiles: Buffer[][] = []
    for (const level of slide.structure.levels) {
      const painted: Buffer[] = []
      for (let row = 0; row < rowsOf(level); row++) for (let column = 0; column < columnsOf(level); column++) painted.push(await paint(level, { column, row }))
      tiles.push(painted)
    }
    this.#slides.set(slide.structure.slideId, { ...slide, tiles })
  }

  slides(): Iterable<DicomwebSlide> {
    return this.#slides.values()
  }

  slide(slideId: SlideId): DicomwebSlide | undefined {
    return this.#slides.get(slideId)
  }

  lengths(slideId: SlideId, level: number): LevelLengths {
    const { shape, tiles } = this.#level(slideId, level)
    return { total: tiles.reduce((sum, { length }) => sum + length, 0), lengthOf: ({ column, row }) => tiles[row * columnsOf(shape) + column]?.length ?? 0 }
  }

  async readTile(slideId: SlideId, level: number, position: TilePosition): Promise<Buffer> {
    const { shape, tiles } = this.#level(slideId, level)
    const tile = hasTile(shape, position) ? tiles[position.row * columnsOf(shape) + position.column] : undefined
    if (tile === undefined) throw new RelayFault('out_of_range', 'no such tile')
    this.reads++
    return tile
  }

  #level(slideId: SlideId, level: number): { readonly shape: SlideLevel; readonly tiles: readonly Buffer[] } {
    const slide = this.#slides.get(slideId)
    const [shape, tiles] = [slide?.structure.levels[level], slide?.tiles[level]]
    if (shape === undefined || tiles?.length !== tilesOf(shape)) throw new RelayFault('not_found', 'no such level')
    return { shape, tiles }
  }
}
