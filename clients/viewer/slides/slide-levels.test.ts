import { t } from 'tap'
import { SlideId } from '../../../relay/wire/ids.ts'
import { areaOnLevel, levelFor, tilesOfArea } from './slide-levels.ts'
import type { SlideLevel, SlideStructure } from '../../../relay/wire/slide.ts'

const level = (width: number, height: number): SlideLevel => ({
  width, height, tileWidth: 256, tileHeight: 256, isMade: false, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' },
})
/** As Aperio makes them: factors of 4, then 2, sizes rounded down. */
const structure: SlideStructure = {
  version: 1, slideId: SlideId.parse('6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11'), format: 'aperio', pseudonym: 'S-0001', micronsPerPixel: null, objectivePower: null,
  levels: [level(10_001, 8003), level(2500, 2000), level(1250, 1000)], removed: [],
}

t.test('takes the finest level that is not reduced below the half', async t => {
  t.equal(levelFor(structure, 8), 0)
  t.equal(levelFor(structure, 1), 0)
  t.equal(levelFor(structure, 0.5), 0)
  t.equal(levelFor(structure, 0.49), 1)
  t.equal(levelFor(structure, 0.125), 1)
  t.equal(levelFor(structure, 0.124), 2)
  t.equal(levelFor(structure, 0.001), 2, 'the coarsest, when all are too fine')
})

t.test('each axis has a scale of its own', async t => {
  t.same(areaOnLevel(structure, 1, { x: 0, y: 0, width: 10_001, height: 8003 }), { x: 0, y: 0, width: 2500, height: 2000 })
})

t.test('names the tiles that are seen, the middle first, and none that only touch', async t => {
  t.same(tilesOfArea(structure, 0, { x: 0, y: 0, width: 256, height: 256 }), [{ level: 0, column: 0, row: 0 }])
  const tiles = tilesOfArea(structure, 0, { x: 256, y: 256, width: 3 * 256, height: 3 * 256 })
  t.equal(tiles.length, 9)
  t.same(tiles[0], { level: 0, column: 2, row: 2 })
  t.equal(tilesOfArea(structure, 2, { x: 0, y: 0, width: 10_001, height: 8003 }).length, 5 * 4)
  t.same(tilesOfArea(structure, 0, { x: 10_001, y: 0, width: 0, height: 100 }), [])
})
