import { t } from 'tap'
import { tilesOf } from './slide.ts'
import { ordinalOf, tileAt, tilesIn } from './tile-order.ts'
import type { SlideLevel } from './slide.ts'

const level = (columns: number, rows: number): SlideLevel => ({
  width: columns * 10 - 3, height: rows * 20 - 7, tileWidth: 10, tileHeight: 20, isMade: false,
  encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' },
})

t.test('every tile has one place and every place one tile', async t => {
  for (const [columns, rows] of [[1, 1], [8, 8], [9, 1], [1, 9], [23, 17], [16, 5], [7, 40]] as const) {
    const shape = level(columns, rows)
    const seen = new Set<string>()
    for (let ordinal = 0; ordinal < tilesOf(shape); ordinal++) {
      const { column, row } = tileAt(shape, ordinal)
      seen.add(`${column} ${row}`)
      t.ok(column < columns && row < rows && ordinalOf(shape, { column, row }) === ordinal, `${columns}×${rows} ${ordinal}`)
    }
    t.equal(seen.size, columns * rows)
  }
})

t.test('the first square is whole before the second begins', async t => {
  t.equal(ordinalOf(level(20, 20), { column: 7, row: 7 }), 63)
  t.same(tileAt(level(20, 20), 64), { column: 8, row: 0 })
})

t.test('a viewport names the tiles it touches, its middle first, and none outside', async t => {
  const tiles = tilesIn(level(20, 20), { x: 15, y: 25, width: 30, height: 40 })
  t.equal(tiles.length, 4 * 3)
  t.same(tiles.at(0)?.row, 2)
  t.equal(tilesIn(level(20, 20), { x: -1e9, y: -1e9, width: 2e9, height: 2e9 }).length, 400)
  t.same(tilesIn(level(20, 20), { x: 1e9, y: 1e9, width: 5, height: 5 }), [{ column: 19, row: 19 }])
})
