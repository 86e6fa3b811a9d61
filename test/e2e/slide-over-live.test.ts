import { t } from 'tap'
import { Stage } from '../harness/stage.ts'
import { TestSlide } from '../harness/test-slide.ts'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle }

t.test('tiles that a slide covers are not sent, and come back when it is closed', async t => {
  await using stage = await Stage.open(['--source', 'pattern', '--width', '1920', '--height', '1080', '--columns', '3', '--rows', '3', '--overview-width', '640', '--frames-per-second', '10'], { width: 900, height: 600 })
  const { viewer, under } = stage
  await using sent = await TestSlide.open(await under.invite('scanner', { member: 'scanner' }))
  await sent.sendAll()
  await viewer.view({ x: 960, y: 540, scale: 1 })
  await viewer.until('native pixels', ({ truth, flowing }) => truth.kind === 'native' && flowing.length > 1)
  const { slides } = await viewer.until('the slide in the list', it => it.slides.length === 1)
  await viewer.page.evaluate(slideId => (globalThis as ViewerGlobal).kenkyo.openSlide(slideId), slides[0]?.slideId ?? sent.slideId)
  const { watching, prefetching } = await viewer.until('nothing but the overview', ({ slide, flowing }) => slide !== null && flowing.length === 1 && flowing[0] === 'overview')
  t.same([watching, prefetching], [['overview'], []])

  await viewer.page.keyboard.press('Escape')
  await viewer.until('native pixels at once', ({ slide, truth, flowing }) => slide === null && truth.kind === 'native' && flowing.length > 1, 5)
  t.same(viewer.pageErrors, [])
})
