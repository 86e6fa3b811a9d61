import { t } from 'tap'
import { ReplayWindow } from './replay-window.ts'
import type { ReplayVerdict } from './replay-window.ts'

/** Obviously right, and slow. */
class Model {
  readonly seen = new Set<number>()
  highest = -1
  readonly size: number

  constructor(size: number) {
    this.size = size
  }

  commit(number: number): ReplayVerdict {
    if (number <= this.highest - this.size) return 'stale'
    if (this.seen.has(number)) return 'replayed'
    this.seen.add(number)
    this.highest = Math.max(this.highest, number)
    return 'new'
  }
}

const generator = (seed: number): (() => number) => () => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff

t.test('accepts each number once, in any order inside the window', async t => {
  const window = new ReplayWindow()
  t.equal(window.highest, -1)
  for (const number of [5, 0, 4095, 4, 1]) t.equal(window.commit(number), 'new')
  for (const number of [5, 0, 4095, 4, 1]) {
    t.equal(window.commit(number), 'replayed')
    t.notOk(window.accepts(number))
  }
  t.ok(window.accepts(2))
  t.equal(window.highest, 4095)
})

t.test('refuses what is older than the window, to the number', async t => {
  const window = new ReplayWindow(4096)
  window.commit(10_000)
  t.equal(window.judge(10_000 - 4096), 'stale')
  t.equal(window.judge(10_000 - 4095), 'new')
  t.equal(window.commit(10_000 - 4096), 'stale')
})

t.test('is not moved by judging, so a forged number costs nothing', async t => {
  const window = new ReplayWindow()
  window.commit(1)
  t.ok(window.accepts(2 ** 48 - 1))
  t.equal(window.highest, 1)
  t.equal(window.judge(1), 'replayed')
  t.equal(window.judge(2), 'new')
})

t.test('forgets all it saw when it jumps far ahead, and nothing reappears where the ring wraps', async t => {
  for (const jump of [4096, 8192, 8193, 2 ** 32, 2 ** 32 + 8192, 2 ** 40]) {
    const window = new ReplayWindow()
    for (let number = 0; number < 5000; number++) window.commit(number)
    const target = 4999 + jump
    t.equal(window.commit(target), 'new', `ahead by ${jump}`)
    for (let number = target - 4095; number < target; number++) {
      const isOld = number < 5000
      if (window.judge(number) !== (isOld ? 'replayed' : 'new')) t.fail(`${number} after ${jump}`)
    }
    t.equal(window.judge(target), 'replayed')
  }
})

t.test('works up to the last number of 48 bits', async t => {
  const window = new ReplayWindow()
  const last = 2 ** 48 - 1
  for (let number = last - 5000; number < last; number++) {
    if (window.commit(number) !== 'new') t.fail(String(number))
  }
  t.equal(window.commit(last), 'new')
  t.equal(window.commit(last), 'replayed')
  t.equal(window.judge(last - 4095), 'replayed')
  t.equal(window.judge(last - 4096), 'stale')
})

t.test('refuses what is no packet number', async t => {
  const window = new ReplayWindow()
  for (const number of [-1, 2 ** 48, Number.MAX_SAFE_INTEGER, Infinity, NaN]) {
    t.equal(window.commit(number), 'stale', String(number))
  }
  t.equal(window.highest, -1)
})

t.test('needs a size that makes sense', async t => {
  for (const size of [0, -1, 1.5, 2 ** 21, NaN]) t.throws(() => new ReplayWindow(size), String(size))
})

t.test('agrees with a set, whatever comes in whatever order', async t => {
  let verdicts = 0
  const tally: Record<ReplayVerdict, number> = { new: 0, replayed: 0, stale: 0 }
  for (let seed = 1; seed <= 60; seed++) {
    const random = generator(seed)
    const size = [1, 31, 32, 33, 64, 100, 4096][seed % 7]!
    const window = new ReplayWindow(size)
    const model = new Model(size)
    let head = Math.floor(random() * 2 ** 34)
    for (let i = 0; i < 2000; i++) {
      const kind = random()
      if (kind < 0.6) head += 1 + Math.floor(random() * 3)
      else if (kind < 0.62) head += Math.floor(random() * size * 4)
      else if (kind < 0.621) head += 2 ** 33
      const number = kind < 0.7 ? head : Math.max(0, head - Math.floor(random() * size * 1.3))
      const judged = window.judge(number)
      const committed = window.commit(number)
      const expected = model.commit(number)
      verdicts++
      tally[expected]++
      if (judged !== expected || committed !== expected || window.accepts(number)) {
        t.fail(`seed ${seed}, packet ${i}: number ${number} judged ${judged}, committed ${committed}, expected ${expected}`)
        return
      }
    }
  }
  t.equal(verdicts, 120_000)
  for (const verdict of ['new', 'replayed', 'stale'] as const) t.ok(tally[verdict] > 1000, `${verdict} was tried`)
})
