import t from 'tap'
import { ReplayCursor } from './replay-cursor.ts'
import type { DueFrame } from './replay-cursor.ts'

/** Frames every 3,000 ticks, each tenth a keyframe; none between 120,000 and 600,000. */
const frames = Array.from({ length: 100 }, (_, index) => ({ ticks: index * 3000 + (index >= 40 ? 480_000 : 0), offset: index * 10, byteLength: 10, isKeyFrame: index % 10 === 0 }))
const said = (due: readonly DueFrame[]): [number, number][] => due.map(({ frame, leading }) => [frame.offset / 10, leading])

t.test('begins with the last keyframe, and goes on with what comes after', async t => {
  const cursor = new ReplayCursor(frames)
  t.same(said(cursor.begin(36_500)), [[10, 2], [11, 1], [12, 0]])
  t.same(said(cursor.advance(42_000)), [[13, 0], [14, 0]])
  t.same(cursor.advance(44_999), [])
  t.equal(cursor.ticksAfter(42_000), 45_000)
  t.same(said(cursor.begin(30_000)), [[10, 0]], 'a keyframe alone')
})

t.test('has nothing where the rendition did not flow, and goes on with its next keyframe', async t => {
  const cursor = new ReplayCursor(frames)
  t.same(cursor.begin(400_000), [])
  t.equal(cursor.ticksAfter(400_000), 600_000)
  t.same(said(cursor.advance(603_000)), [[40, 0], [41, 0]])
  t.same(new ReplayCursor([]).begin(0), [])
  const cut = new ReplayCursor(frames.slice(3))
  t.same(cut.begin(15_000), [], 'what comes before the first keyframe cannot be shown')
  t.same(said(cut.advance(30_000)), [[10, 0]])
})

t.test('knows the frame of a time', async t => {
  const cursor = new ReplayCursor(frames)
  t.equal(cursor.ticksAt(4000), 3000)
  t.equal(cursor.ticksAt(-1), undefined)
  t.equal(cursor.ticksAfter(1e9), undefined)
})
