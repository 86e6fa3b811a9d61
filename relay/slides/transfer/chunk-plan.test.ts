import { t } from 'tap'
import { bytes, millis } from '../../wire/units.ts'
import { ChunkPlan } from './chunk-plan.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { ChunkPlanOptions, PlannedChunk } from './chunk-plan.ts'

const KIB = 1024
/** A name that says where the chunk stands. */
const name = (level: number, chunk: number): Sha256 => `${level}-${chunk}` as Sha256
const level = (of: number, count: number, length = 300 * KIB) => Array.from({ length: count }, (_, chunk) => ({ sha256: name(of, chunk), length }))
const places = (chunks: readonly PlannedChunk[]): string[] => chunks.map(chunk => `${chunk.level}/${chunk.chunk}`)
const want = (serial: number, ...chunks: readonly (readonly [number, number])[]) => ({ serial, chunks: chunks.map(([of, chunk]) => ({ level: of, chunk })) })

function planOf(options: Partial<ChunkPlanOptions> = {}): ChunkPlan {
  return new ChunkPlan({ levels: 3, coarseBytes: bytes(1024 * KIB), retry: { first: millis(100), cap: millis(1000) }, random: () => 1, ...options })
}

t.test('sends coarse levels first, then the rest from the coarsest level to the finest, whatever order they came in', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 3))
  plan.addLevel(2, level(2, 1))
  plan.addLevel(1, level(1, 2))
  const { send } = plan.step(millis(0), 10)
  t.same(places(send), ['2/0', '1/0', '1/1'])
  for (const chunk of send) plan.stored(chunk, millis(1))
  t.same(places(plan.step(millis(1), 10).send), ['0/0', '0/1', '0/2'])
})

t.test('what viewers want goes after coarse levels and before the rest', async t => {
  const plan = planOf({ coarseBytes: bytes(500 * KIB) })
  plan.addLevel(2, level(2, 1))
  plan.addLevel(1, level(1, 2))
  plan.addLevel(0, level(0, 4))
  plan.want(want(1, [0, 3], [0, 1]))
  const { send } = plan.step(millis(0), 4)
  t.same(places(send), ['2/0', '0/3', '0/1'])
  plan.stored(send[0]!, millis(1))
  t.same(places(plan.step(millis(1), 4).send), ['1/0', '1/1'])
})

t.test('coarse levels have the line to themselves, unless they fail', async t => {
  const plan = planOf({ coarseBytes: bytes(500 * KIB) })
  plan.addLevel(2, level(2, 1))
  plan.addLevel(0, level(0, 2))
  const [coarse] = plan.step(millis(0), 9).send
  t.same(plan.step(millis(1), 9).send, [], 'while they are under way')
  plan.failed(coarse!, millis(2))
  t.same(places(plan.step(millis(3), 9).send), ['0/0', '0/1'], 'what waits for another try keeps nothing back')
})

t.test('what viewers want need not wait for room among what they do not', async t => {
  const plan = planOf({ coarseBytes: bytes(0) })
  plan.addLevel(0, level(0, 99))
  t.same(plan.step(millis(0), 2).send.map(({ isUrgent }) => isUrgent), [false, false])
  plan.want(want(1, ...Array.from({ length: 40 }, (_, chunk) => [0, 50 + chunk] as const)))
  const { send } = plan.step(millis(1), 2)
  t.ok(send.length > 3 && send.length < 20 && send.every(({ isUrgent }) => isUrgent), 'but not all of a large view at once')
  t.same(places(send).slice(0, 2), ['0/50', '0/51'])
})

t.test('nor do coarse chunks that viewers want', async t => {
  const plan = planOf()
  plan.addLevel(1, level(1, 3))
  t.same(places(plan.step(millis(0), 2).send), ['1/0', '1/1'])
  plan.addLevel(2, level(2, 1, KIB))
  plan.want(want(1, [2, 0]))
  t.same(places(plan.step(millis(1), 2).send), ['2/0'])
})

t.test('the newest want wins, and an older one that arrives late changes nothing', async t => {
  const plan = planOf({ coarseBytes: bytes(0) })
  plan.addLevel(0, level(0, 9))
  plan.want(want(7, [0, 8]))
  plan.want(want(6, [0, 5]))
  t.equal(plan.wantedSerial, 7)
  t.same(places(plan.step(millis(0), 2).send), ['0/8', '0/0'])
})

t.test('a wish for what is not known, or does not exist, is passed over', async t => {
  const plan = planOf({ coarseBytes: bytes(0) })
  plan.addLevel(0, level(0, 2))
  plan.want(want(1, [9, 0], [0, 77], [0, 1]))
  t.same(places(plan.step(millis(0), 1).send), ['0/1'])
})

t.test('keeps as many chunks under way as the window lets, and goes on as they arrive', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 5))
  const { send } = plan.step(millis(0), 2)
  t.same(places(send), ['0/0', '0/1'])
  t.same(plan.step(millis(1), 2).send, [])
  plan.stored(send[1]!, millis(2))
  t.same(places(plan.step(millis(2), 2).send), ['0/2'])
  t.same(plan.step(millis(3), 1).send, [], 'a window that shrank starts nothing')
})

t.test('what the far end has is not sent', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 10))
  plan.learnMissing(0, Uint8Array.of(0b1000_0001, 0b0000_0010))
  t.same(places(plan.step(millis(0), 10).send), ['0/0', '0/7', '0/9'])
})

t.test('a bitmap that is too short says nothing of the rest: that is missing', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 10))
  plan.learnMissing(0, Uint8Array.of(0))
  t.same(places(plan.step(millis(0), 10).send), ['0/8', '0/9'])
})

