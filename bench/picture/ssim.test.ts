import { t } from 'tap'
import { parseSsimStatistics } from './ssim.ts'

t.test('reads one value per frame from what ffmpeg writes', async t => {
  const text = `n:1 Y:0.962121 U:0.991231 V:0.990021 All:0.971789 (15.495300)
n:2 Y:1.000000 U:1.000000 V:1.000000 All:1.000000 (inf)
`
  t.same(parseSsimStatistics(text), [0.971789, 1])
  t.same(parseSsimStatistics('not statistics'), [])
})
