import t from 'tap'
import { scalesOf } from './slide-scales.ts'
import { slideOptics } from './slide-optics.ts'
import { ObjectiveName } from '../../../relay/wire/stage.ts'
import type { SlideLevel } from '../../../relay/wire/slide.ts'

const square = (size: number) => ({ x: size, y: size })

t.test('the strongest objective is the one of the scan, and none claims more', async t => {
  t.same(slideOptics({ micronsPerPixel: square(0.499), objectivePower: 20 }).turret.map(({ name, level }) => [name, level]), [['20x', 0], ['10x', 1], ['5x', 2], ['2.5x', 3]])
  t.same(slideOptics({ micronsPerPixel: square(0.25), objectivePower: undefined }).turret.map(({ name }) => name), ['40x', '20x', '10x', '5x', '2.5x'])
  t.same(slideOptics({ micronsPerPixel: square(8), objectivePower: undefined }).turret.map(({ name }) => name), ['1x'])
  for (const objectivePower of [63, 83.33, 1.25, 5000, 0.1]) {
    const { turret } = slideOptics({ micronsPerPixel: square(0.1), objectivePower })
    t.ok(turret.every(({ name }) => ObjectiveName.safeParse(name).success), turret.map(({ name }) => name).join())
    t.equal(new Set(turret.map(({ name }) => name)).size, turret.length)
  }
})

t.test('a slide without a scale has no micrometres', async t => {
  t.throws(() => slideOptics({ micronsPerPixel: undefined, objectivePower: 20 }), { code: 'unsupported_slide' })
  t.throws(() => slideOptics({ micronsPerPixel: { x: 0.25, y: 0.5 }, objectivePower: 20 }), { code: 'unsupported_slide' })
})

t.test('only levels that are the finest one halved are used, also when their sizes are rounded', async t => {
  const level = (width: number, height: number): SlideLevel => ({ width, height, tileWidth: 256, tileHeight: 256, isMade: false, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' } })
  const used = scalesOf([level(46_000, 32_914), level(15_333, 10_971), level(11_500, 8228), level(2875, 2057)])
  t.same(used.map(({ index, halvings }) => [index, halvings]), [[0, 0], [2, 2], [3, 4]])
})
