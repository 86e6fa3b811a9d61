import { randomBytes, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import type { PreparedLevel } from '../../relay/slides/transfer/transfer.ts'
import type { SlideLevel } from '../../relay/wire/slide.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'

const TILE = 256
const NEVER = new AbortController().signal

/** One level of tiles that are noise: a node that only keeps and hands on does not look into them. */
export class RandomSlide {
  readonly slideId: SlideId
  readonly preparation: SlidePreparation
  readonly level: PreparedLevel

  private constructor(preparation: SlidePreparation, level: PreparedLevel) {
    this.slideId = preparation.structure.slideId
    this.preparation = preparation
    this.level = level
  }

  /**
   * @param side - Tiles to each side.
   * @param tileBytes - Of each tile.
   */
  static async make(side: number, tileBytes: number): Promise<RandomSlide> {
    const shape: SlideLevel = { width: side * TILE, height: side * TILE, tileWidth: TILE, tileHeight: TILE, isMade: false, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' } }
    const noise = randomBytes(tileBytes)
    const readTile = (_level: number, { column, row }: TilePosition): Promise<Buffer> => {
      const tile = Buffer.from(noise)
      tile.writeUInt32BE(row * side + column, 0)
      return Promise.resolve(tile)
    }
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
    const preparation = new SlidePreparation({
      structure: { version: 1, slideId: SlideId.parse(randomUUID()), format: 'tiff', pseudonym: 'BENCH', micronsPerPixel: { x: 0.25, y: 0.25 }, objectivePower: 40, removed: [], levels: [shape] },
      tiles: { readTile, [Symbol.asyncDispose]: () => Promise.resolve() },
      key: await openSigningKey(await exportJWK(privateKey)),
    })
    for await (const level of preparation.levels(NEVER)) return new RandomSlide(preparation, level)
    throw new Error('a slide has a level')
  }
}
