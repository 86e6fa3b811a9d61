import t from 'tap'
import { OVERVIEW, tileId } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import { millis, rtpTimestamp } from '../../../relay/wire/units.ts'
import { ALIGNMENT, InstantAligner } from './instant-aligner.ts'

const [a, b, c] = [tileId(0, 0), tileId(1, 0), tileId(2, 0)]
const FRAME_TICKS = 3000

/** An aligner of strings, with what it released and a shorthand for arrivals. */
function bench(watched: RenditionId[], expected = watched) {
  const released: string[] = []
  const aligner = new InstantAligner<string>(frame => released.push(frame))
  aligner.watch(watched, expected)
  const arrive = (id: RenditionId, frame: number, now: number) => {
    aligner.arrive(id, rtpTimestamp(frame * FRAME_TICKS), `${id}@${frame}`, millis(now))
    return aligner.step(millis(now))
  }
  return { aligner, released, arrive }
}

/** Shows instant 0 with all of `watched` steady. */
function steady(watched: RenditionId[]) {
  const it = bench(watched)
  for (const id of watched) it.arrive(id, 0, 0)
  for (const id of watched) it.arrive(id, 1, 10)
  it.released.length = 0
  return it
}

t.test('shows an instant as soon as its last tile is there, and not before', async t => {
  const { arrive } = steady([a, b])
  t.same(arrive(a, 2, 50).show, undefined)
  const { show } = arrive(b, 2, 60)
  t.equal(show?.rtpTimestamp, 2 * FRAME_TICKS)
  t.same([...show!.frames.values()], [`${a}@2`, `${b}@2`])
  t.same(show?.heldOut, [])
  t.equal(show?.waited, 10)
})

t.test('does not wait for a tile that has not delivered since it was resumed', async t => {
  const { aligner, arrive } = steady([a])
  aligner.watch([a, b])
  const first = arrive(a, 2, 50)
  t.equal(first.show?.rtpTimestamp, 2 * FRAME_TICKS)
  t.same(first.show?.heldOut, [b])
  arrive(b, 3, 70)
  t.same(arrive(a, 3, 80).show?.heldOut, [])
})

t.test('waits as long as a slow source takes for a frame, within bounds', async t => {
  const { aligner, arrive } = steady([a, b])
  aligner.expectInterval(millis(300))
  t.equal(arrive(a, 2, 50).wakeAt, 350)
  aligner.expectInterval(millis(5000))
  t.equal(aligner.step(millis(60)).wakeAt, 50 + ALIGNMENT.longestDeadlineMs)
  aligner.expectInterval(millis(16))
  t.equal(aligner.step(millis(60)).wakeAt, 50 + ALIGNMENT.shortestDeadlineMs)
})

t.test('adds nothing to an instant that a newer one has replaced', async t => {
  const { aligner, released, arrive } = steady([a, b])
  arrive(a, 2, 50)
  aligner.step(millis(150))
  arrive(a, 3, 160)
  t.same(arrive(b, 2, 165).show, undefined)
  t.ok(released.includes(`${b}@2`))
})

t.test('after the deadline shows what there is and holds the late tile out', async t => {
  const { aligner, released, arrive } = steady([a, b])
  const waiting = arrive(a, 2, 50)
  t.equal(waiting.wakeAt, 150)
  t.same(aligner.step(millis(149)).show, undefined)
  const { show } = aligner.step(millis(150))
  t.same([show?.rtpTimestamp, show?.heldOut], [2 * FRAME_TICKS, [b]])
  const added = arrive(b, 2, 155).show
  t.same([added?.rtpTimestamp, [...added!.frames.values()], added?.heldOut], [2 * FRAME_TICKS, [`${b}@2`], []], 'what is late for the shown instant is added to it')
  t.same(arrive(b, 1, 157).show, undefined, 'but never mixed into another one')
  t.same(released, [`${b}@1`])
  t.equal(arrive(a, 3, 160).show, undefined, 'and waited for a little longer from then on')
  t.equal(aligner.step(millis(160 + 180)).show?.rtpTimestamp, 3 * FRAME_TICKS)
})

t.test('waits again for a tile that is in time again, even if its instant went without it', async t => {
  const { aligner, arrive } = steady([a, b])
  arrive(a, 2, 50)
  aligner.step(millis(150))
  arrive(a, 3, 160)
  arrive(b, 3, 190)
  t.same(arrive(a, 4, 200).show, undefined)
  t.same(arrive(b, 4, 210).show?.heldOut, [])
})

t.test('prefers the newest complete instant and releases the older ones', async t => {
  const { released, arrive } = steady([a, b])
  arrive(a, 2, 40)
  arrive(a, 3, 50)
  const { show } = arrive(b, 3, 60)
  t.equal(show?.rtpTimestamp, 3 * FRAME_TICKS)
  t.same(released, [`${a}@2`])
})

