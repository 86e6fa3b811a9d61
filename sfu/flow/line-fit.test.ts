import t from 'tap'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import { LineFit } from './line-fit.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { WantedFlow } from './line-fit.ts'

const PYRAMID = planPyramid({
  width: 7680, height: 4320, columns: 6, rows: 6, middle: { columns: 3, rows: 3 }, framesPerSecond: 30, overviewWidth: 1920,
  bitrateOf: ({ id }) => bitsPerSecond(id === 'overview' ? 5e6 : 2.5e6),
})
const fit = new LineFit(PYRAMID)
const ids = (...names: string[]): RenditionId[] => names as RenditionId[]
const tiles = (columns: number, rows: number): RenditionId[] =>
  Array.from({ length: columns * rows }, (_, index) => `tile-${index % columns}-${Math.floor(index / columns)}` as RenditionId)
const wanted = (renditions: readonly RenditionId[], over: Partial<WantedFlow> = {}): WantedFlow => ({
  renditions: [renditions[0]!, ...ids('overview'), ...renditions.slice(1)], prefetch: [], downlink: bitsPerSecond(1e9), ...over,
})
const only = (want: WantedFlow, uplink: number) => fit.fit(new Map([[0, want]]), bitsPerSecond(uplink)).get(0)!

t.test('lets everything flow where the lines carry it', async t => {
  const { flowing, withheld } = only(wanted(tiles(3, 2), { prefetch: ids('tile-3-0', 'tile-3-1') }), 1e9)
  t.same(new Set(flowing), new Set([...ids('overview', 'tile-3-0', 'tile-3-1'), ...tiles(3, 2)]))
  t.same(withheld, [])
})

t.test('gives up prefetch first, the least likely before the others', async t => {
  const rate = fit.rateOf([...ids('overview', 'tile-3-0'), ...tiles(3, 2)])
  const { flowing, withheld } = only(wanted(tiles(3, 2), { prefetch: ids('tile-3-0', 'tile-3-1') }), rate)
  t.ok(flowing.includes('tile-3-0' as RenditionId) && !flowing.includes('tile-3-1' as RenditionId))
  t.same(withheld, [])
})

t.test('puts middle tiles in the place of the rim, and never exceeds the line for it', async t => {
  const want = wanted(tiles(4, 4))
  for (const uplink of [45e6, 40e6, 35e6, 30e6, 25e6]) {
    const { flowing, withheld } = only(want, uplink)
    t.ok(fit.rateOf(flowing) <= uplink, `${uplink}`)
    t.ok(flowing.includes('tile-0-0' as RenditionId) && flowing.includes('overview' as RenditionId))
    t.ok(withheld.length > 0 || uplink > fit.rateOf(want.renditions))
    for (const { renditionId, cause } of withheld) {
      t.equal(cause, 'uplink')
      t.notOk(flowing.includes(renditionId))
      const [, column = '', row = ''] = renditionId.split('-')
      t.ok(flowing.includes(`middle-${Math.floor(Number(column) / 2)}-${Math.floor(Number(row) / 2)}` as RenditionId), `${renditionId} at half resolution`)
    }
  }
})

t.test('keeps the tile under the pointer and the overview on the narrowest line', async t => {
  const { flowing, withheld } = only(wanted(tiles(4, 4)), 100_000)
  t.same(new Set(flowing), new Set(ids('tile-0-0', 'overview')))
  t.equal(withheld.length, 15)
})

t.test('names the line that is too narrow', async t => {
  const flows = fit.fit(new Map([
    ['near', wanted(tiles(4, 4), { downlink: bitsPerSecond(20e6) })],
    ['far', wanted(tiles(2, 2))],
  ]), bitsPerSecond(1e9))
  t.ok(flows.get('near')!.withheld.every(({ cause }) => cause === 'downlink'))
  t.same(flows.get('far')!.withheld, [])
})

t.test('takes from whoever has most, so that a greedy viewer costs the others nothing', async t => {
  const modest = wanted(ids('tile-5-5', 'tile-4-5', 'tile-5-4', 'tile-4-4'))
  const flows = fit.fit(new Map([['greedy', wanted(tiles(6, 6))], ['modest', modest]]), bitsPerSecond(40e6))
  t.same(flows.get('modest')!.withheld, [])
  t.ok(flows.get('greedy')!.withheld.length > 0)
  const union = new Set([...flows.values()].flatMap(({ flowing }) => flowing))
  t.ok(fit.rateOf(union) <= 40e6)
})

t.test('serves a viewer of the whole stream or of nothing', async t => {
  t.same(only({ renditions: ids('whole'), prefetch: [], downlink: bitsPerSecond(1e6) }, 1e6).flowing, ['whole'])
  t.same(only({ renditions: [], prefetch: [], downlink: bitsPerSecond(1e6) }, 1e6), { flowing: [], withheld: [] })
})

t.test('falls back to the overview alone where a pyramid has no middle tiles', async t => {
  const plain = new LineFit(planPyramid({ width: 1280, height: 720, columns: 2, rows: 2, framesPerSecond: 30, overviewWidth: 640 }))
  const flow = plain.fit(new Map([[0, wanted(tiles(2, 2))]]), bitsPerSecond(100_000)).get(0)!
  t.same(new Set(flow.flowing), new Set(ids('tile-0-0', 'overview')))
})
