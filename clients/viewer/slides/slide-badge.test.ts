import { t } from 'tap'
import { slidePhrases } from './slide-badge.ts'
import { tellSlideTruth } from './slide-truth.ts'
import type { TileState } from './slide-truth.ts'

const phrases = (zoom: number, ...states: TileState[]) => slidePhrases(tellSlideTruth({ level: 0, zoom, standInZoom: 4, states, isRecompressed: false, head: 'proven' }))

t.test('says what pixels are worth and how large they are', async t => {
  t.same(phrases(1, 'proven'), [{ key: 'exact' }, { key: 'atNative' }])
  t.same(phrases(0.5, 'proven'), [{ key: 'exact' }, { key: 'reduced', n: '2' }])
  t.same(phrases(1.2, 'proven'), [{ key: 'exact' }, { key: 'enlarged', n: '1.2' }])
  t.same(phrases(1, 'proven', 'refused'), [{ key: 'refused', n: 1 }, { key: 'atNative' }])
})

t.test('says what stands in for what is not here', async t => {
  t.same(phrases(1, 'proven', 'missing'), [{ key: 'missing' }, { key: 'standIn', n: '4' }])
  t.same(phrases(1), [{ key: 'none' }])
})