t.test('a tile that leaves the view completes the instant and its frames are released', async t => {
  const { aligner, released, arrive } = steady([a, b, c])
  arrive(a, 2, 50)
  arrive(b, 2, 50)
  aligner.watch([a])
  t.same(released, [`${b}@2`])
  t.same(aligner.step(millis(51)).show?.heldOut, [])
  arrive(b, 3, 60)
  t.same(released, [`${b}@2`, `${b}@3`], 'frames still under way are released on arrival')
})

t.test('what a new tile catches up with is dropped, counts as nothing and delays nobody', async t => {
  const { aligner, released, arrive } = steady([a, b])
  for (let frame = 2; frame < 30; frame++) for (const id of [a, b]) arrive(id, frame, frame * 33)
  released.length = 0
  aligner.takeLate()
  aligner.watch([a, b, c])
  const now = 29 * 33 + 5
  for (let frame = 10; frame < 25; frame++) {
    t.notOk(aligner.admits(c, rtpTimestamp(frame * FRAME_TICKS), millis(now)), 'not even worth a copy')
  }
  t.same([aligner.takeLate(), [...aligner.steady]], [0, [a, b]])
  arrive(a, 30, 990)
  t.equal(arrive(b, 30, 991).show?.rtpTimestamp, 30 * FRAME_TICKS, 'the others go on undisturbed')
  arrive(c, 27, 995)
  t.notOk(aligner.steady.has(c), 'three instants behind, if only for 100 ms: it is still catching up')
  arrive(c, 29, 1000)
  t.ok(aligner.steady.has(c), 'one of the last two instants: it has caught up')
  arrive(a, 31, 1023)
  t.same(arrive(b, 31, 1024).show, undefined)
  t.same(arrive(c, 31, 1030).show?.heldOut, [])
  t.equal(aligner.takeLate(), 1, 'of the late frames only the one with which it was current already')
})

t.test('a new tile that is never quite current is waited for all the same, when it is so for long', async t => {
  const { aligner, arrive } = steady([a])
  aligner.watch([a, b])
  let waitedSince: number | undefined
  for (let frame = 2; frame < 30; frame++) {
    arrive(a, frame, frame * 16)
    arrive(b, frame - 4, frame * 16 + 1)
    if (aligner.steady.has(b)) waitedSince ??= frame
  }
  t.ok(waitedSince !== undefined && waitedSince >= ALIGNMENT.laggingFrames)
})

t.test('a tile that has been in time and then only a little late is waited for as before', async t => {
  const { aligner, arrive } = steady([a, b])
  arrive(a, 2, 50)
  aligner.step(millis(150))
  t.notOk(aligner.steady.has(b))
  for (let frame = 3; frame < 7; frame++) arrive(a, frame, 150 + frame)
  arrive(b, 3, 200)
  t.ok(aligner.steady.has(b), 'three instants behind, but within the deadline')
  t.ok(aligner.takeLate() > 0)
})

t.test('what is withheld is not waited for; a frame of it that was under way is drawn with its own instant', async t => {
  const { aligner, arrive, released } = steady([a, b])
  aligner.watch([a, b], [a])
  arrive(b, 2, 48)
  const { show } = arrive(a, 2, 50)
  t.same([[...show!.frames.keys()].sort(), show?.heldOut], [[a, b], []])
  t.same(arrive(a, 3, 83).show?.heldOut, [], 'nothing is missing')
  t.same(released, [])
  aligner.watch([a, b], [a, b])
  arrive(b, 4, 110)
  t.same(arrive(a, 4, 116).show?.heldOut, [])
})

t.test('withholding a tile completes the instant that waits for it', async t => {
  const { aligner, arrive } = steady([a, b])
  t.same(arrive(a, 2, 50).show, undefined)
  aligner.watch([a, b], [a])
  t.equal(aligner.step(millis(51)).show?.rtpTimestamp, 2 * FRAME_TICKS)
})

t.test('what is fetched ahead is part of its instant without being waited for, and is waited for once it is visible', async t => {
  const { aligner, arrive } = bench([a, b], [a])
  arrive(a, 1, 0)
  arrive(b, 1, 5)
  t.same([...aligner.steady], [a])
  t.equal(arrive(a, 2, 33).show?.rtpTimestamp, 2 * FRAME_TICKS, 'a alone completes it')
  t.same([...arrive(b, 2, 38).show!.frames.keys()], [b], 'and b is added')
  aligner.watch([a, b])
  t.same([...aligner.steady], [a, b], 'it has kept pace all along')
  t.same(arrive(a, 3, 66).show, undefined)
  t.same(arrive(b, 3, 70).show?.heldOut, [])
})