t.test('what the far end lost again goes again, and what is under way is not touched', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 3))
  const { send } = plan.step(millis(0), 2)
  plan.stored(send[0]!, millis(1))
  plan.learnMissing(0, Uint8Array.of(0b111))
  t.same(places(plan.step(millis(2), 10).send), ['0/0', '0/2'])
  t.equal(plan.progress(millis(2)).chunksDone, 0)
})

t.test('equal chunks go once, at the first of their places, and count once', async t => {
  const plan = planOf({ levels: 2 })
  plan.addLevel(1, [{ sha256: name(1, 0), length: 10 }, { sha256: name(1, 0), length: 10 }])
  plan.addLevel(0, [{ sha256: name(1, 0), length: 10 }, { sha256: name(0, 1), length: 7 }])
  const { send } = plan.step(millis(0), 10)
  t.same(places(send), ['1/0', '0/1'])
  for (const chunk of send) plan.stored(chunk, millis(1))
  t.ok(plan.isDone)
  t.match(plan.progress(millis(1)), { bytesDone: 17, bytesKnown: 17, chunksDone: 2, chunksKnown: 2 })
})

t.test('a failed chunk goes again after a wait, others meanwhile', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 3))
  const { send } = plan.step(millis(0), 1)
  t.equal(plan.failed(send[0]!, millis(10)), 1)
  const next = plan.step(millis(10), 1)
  t.same(places(next.send), ['0/1'])
  t.equal(next.wakeAt, 110)
  plan.stored(next.send[0]!, millis(50))
  t.same(places(plan.step(millis(109), 1).send), ['0/2'])
  t.same(places(plan.step(millis(110), 2).send), ['0/0'])
})

t.test('when nothing gets through, one chunk at a time probes, with growing waits; then all goes on', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 20))
  for (const chunk of plan.step(millis(0), 4).send) plan.failed(chunk, millis(0))
  t.ok(plan.isDoubtful)
  const quiet = plan.step(millis(1), 4)
  t.same([quiet.send, quiet.wakeAt], [[], 100])
  // The fourth failure in a row waits 800 ms: the probe does not go before.
  t.same(plan.step(millis(799), 4).send, [])
  const probe = plan.step(millis(800), 4).send
  t.same(places(probe), ['0/0'])
  t.same(plan.step(millis(900), 4).send, [])
  plan.stored(probe[0]!, millis(1000))
  t.notOk(plan.isDoubtful)
  t.same(places(plan.step(millis(1000), 4).send), ['0/1', '0/2', '0/3', '0/4'])
})

t.test('a wait is capped', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 1))
  let now = 0
  for (let attempt = 0; attempt < 12; attempt++) {
    const { send } = plan.step(millis(now), 1)
    t.equal(plan.failed(send[0]!, millis(now)), attempt + 1)
    const { wakeAt } = plan.step(millis(now), 1)
    t.ok(wakeAt !== undefined && wakeAt - now <= 1000)
    now = wakeAt ?? 0
  }
})

t.test('paused, it starts nothing and wakes nobody; resumed, it goes on where it was', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 2))
  const [first] = plan.step(millis(0), 1).send
  plan.pause()
  plan.stored(first!, millis(1))
  t.same(plan.step(millis(1), 5), { send: [], wakeAt: undefined })
  plan.resume()
  t.same(places(plan.step(millis(2), 5).send), ['0/1'])
})

t.test('is done only when all levels are known', async t => {
  const plan = planOf({ levels: 2 })
  plan.addLevel(1, level(1, 1))
  plan.learnMissing(1, Uint8Array.of(0))
  t.notOk(plan.isDone)
  t.notOk(plan.progress(millis(0)).isTotal)
  plan.addLevel(0, level(0, 1))
  t.notOk(plan.isDone)
  plan.learnMissing(0, Uint8Array.of(0))
  t.ok(plan.isDone)
})

t.test('a chunk whose acknowledgement crossed a bitmap counts once', async t => {
  const plan = planOf({ levels: 1 })
  plan.addLevel(0, level(0, 1))
  const { send } = plan.step(millis(0), 1)
  plan.stored(send[0]!, millis(1))
  plan.stored(send[0]!, millis(2))
  t.equal(plan.failed(send[0]!, millis(3)), 0)
  t.match(plan.progress(millis(3)), { chunksDone: 1, bytesDone: 300 * KIB })
  t.ok(plan.isDone)
})

t.test('what this side stopped goes again at once, and is no failure', async t => {
  const plan = planOf()
  plan.addLevel(0, level(0, 1))
  const { send } = plan.step(millis(0), 1)
  plan.stopped(send[0]!)
  t.same(places(plan.step(millis(0), 1).send), ['0/0'])
  t.notOk(plan.isDoubtful)
})

t.test('estimates the rest by what arrived of late', async t => {
  const plan = planOf({ levels: 1 })
  plan.addLevel(0, level(0, 10, 1000))
  t.equal(plan.progress(millis(0)).remaining, undefined)
  for (let turn = 0; turn < 5; turn++) plan.stored(plan.step(millis(turn * 1000), 1).send[0]!, millis(turn * 1000))
  const { bytesPerSecond, remaining } = plan.progress(millis(5000))
  t.equal(bytesPerSecond, 1000)
  t.equal(remaining, 5000)
})

t.test('planning a slide costs in proportion to its chunks', async t => {
  const plan = planOf({ levels: 1 })
  const chunks = 50_000
  plan.addLevel(0, level(0, chunks))
  for (let turn = 0; !plan.isDone; turn++) for (const chunk of plan.step(millis(turn), 64).send) plan.stored(chunk, millis(turn))
  t.ok(plan.looks >= chunks && plan.looks < 3 * chunks, `${plan.looks} entries looked at`)
})
