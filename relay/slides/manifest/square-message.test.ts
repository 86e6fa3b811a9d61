import { randomBytes } from 'node:crypto'
import { t } from 'tap'
import { SlideId } from '../../wire/ids.ts'
import { SQUARE_BYTES } from '../../wire/slide.ts'
import { decodeSquare, encodeSquare } from './square-message.ts'
import type { SlideLevel, SlideStructure } from '../../wire/slide.ts'

const encoding = { compression: 'jpeg', photometric: 'ycbcr', tables: '' } as const
const shape = (width: number, height: number): SlideLevel => ({ width, height, tileWidth: 100, tileHeight: 100, encoding, isMade: false })
const structure: SlideStructure = {
  version: 1, slideId: SlideId.parse(crypto.randomUUID()), format: 'tiff', pseudonym: 'ABCD-1234', micronsPerPixel: null, objectivePower: null, levels: [shape(2000, 1100), shape(500, 275)], removed: [],
}
const square = { level: 0, square: 5, head: 'a.b.c', tiles: Array.from({ length: 12 }, (_, turn) => randomBytes(turn * 7)) }
const message = (): Buffer => encodeSquare(square)!

t.test('is read as it was written, tiles that the format left out included', async t => {
  const read = decodeSquare(message(), structure)
  t.match(read, { level: 0, square: 5, head: 'a.b.c' })
  t.ok(read.tiles.every((tile, turn) => tile.equals(square.tiles[turn]!)))
})

t.test('one that would be too long is not made', async t => {
  t.equal(encodeSquare({ ...square, tiles: [Buffer.alloc(SQUARE_BYTES)] }), undefined)
})

t.test('refuses what is none', async t => {
  const changed = (at: number, value: number): Buffer => {
    const bytes = message()
    bytes.writeUInt32BE(value, at)
    return bytes
  }
  const table: readonly (readonly [string, Buffer])[] = [
    ['nothing', Buffer.alloc(0)], ['a start', message().subarray(0, 19)], ['another magic', changed(0, 1)], ['no such level', changed(4, 2)], ['another level', changed(4, 1)],
    ['a square beyond the level', changed(8, 6)], ['another number of tiles', changed(12, 13)], ['billions of tiles', changed(12, 0xffff_ffff)], ['a head beyond the end', changed(16, 4000)], ['a head of 4 GB', changed(16, 0xffff_ffff)],
    ['a tile beyond the end', changed(20 + 4 * 11, 78)], ['a tile of 4 GB', changed(20, 0xffff_ffff)], ['too few bytes', message().subarray(0, -1)], ['too many', Buffer.concat([message(), Buffer.alloc(1)])],
    ['longer than it may be', Buffer.concat([message(), Buffer.alloc(SQUARE_BYTES)])],
  ]
  for (const [what, bytes] of table) t.throws(() => decodeSquare(bytes, structure), { code: 'bad_slide' }, what)
})

t.test('of damaged ones, each is refused or is a square of the slide', async t => {
  for (let turn = 0; turn < 20_000; turn++) {
    const bytes = message()
    for (let change = 0; change <= turn % 3; change++) bytes[Math.floor(Math.random() * 72)] = Math.floor(Math.random() * 256)
    try {
      const { tiles } = decodeSquare(bytes, structure)
      if (tiles.reduce((sum, { length }) => sum + length, 0) > bytes.length) t.fail('longer than it came')
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'bad_slide') t.fail(String(error))
    }
  }
})