t.test('an instant of which only unexpected frames came is never shown, and does not stay', async t => {
  const { aligner, arrive, released } = bench([a, b], [a])
  arrive(a, 1, 0)
  t.same(arrive(b, 2, 33), { show: undefined, wakeAt: 133 })
  t.same(aligner.step(millis(133)), { show: undefined, wakeAt: undefined })
  t.same(released, [`${b}@2`])
  for (let frame = 3; frame < 100; frame++) arrive(b, frame, 140)
  t.ok(released.length >= 98 - ALIGNMENT.instants, 'their number is bounded')
  t.equal(arrive(a, 100, 150).show?.rtpTimestamp, 100 * FRAME_TICKS)
})

t.test('a lost frame costs its own tile one instant', async t => {
  const { aligner, arrive } = steady([a, b])
  arrive(a, 2, 50)
  arrive(a, 3, 83)
  t.equal(arrive(b, 3, 84).show?.rtpTimestamp, 3 * FRAME_TICKS, 'the next complete instant overtakes the one with the gap')
  t.same([...aligner.steady].sort(), [a, b])
})

t.test('follows the clock through its wrap-around', async t => {
  const { aligner } = bench([OVERVIEW])
  const show = (timestamp: number, now: number) => {
    aligner.arrive(OVERVIEW, rtpTimestamp(timestamp), 'frame', millis(now))
    return aligner.step(millis(now)).show?.rtpTimestamp
  }
  t.equal(show(2 ** 32 - 3000, 0), 2 ** 32 - 3000)
  t.equal(show(2 ** 32, 33), 0)
  t.equal(show(2 ** 32 - 3000, 40), undefined)
  t.equal(show(3000, 66), 3000)
})

t.test('takes up a rebased clock, but not a forgotten frame of long ago', async t => {
  const { arrive } = bench([a, b])
  arrive(a, 10_000, 0)
  t.equal(arrive(b, 9000, 10).show, undefined, 'a left-over while the clock still runs')
  t.equal(arrive(a, 10_001, 33).show?.rtpTimestamp, 10_001 * FRAME_TICKS)
  t.equal(arrive(a, 5, 33 + ALIGNMENT.rebaseSilenceMs).show?.rtpTimestamp, 5 * FRAME_TICKS)
  t.equal(arrive(a, 6, 600).show?.rtpTimestamp, 6 * FRAME_TICKS)
})

t.test('does not take the old frames of a new tile for another clock, however seldom a source gives one', async t => {
  const { aligner, arrive } = steady([a])
  aligner.expectInterval(millis(1000))
  arrive(a, 100, 100)
  aligner.watch([a, b])
  t.same(arrive(b, 10, 1000).show, undefined)
  t.equal(arrive(a, 130, 1100).show?.rtpTimestamp, 130 * FRAME_TICKS)
})

t.test('catches up across the wrap-around of the clock', async t => {
  const { aligner } = bench([a, b], [a, b])
  const at = (id: RenditionId, timestamp: number, now: number) => {
    aligner.arrive(id, rtpTimestamp(timestamp), 'frame', millis(now))
    return aligner.step(millis(now)).show?.rtpTimestamp
  }
  for (let frame = -10; frame < 3; frame++) at(a, 2 ** 32 + frame * FRAME_TICKS, 1000 + frame * 33)
  for (let frame = -8; frame < 0; frame++) t.notOk(aligner.admits(b, rtpTimestamp(2 ** 32 + frame * FRAME_TICKS), millis(1070)))
  t.equal(aligner.takeLate(), 0)
  t.equal(at(b, 2 * FRAME_TICKS, 1075), 2 * FRAME_TICKS)
})

t.test('holds a bounded number of instants, however fast they come', async t => {
  const { arrive, released } = steady([a, b])
  let shown = 0
  for (let frame = 2; frame < 1002; frame++) if (arrive(a, frame, 20 + frame / 100).show !== undefined) shown++
  t.ok(shown > 990, 'the oldest becomes due when there are too many')
  t.ok(1000 - shown - released.length <= ALIGNMENT.instants)
})

t.test('a duplicate replaces the frame it repeats', async t => {
  const { arrive, released } = steady([a, b])
  arrive(a, 2, 40)
  arrive(a, 2, 41)
  t.same(released, [`${a}@2`])
})

t.test('reset releases everything that waits', async t => {
  const { aligner, arrive, released } = steady([a, b])
  arrive(a, 2, 40)
  aligner.reset()
  t.same(released, [`${a}@2`])
  t.same(aligner.step(millis(1000)), { show: undefined, wakeAt: undefined })
})
