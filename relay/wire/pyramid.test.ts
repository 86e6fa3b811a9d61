import fc from 'fast-check'
import { t } from 'tap'
import { OVERVIEW, tileId, WHOLE } from './ids.ts'
import { planPyramid, planUncut, Pyramid, tilePosition } from './pyramid.ts'

const eightK = { width: 7680, height: 4320, columns: 6, rows: 6, framesPerSecond: 30, overviewWidth: 1920 }

t.test('cuts 8K into an overview and 36 tiles of 1280x720', async t => {
  const { renditions } = planPyramid(eightK)
  t.equal(renditions.length, 37)
  t.match(renditions[0], { id: OVERVIEW, width: 1920, height: 1080 })
  t.ok(renditions.slice(1).every(tile => tile.width === 1280 && tile.height === 720))
  t.same(renditions.at(-1)?.region, { x: 6400, y: 3600, width: 1280, height: 720 })
})

t.test('adds the whole image when asked', async t => {
  t.match(planPyramid({ ...eightK, whole: 'VP9' }).renditions.at(-1), { id: WHOLE, codec: 'VP9', width: 7680, height: 4320 })
})

t.test('covers any even image without gap or overlap', async () => {
  const even = fc.integer({ min: 32, max: 4096 }).map(value => value * 2)
  const grid = fc.integer({ min: 1, max: 8 })
  fc.assert(
    fc.property(even, even, grid, grid, (width, height, columns, rows) => {
      const { renditions } = planPyramid({ width, height, columns, rows, framesPerSecond: 30, overviewWidth: 1920 })
      const tiles = renditions.filter(({ id }) => tilePosition(id) !== undefined).map(({ region }) => region)
      const area = tiles.reduce((sum, tile) => sum + tile.width * tile.height, 0)
      const overlaps = tiles.some((a, i) =>
        tiles.slice(i + 1).some(b => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height),
      )
      return area === width * height && !overlaps
    }),
    { seed: 20261122, numRuns: 200 },
  )
})

t.test('refuses images that cannot be cut so', async t => {
  const refused = [
    { ...eightK, width: 7681 },
    { ...eightK, columns: 9 },
    { ...eightK, rows: 0 },
    { ...eightK, width: 8, columns: 8 },
    { ...eightK, framesPerSecond: 0 },
    { ...eightK, width: 20_000 },
  ]
  for (const plan of refused) t.throws(() => planPyramid(plan), { code: 'bad_config' }, JSON.stringify(plan))
})

t.test('refuses absurd numbers at once, before anything is counted up to them', async t => {
  const pyramid = planPyramid(eightK)
  for (const absurd of [2 ** 53, 2 ** 53 - 1, 1e308, -(2 ** 53), 0.5]) {
    for (const key of ['columns', 'rows', 'width', 'height']) {
      t.notOk(Pyramid.safeParse({ ...pyramid, [key]: absurd }).success, `${key} of ${absurd}`)
    }
    t.notOk(Pyramid.safeParse({ ...pyramid, columns: 0, rows: absurd }).success, `no columns, rows of ${absurd}`)
  }
})

t.test('refuses a pyramid with a hole, a shifted tile, a stranger or a double', async t => {
  const pyramid = planPyramid(eightK)
  const shifted = structuredClone(pyramid)
  shifted.renditions[5]!.region.x += 2
  const hostile: [string, unknown][] = [
    ['a hole', { ...pyramid, renditions: pyramid.renditions.filter(({ id }) => id !== tileId(3, 3)) }],
    ['a shifted tile', shifted],
    ['no overview', { ...pyramid, renditions: pyramid.renditions.slice(1) }],
    ['a double', { ...pyramid, renditions: [...pyramid.renditions, pyramid.renditions[4]] }],
    ['a tile outside the grid', { ...pyramid, columns: 5 }],
    ['a tile at half resolution', { ...pyramid, renditions: pyramid.renditions.map(r => (r.id === tileId(1, 1) ? { ...r, width: 640 } : r)) }],
    ['an unknown field', { ...pyramid, patient: 'x' }],
  ]
  for (const [name, value] of hostile) t.notOk(Pyramid.safeParse(value).success, name)
  t.ok(Pyramid.safeParse(pyramid).success)
})

t.test('an image in one stream is its overview at full size, and has no tiles', async t => {
  const pyramid = planUncut({ width: 1280, height: 720, framesPerSecond: 30, codec: 'VP9' })
  t.match(pyramid, { columns: 0, rows: 0, middle: null, renditions: [{ id: OVERVIEW, codec: 'VP9', width: 1280, height: 720 }] })
  const [overview] = pyramid.renditions
  t.notOk(Pyramid.safeParse({ ...pyramid, renditions: [{ ...overview, width: 640, height: 360 }] }).success, 'with a smaller overview')
  t.notOk(Pyramid.safeParse({ ...pyramid, columns: 1 }).success, 'with columns and no rows')
  t.notOk(Pyramid.safeParse({ ...pyramid, renditions: [] }).success, 'with nothing at all')
  t.notOk(Pyramid.safeParse({ ...pyramid, middle: { columns: 1, rows: 1 } }).success, 'with middle tiles')
  for (const width of [1279, 0, 16_386]) t.throws(() => planUncut({ width, height: 720, framesPerSecond: 30, codec: 'H264' }), { code: 'unsupported_media' }, String(width))
})
