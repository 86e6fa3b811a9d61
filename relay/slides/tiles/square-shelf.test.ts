import { t } from 'tap'
import { SlideId } from '../../wire/ids.ts'
import { tileAt, tilesOfSquare } from '../../wire/tile-order.ts'
import { isTileProven } from '../../wire/tile-proof.ts'
import { leavesOf, SquareShelf } from './square-shelf.ts'
import type { SlideLevel } from '../../wire/slide.ts'

const encoding = { compression: 'jpeg', photometric: 'ycbcr', tables: '' } as const
/** 20 by 11 tiles: squares of 8, 8 and 4 tiles across, of 8 and 3 down. */
const shape: SlideLevel = { width: 2000, height: 1100, tileWidth: 100, tileHeight: 100, encoding, isMade: false }
const [first, second] = [SlideId.parse(crypto.randomUUID()), SlideId.parse(crypto.randomUUID())]
const tileOf = (ordinal: number, bytes = 100): Buffer => Buffer.alloc(bytes, `tile ${ordinal} `)

function put(shelf: SquareShelf, square: number, { slideId = first, level = 0, bytes = 100 } = {}): void {
  const { firstTile, tiles } = tilesOfSquare(shape, square)
  const content = { level, square, head: `head of ${square}`, tiles: Array.from({ length: tiles }, (_, turn) => tileOf(firstTile + turn, bytes)) }
  shelf.put(slideId, shape, content, leavesOf(shape, content))
}

t.test('squares are runs of tiles that follow each other and leave none out', t => {
  let next = 0
  for (let square = 0; square < 6; square++) {
    const { firstTile, tiles } = tilesOfSquare(shape, square)
    t.equal(firstTile, next)
    next += tiles
  }
  t.equal(next, 220)
  t.end()
})

t.test('every tile of a square that is held is given out with its proof, and no other', async t => {
  const shelf = new SquareShelf()
  put(shelf, 5)
  for (let ordinal = 0; ordinal < 220; ordinal++) {
    const position = tileAt(shape, ordinal)
    const tile = shelf.tile(first, 0, shape, position)
    if (ordinal < tilesOfSquare(shape, 5).firstTile) t.equal(tile, undefined)
    else {
      t.ok(tile?.bytes.equals(tileOf(ordinal)) === true && tile.head === 'head of 5')
      t.ok(await isTileProven({ level: 0, position, bytes: tile!.bytes }, tile!.proof, tile!.root))
    }
  }
  t.equal(shelf.tile(second, 0, shape, tileAt(shape, 219)), undefined)
  t.equal(shelf.tile(first, 1, shape, tileAt(shape, 219)), undefined)
})

t.test('a slide pushes out its own squares first, the least used before others, and all of them know a bound', t => {
  const shelf = new SquareShelf({ bytes: 20_000, slideBytes: 13_000 })
  put(shelf, 0)
  put(shelf, 0, { slideId: second })
  put(shelf, 1)
  shelf.tile(first, 0, shape, { column: 0, row: 0 })
  put(shelf, 3)
  t.same(shelf.held(first), [{ level: 0, square: 0 }, { level: 0, square: 3 }])
  t.same(shelf.held(second), [{ level: 0, square: 0 }])
  put(shelf, 1, { slideId: second })
  t.same(shelf.held(second), [{ level: 0, square: 1 }])
  t.equal(shelf.bytes, (64 + 24 + 64) * 100)
  shelf.forget(second)
  t.equal(shelf.bytes, 8800)
  put(shelf, 3)
  t.equal(shelf.bytes, 8800, 'the same again takes the place of the first')
  t.end()
})

t.test('what the level has otherwise is dropped, by its length or by its bytes', t => {
  const shelf = new SquareShelf()
  put(shelf, 0)
  put(shelf, 1)
  const leaves = (from: number, count: number, change?: number): Buffer[] => {
    const content = { level: 0, square: 0, tiles: Array.from({ length: 64 }, (_, ordinal) => ordinal === change ? Buffer.from('another') : tileOf(ordinal)) }
    return leavesOf(shape, content).slice(from, from + count)
  }
  t.same(shelf.contradicted(first, 0, 10, leaves(10, 30)), [])
  t.same(shelf.contradicted(first, 0, 10, leaves(10, 30, 50)), [])
  t.same(shelf.contradicted(first, 1, 10, leaves(10, 30, 20)), [], 'of another level')
  t.same(shelf.contradicted(first, 0, 10, leaves(10, 30, 20)), [{ level: 0, square: 0 }])
  t.same(shelf.contradictedByLengths(first, 0, () => 100), [])
  t.same(shelf.contradictedByLengths(first, 0, ordinal => ordinal === 64 ? 99 : 100), [{ level: 0, square: 1 }])
  t.same(shelf.held(first), [])
  t.equal(shelf.bytes, 0)
  t.end()
})
