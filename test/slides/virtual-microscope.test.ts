import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { openSlideMicroscope } from '../../clients/capture/slide/slide-microscope.ts'
import { i420Bytes } from '../../clients/capture/specimen.ts'
import { parseInvitation } from '../../relay/runtime/invitation-link.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { TestSlide } from '../harness/test-slide.ts'
import type { SlideMicroscope } from '../../clients/capture/slide/slide-microscope.ts'
import type { SlidePlace } from '../../clients/capture/slide/block-worker.ts'
import type { SlideId } from '../../relay/wire/ids.ts'

const root = await mkdtemp(join(tmpdir(), 'kenkyo-virtual-store-'))
t.teardown(() => rm(root, { recursive: true }))
const log = createLogger({ level: 'silent', program: 'test' })
const path = join(root, 'slide.svs')
await writeSyntheticSlide(path, SMALL_SLIDE)
const under = await NodeUnderTest.open({ slides: true })
t.teardown(() => under[Symbol.asyncDispose]())

const placeOf = async (slideId: SlideId, role: 'microscope' | 'technician', consultation?: string): Promise<SlidePlace> => {
  const address = parseInvitation(await under.invite(role, { member: 'scope', ...(consultation === undefined ? {} : { consultation }) }), undefined)
  return { kind: 'node', node: { address }, slideId }
}

/** What the microscope shows of its slide's middle, once it is sharp. */
async function pictureOf({ specimen }: SlideMicroscope): Promise<Uint8Array> {
  const view = { level: 0, x: 1200, y: 900, width: 320, height: 180, detail: 0 }
  while (!specimen.prepare?.([view])) await new Promise(resolve => setImmediate(resolve))
  const picture = new Uint8Array(i420Bytes(320, 180))
  specimen.draw(view, picture)
  return picture
}

t.test('a microscope shows a slide of its consultation as it shows the file, and none of another', async t => {
  await using sent = await TestSlide.ofFile(await under.invite('scanner', { member: 'scanner' }), path)
  await sent.sendAll()
  await using ofNode = await openSlideMicroscope(await placeOf(sent.slideId, 'microscope'), log)
  await using ofFile = await openSlideMicroscope({ kind: 'file', path }, log)
  t.same(ofNode.stage.stage, ofFile.stage.stage)
  t.equal(Buffer.compare(await pictureOf(ofNode), await pictureOf(ofFile)), 0)
  await t.rejects(openSlideMicroscope(await placeOf(sent.slideId, 'microscope', 'case-2'), log), { code: 'grant_refused' })
  await t.rejects(openSlideMicroscope(await placeOf(sent.slideId, 'technician'), log), { code: 'grant_refused' })
})

t.test('a microscope reads one slide: it lists none, and changes none', async t => {
  await using sent = await TestSlide.ofFile(await under.invite('scanner', { member: 'scanner' }), path)
  await sent.announce()
  const { origin, invitation } = parseInvitation(await under.invite('microscope', { member: 'scope' }), undefined)
  const ask = async (method: string, to: string): Promise<number> => (await fetch(`${origin}/slides${to}`, { method, headers: { authorization: `Bearer ${invitation}` } })).status
  t.equal(await ask('GET', ''), 403)
  t.equal(await ask('GET', `/${sent.slideId}/arrived`), 403)
  t.equal(await ask('GET', `/${sent.slideId}/annotations`), 403)
  t.equal(await ask('GET', `/${sent.slideId}`), 200)
})
