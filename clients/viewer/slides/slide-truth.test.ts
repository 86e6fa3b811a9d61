import { t } from 'tap'
import { isSharp, tellSlideTruth } from './slide-truth.ts'
import type { TileState } from './slide-truth.ts'

const facts = (states: TileState[], isRecompressed = false) => ({ level: 1, zoom: 0.75, standInZoom: 3, states, isRecompressed, head: 'proven' as const })
const kind = (states: TileState[], isRecompressed = false) => tellSlideTruth(facts(states, isRecompressed)).kind

t.test('is bit-exact only where every visible tile is proven and was written by the scanner', async t => {
  t.equal(kind(['proven', 'proven']), 'exact')
  t.equal(kind(['proven', 'proven'], true), 'recompressed')
  t.equal(kind(['proven', 'unproven']), 'unverified')
  t.equal(kind(['unproven'], true), 'unverified')
})

t.test('what its level has to bear out yet is provisional, however well its square is signed', async t => {
  t.equal(kind(['proven', 'early']), 'early')
  t.equal(kind(['early'], true), 'early')
  t.equal(kind(['early', 'unproven']), 'unverified')
  t.equal(kind(['early', 'loading']), 'loading')
})

t.test('the worst tile decides', async t => {
  t.equal(kind(['proven', 'loading']), 'loading')
  t.equal(kind(['proven', 'loading', 'missing']), 'missing')
  t.equal(kind(['proven', 'loading', 'missing', 'refused']), 'refused')
  t.equal(kind(['proven', 'refused'], true), 'refused')
  t.equal(kind([]), 'none', 'nothing to see proves nothing')
})

t.test('a slide whose own head is refused is forged, whatever its tiles prove', async t => {
  t.equal(tellSlideTruth({ ...facts(['proven']), head: 'refused' }).kind, 'forged')
  t.equal(tellSlideTruth({ ...facts(['proven', 'refused']), head: 'refused' }).kind, 'forged')
  t.equal(tellSlideTruth({ ...facts(['proven']), head: 'checking' }).kind, 'loading', 'nothing is claimed before')
  t.equal(tellSlideTruth({ ...facts(['proven']), head: 'awaited' }).kind, 'exact', 'a level can be proven before the slide is whole')
})

t.test('counts tiles, and speaks of stand-ins only while something is not there', async t => {
  t.same(tellSlideTruth(facts(['proven', 'missing', 'missing'])).tiles, { proven: 1, early: 0, unproven: 0, refused: 0, missing: 2, loading: 0 })
  t.equal(tellSlideTruth(facts(['proven', 'missing'])).standInZoom, 3)
  t.equal(tellSlideTruth(facts(['proven', 'refused'])).standInZoom, null)
})

t.test('is sharp when nothing is awaited and nothing refused', async t => {
  t.same((['exact', 'recompressed', 'early', 'unverified', 'missing', 'loading', 'refused', 'forged', 'none'] as const).map(kind => isSharp({ ...tellSlideTruth(facts([])), kind })), [true, true, true, true, false, false, false, false, false])
})
