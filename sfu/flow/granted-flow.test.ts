import { t } from 'tap'
import { levelsOfPyramid } from '../../relay/wire/admission.ts'
import { middleId, OVERVIEW, tileId, WHOLE } from '../../relay/wire/ids.ts'
import { LinkName } from '../../relay/wire/link.ts'
import { middlePosition, planPyramid, planUncut } from '../../relay/wire/pyramid.ts'
import { millis } from '../../relay/wire/units.ts'
import { FlowControl } from './flow-control.ts'
import { grantedRate, withinGrants } from './granted-flow.ts'
import { LineFit } from './line-fit.ts'
import type { GrantedMedia, MediaLevels } from '../../relay/wire/admission.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { FlowViewer } from './flow-control.ts'

const pyramid = planPyramid({ width: 7680, height: 4320, columns: 4, rows: 4, overviewWidth: 1920, framesPerSecond: 30, middle: { columns: 2, rows: 2 }, whole: 'VP9' })
const fit = new LineFit(pyramid)
const rateOf = fit.rateOf.bind(fit)
const grant = (...levels: MediaLevels): GrantedMedia => ({ link: LinkName.parse('line'), levels })
const overview = { level: 'overview', bitsPerSecond: 6e6 } as const
const tiles = [tileId(1, 1), tileId(2, 1), tileId(1, 2), tileId(2, 2)]

t.test('of a grant of the overview nothing else flows, and what is refused is said', async t => {
  const within = withinGrants({ renditions: [OVERVIEW, ...tiles], prefetch: [tileId(0, 0)] }, { viewer: grant(overview), microscope: null }, rateOf)
  t.same(within, { renditions: [OVERVIEW], prefetch: [], refused: tiles })
  t.same(withinGrants({ renditions: [OVERVIEW, WHOLE], prefetch: [] }, { viewer: grant(overview), microscope: null }, rateOf).renditions, [OVERVIEW])
  t.same(withinGrants({ renditions: [OVERVIEW, ...tiles], prefetch: [] }, { viewer: null, microscope: grant(overview) }, rateOf).renditions, [OVERVIEW], 'and of the microscope\'s')
})

t.test('what does not fit into a reservation with nothing beside it does not flow at all', async t => {
  const narrow = grant({ level: 'overview', bitsPerSecond: 1e6 }, { level: 'native', bitsPerSecond: 1e6 })
  t.same(withinGrants({ renditions: [OVERVIEW, ...tiles], prefetch: tiles }, { viewer: narrow, microscope: null }, rateOf), { renditions: [], prefetch: [], refused: [OVERVIEW, ...tiles] })
  const one = grant(overview, { level: 'native', bitsPerSecond: 2e6 })
  t.same(withinGrants({ renditions: [OVERVIEW, ...tiles], prefetch: [] }, { viewer: one, microscope: null }, rateOf).refused, tiles, 'no room for the first tile')
})

t.test('without grants a wish is left as it is', async t => {
  const wish = { renditions: [OVERVIEW, WHOLE, ...tiles, middleId(0, 0)], prefetch: [tileId(0, 0)] }
  t.same(withinGrants(wish, { viewer: null, microscope: null }, rateOf), { ...wish, refused: [] })
})

t.test('whatever viewers wish, no viewer gets and no microscope is asked for more than was reserved', async t => {
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const ids = pyramid.renditions.map(({ id }) => id)
  const some = (most: number): RenditionId[] => [...new Set(Array.from({ length: random(most) }, () => ids[random(ids.length)] as RenditionId))]
  const drawn = (most: number): GrantedMedia => grant(...[{ level: 'overview', bitsPerSecond: 1e6 * (1 + random(8)) } as const, { level: 'native', bitsPerSecond: 1e6 * (1 + random(most)) } as const].slice(0, 1 + random(2)))
  let withheld = 0
  for (let turn = 0; turn < 300; turn++) {
    const microscope = random(3) === 0 ? null : drawn(90)
    const clock = { now: () => millis(turn * 1000), sleep: () => Promise.resolve() }
    const control = new FlowControl({ pyramid, granted: microscope, clock, onDemand: () => undefined })
    const flowing = new Map<FlowViewer, readonly RenditionId[]>()
    const viewers = Array.from({ length: 1 + random(4) }, (): FlowViewer => {
      const viewer: FlowViewer = {
        granted: random(3) === 0 ? null : drawn(60),
        apply: renditions => {
          flowing.set(viewer, renditions)
          return Promise.resolve()
        },
        flowChanged: () => undefined,
      }
      return viewer
    })
    for (const viewer of viewers) {
      const flow = await control.want(viewer, { renditions: some(12), prefetch: some(6) })
      withheld += flow.withheld.length
    }
    for (const viewer of viewers) {
      const rate = rateOf(flowing.get(viewer) ?? [])
      if (rate > grantedRate(viewer.granted ?? null)) t.fail(`a viewer gets ${rate} of ${grantedRate(viewer.granted ?? null)}`)
    }
    const all = rateOf(new Set([...flowing.values()].flat()))
    if (all > grantedRate(microscope)) t.fail(`the microscope sends ${all} of ${grantedRate(microscope)}`)
    control.close()
  }
  t.ok(withheld > 100)
})

t.test('what a microscope asks to reserve lets all of its tiles flow at once, and everything that takes their place', async t => {
  const levels = levelsOfPyramid(pyramid)
  const all = pyramid.renditions.map(({ id }) => id).filter(id => middlePosition(id) === undefined)
  t.ok(rateOf(all) <= grantedRate(grant(...levels)))
  t.same(withinGrants({ renditions: all, prefetch: [] }, { viewer: null, microscope: grant(...levels) }, rateOf).refused, [])
  t.same(levelsOfPyramid(planUncut({ width: 1920, height: 1080, framesPerSecond: 30, codec: 'H264' })).map(({ level }) => level), ['overview'])
})
