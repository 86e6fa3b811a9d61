import { join } from 'node:path'
import { t } from 'tap'
import { killTransfers, seeded } from '../../bench/slides/kill-transfer.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'

t.test('a slide arrives bit by bit as it is, however often its scanner and its node are killed on the way', async t => {
  const directory = t.testdir()
  const slidePath = join(directory, 'slide.svs')
  await writeSyntheticSlide(slidePath, { ...SMALL_SLIDE, width: 6000, height: 4000, quality: 80 })
  const outcome = await killTransfers({ directory, slidePath, count: 6, random: seeded(7), limitRate: 3, onKill: done => t.comment(`${done} kills`) })
  t.comment(JSON.stringify(outcome))
  t.same(outcome.lost, [])
  t.ok(outcome.kills.node > 0 && outcome.kills.scanner > 0, 'both were killed')
  t.ok(outcome.slides > 0 && outcome.tiles > 400)
  t.ok(outcome.chunksAsked > 0, 'the node had chunks when it was killed')
})
