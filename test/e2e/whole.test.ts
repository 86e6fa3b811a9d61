import { t } from 'tap'
import { Stage } from '../harness/stage.ts'

t.test('--whole vp9 is decoded at 7680x4320 in Chromium', async t => {
  await using stage = await Stage.open(['--source', 'pattern', '--frames-per-second', '1', '--whole', 'vp9'], { width: 1280, height: 720 })
  const { viewer } = stage
  await viewer.mode('whole')
  const first = await viewer.until('a decoded 8K frame', ({ whole }) => (whole?.framesDecoded ?? 0) > 0, 60)
  t.match(first, { mode: 'whole', whole: { width: 7680, height: 4320 } })
  t.ok(first.watching.includes('whole' as never))
  const framesDecoded = first.whole?.framesDecoded ?? 0
  const later = await viewer.until('more of them', ({ whole }) => (whole?.framesDecoded ?? 0) >= framesDecoded + 3, 60)
  t.comment(`whole: ${later.whole?.framesDecoded} frames decoded, ${(later.bitsPerSecondReceived / 1e6).toFixed(1)} Mbit/s`)
  await viewer.mode('pyramid')
  await viewer.until('back to the pyramid', ({ mode, whole, watching }) => mode === 'pyramid' && whole === null && !watching.includes('whole' as never))
  t.same(viewer.pageErrors, [])
})
