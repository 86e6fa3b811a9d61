import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { DRAWING_LIMITS } from '../relay/wire/pointing.ts'
import { NodeUnderTest } from './harness/node-under-test.ts'
import { publishParameters, SMALL_PYRAMID } from './harness/offer.ts'
import { RawClient } from './harness/raw-client.ts'
import type { RawMessage } from './harness/raw-client.ts'

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

const range = { min: 0, max: 1000 }
const REST = { x: 10, y: 10, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: 1000, obeyed: null }
const STAGE = { objectives: [{ name: '20x', micrometresPerPixel: 0.5 }], travel: { x: range, y: range, focus: range }, state: REST }
const { width, height } = SMALL_PYRAMID

let cases = 0
/** A consultation of its own, with a microscope and its stage. */
async function consultation() {
  const name = `pointing-${++cases}`
  const join = async (member: string, role: 'viewer' | 'technician' | 'microscope' = 'viewer'): Promise<RawClient> => RawClient.join(await under.invite(role, { consultation: name, member }))
  const microscope = await join('scope', 'microscope')
  const { publicationId } = await microscope.ok('publish', { ...publishParameters(), stage: STAGE })
  return { join, microscope, frame: { publicationId: publicationId as string, rtpTimestamp: 2000 } }
}
const point = (x: number, y: number, id: string = randomUUID()) => ({ id, geometry: { kind: 'point', points: [{ x, y }] } })
const annotated = (id: string) => (message: RawMessage): boolean => message.type === 'imageAnnotated' && (message['annotations'] as { id: string }[]).some(annotation => annotation.id === id)

t.test('shows pointers to all others, with name, colour and frame, and takes them away with their owner', async t => {
  const { join, microscope, frame } = await consultation()
  await using _ = microscope
  const a = await join('a')
  await using b = await join('b', 'technician')
  await a.ok('pointAtImage', { ...frame, at: { x: 12.5, y: 7 } })
  t.match(await b.find(({ type }) => type === 'imagePointed'), { memberId: 'a', colour: Number, ...frame, at: { x: 12.5, y: 7 } })
  t.notOk(a.received.some(({ type }) => type === 'imagePointed'), 'not to its owner')
  await a[Symbol.asyncDispose]()
  t.ok(await b.find(({ type, at }) => type === 'imagePointed' && at === null))
})

t.test('keeps what is drawn with author, colour and place, tells who comes later, and takes back only one’s own', async t => {
  const { join, microscope, frame } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  await using b = await join('b')
  const first = point(100, 50)
  await a.ok('annotateImage', { ...frame, annotation: first })
  t.match(await b.find(annotated(first.id)), { annotations: [{ ...first, author: 'a', colour: Number, rtpTimestamp: 2000, place: { x: 10, y: 10, objective: '20x' } }] })
  t.ok(await a.find(annotated(first.id)), 'its author hears of it like everybody')
  await microscope.ok('reportStage', { publicationId: frame.publicationId, state: { ...REST, x: 20, rtpTimestamp: 5000 } })
  await using late = await join('late')
  t.ok(await late.find(annotated(first.id)))
  const second = point(1, 1)
  await b.ok('annotateImage', { ...frame, rtpTimestamp: 6000, annotation: second })
  t.match(await late.find(annotated(second.id)), { annotations: [{ place: { x: 20 } }] }, 'where the stage was when that frame was taken')
  t.equal(await b.refusal('removeImageAnnotation', { publicationId: frame.publicationId, id: first.id }), 'grant_refused')
  t.equal(await a.refusal('removeImageAnnotation', { publicationId: frame.publicationId, id: randomUUID() }), 'not_found')
  t.equal(await a.refusal('annotateImage', { ...frame, annotation: first }), 'conflict')
  await a.ok('removeImageAnnotation', { publicationId: frame.publicationId, id: first.id })
  t.match(await late.find(({ type }) => type === 'imageAnnotationRemoved'), { id: first.id })
})

t.test('refuses what is outside of the image, from the future, too long or nonsense', async t => {
  const { join, microscope, frame } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  await microscope.ok('reportCapture', { publicationId: frame.publicationId, rtpTimestamp: 2000, capturedAtMillis: Date.now() })
  for (const at of [{ x: width + 1, y: 0 }, { x: 0, y: height + 0.5 }]) t.equal(await a.refusal('pointAtImage', { ...frame, at }), 'out_of_range', JSON.stringify(at))
  for (const at of [{ x: -1, y: 0 }, { x: 1e9, y: 0 }, { x: 'NaN', y: 0 }, [1, 2], undefined]) t.equal(await a.refusal('pointAtImage', { ...frame, at }), 'bad_message', JSON.stringify(at))
  const future = { ...frame, rtpTimestamp: 2000 + 90_000_000 }
  t.equal(await a.refusal('pointAtImage', { ...future, at: { x: 1, y: 1 } }), 'out_of_range')
  t.equal(await a.refusal('annotateImage', { ...future, annotation: point(1, 1) }), 'out_of_range')
  t.equal(await a.refusal('annotateImage', { ...frame, annotation: point(width + 1, 1) }), 'out_of_range')
  const at = { x: 1, y: 1 }
  await a.ok('annotateImage', { ...frame, annotation: { id: randomUUID(), geometry: { kind: 'text', points: [at], text: 'x'.repeat(DRAWING_LIMITS.textCharacters) } } })
  const wrong = [
    { kind: 'text', points: [at], text: 'x'.repeat(DRAWING_LIMITS.textCharacters + 1) }, { kind: 'text', points: [at], text: ' ' }, { kind: 'point', points: [] }, { kind: 'line', points: [at] },
    { kind: 'polygon', points: [at, at] }, { kind: 'arrow', points: [at, at, at] }, { kind: 'star', points: [at] }, { kind: 'line', points: new Array(DRAWING_LIMITS.points + 1).fill(at) },
  ]
  for (const geometry of wrong) {
    t.equal(await a.refusal('annotateImage', { ...frame, annotation: { id: randomUUID(), geometry } }), 'bad_message', geometry.kind)
    await a.ok('readClock')
  }
  t.equal(await microscope.refusal('pointAtImage', { ...frame, at }), 'wrong_role')
  await microscope[Symbol.asyncDispose]()
  await a.find(({ type, publication }) => type === 'publicationChanged' && publication === null)
  t.equal(await a.refusal('pointAtImage', { ...frame, at }), 'wrong_state')
})

t.test('drops pointers that come too quick, never their end, and slows down who draws too much', async t => {
  const { join, microscope, frame } = await consultation()
  await using _ = microscope
  await using a = await join('a')
  await using b = await join('b')
  for (let step = 0; step < DRAWING_LIMITS.pointersPerSecond + 10; step++) await a.ok('pointAtImage', { ...frame, at: { x: step, y: 0 } })
  await a.ok('pointAtImage', { ...frame, at: null })
  await b.find(({ type, at }) => type === 'imagePointed' && at === null)
  t.ok(b.received.filter(({ type }) => type === 'imagePointed').length < DRAWING_LIMITS.pointersPerSecond + 10)
  await using c = await join('c')
  let code = ''
  for (let count = 0; count < 2 * DRAWING_LIMITS.burst && code === ''; count++) code = (await c.request('annotateImage', { ...frame, annotation: point(1, 1) })).fault?.code ?? ''
  t.equal(code, 'rate_limited')
})
