import { t } from 'tap'
import { bytes, millis } from '../../wire/units.ts'
import { MtuSearch } from './mtu-search.ts'
import type { MtuSearchOptions } from './mtu-search.ts'

const ROUND_TRIP = 40
const generator = (seed: number): (() => number) => () => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff

/** A path that swallows what is too large, without a word. */
class Path {
  readonly search: MtuSearch
  now = 0
  mtu: number
  loss = 0
  probes: number[] = []
  readonly #random: () => number

  constructor(mtu: number, options?: MtuSearchOptions, seed = 1) {
    this.mtu = mtu
    this.search = new MtuSearch(options)
    this.#random = generator(seed)
  }

  /** Runs until the search rests, or the time is over. */
  run(until = Infinity): this {
    for (let steps = 0; steps < 10_000; steps++) {
      const { probe, wakeAt } = this.search.step(millis(this.now))
      if (probe !== undefined) this.probes.push(probe)
      if (probe !== undefined && probe <= this.mtu && this.#random() >= this.loss) {
        this.now += ROUND_TRIP
        this.search.acknowledged(probe, millis(this.now))
        continue
      }
      if (wakeAt === undefined || wakeAt > until || this.search.state === 'search_complete') return this
      if (this.search.state === 'error' && until === Infinity) return this
      this.now = wakeAt
    }
    throw new Error('the search does not end')
  }
}

t.test('needs two probes where Ethernet passes whole', async t => {
  const path = new Path(1500).run()
  t.same(path.probes, [1200, 1500])
  t.same([path.search.mtu, path.search.state], [1500, 'search_complete'])
  t.equal(path.now, 2 * ROUND_TRIP)
})

t.test('finds every MTU from 1200 to 1500 to within its resolution, and common ones exactly', async t => {
  let longest = 0
  let most = 0
  for (let mtu = 1200; mtu <= 1500; mtu++) {
    const path = new Path(mtu).run()
    const found = path.search.mtu
    if (found > mtu || mtu - found >= 16 || path.search.state !== 'search_complete') t.fail(`path of ${mtu}: found ${found}, ${path.search.state}`)
    if ([1280, 1400, 1420, 1432, 1452, 1472, 1492, 1500].includes(mtu)) t.equal(found, mtu)
    longest = Math.max(longest, path.now)
    most = Math.max(most, path.probes.length)
  }
  t.ok(longest <= 25_000, `the longest search took ${longest} ms`)
  t.ok(most <= 32, `and ${most} probes`)
})

t.test('finds a jumbo ceiling and what lies under it', async t => {
  const options = { ceiling: bytes(9000) }
  t.equal(new Path(9000, options).run().search.mtu, 9000)
  for (const mtu of [1500, 4000, 8999]) {
    const { search } = new Path(mtu, options).run()
    t.ok(search.mtu <= mtu && mtu - search.mtu < 16, `${mtu}: ${search.mtu}`)
  }
})

t.test('never goes above what passes, however lossy, and still mostly finds it', async t => {
  let found = 0
  let runs = 0
  for (let seed = 1; seed <= 300; seed++) {
    const path = new Path(1200 + (seed * 7) % 301, undefined, seed)
    path.loss = 0.1
    path.run()
    if (path.search.mtu > path.mtu) t.fail(`seed ${seed}: ${path.search.mtu} on a path of ${path.mtu}`)
    runs++
    if (path.search.state === 'search_complete' && path.mtu - path.search.mtu < 16) found++
  }
  t.ok(found / runs >= 0.97, `${found} of ${runs}`)
})

t.test('tries a lost probe three times, a second apart, before it gives up the size', async t => {
  const search = new MtuSearch()
  t.same(search.step(millis(0)), { probe: 1200, wakeAt: 1000 })
  t.same(search.step(millis(999)), { probe: undefined, wakeAt: 1000 }, 'one probe at a time')
  search.acknowledged(bytes(1200), millis(40))
  t.same(search.step(millis(40)), { probe: 1500, wakeAt: 1040 })
  t.same(search.step(millis(1040)).probe, 1500)
  t.same(search.step(millis(2040)).probe, 1500)
  t.same(search.step(millis(3040)).probe, 1432, 'the middle one')
})

t.test('falls back at once when told of a black hole, and finds the smaller size', async t => {
  const path = new Path(1500).run()
  path.mtu = 1432
  path.search.blackHole(millis(path.now))
  t.same([path.search.mtu, path.search.state], [1200, 'base'])
  path.run()
  t.same([path.search.mtu, path.search.state], [1432, 'search_complete'])
})

t.test('looks again when the raise timer fires, and keeps what it has meanwhile', async t => {
  const path = new Path(1400).run()
  const rested = path.now
  t.same(path.search.step(millis(rested)), { probe: undefined, wakeAt: rested + 600_000 })
  path.mtu = 1500
  path.now = rested + 600_000
  t.equal(path.search.step(millis(path.now)).probe, 1500)
  t.equal(path.search.mtu, 1400)
  path.search.acknowledged(bytes(1500), millis(path.now))
  path.run()
  t.equal(path.search.mtu, 1500)
  t.same(path.search.step(millis(path.now)), { probe: undefined, wakeAt: undefined }, 'nothing larger to find')
})

t.test('says so when not even the base passes, and recovers when it does', async t => {
  const path = new Path(1100).run()
  t.same([path.search.state, path.search.mtu, path.probes], ['error', 1200, [1200, 1200, 1200, 1200]])
  path.run(path.now + 60_000)
  t.equal(path.search.state, 'error')
  t.ok(path.probes.length <= 9, 'it asks seldom')
  path.mtu = 1492
  path.run(path.now + 60_000)
  t.same([path.search.state, path.search.mtu], ['search_complete', 1492])
})

t.test('believes a late acknowledgement, and finishes what is still open', async t => {
  const path = new Path(1420).run()
  t.equal(path.search.mtu, 1420)
  // The probe of 1432 was not lost, but very slow.
  path.mtu = 1460
  path.search.acknowledged(bytes(1432), millis(path.now))
  t.equal(path.search.mtu, 1432)
  path.run()
  t.same([path.search.mtu, path.search.state], [1452, 'search_complete'])
})

t.test('does not believe an acknowledgement of what was never tried', async t => {
  const search = new MtuSearch({ ceiling: bytes(9000) })
  search.acknowledged(bytes(9000), millis(0))
  t.same([search.mtu, search.state], [1200, 'base'])
  search.step(millis(0))
  for (const size of [9000, 1201, 0, -1, NaN, Infinity]) search.acknowledged(bytes(size), millis(1))
  t.same([search.mtu, search.state], [1200, 'base'])
  // What was tried before a black hole says nothing of the path behind it.
  const path = new Path(1500).run()
  path.search.blackHole(millis(path.now))
  path.search.acknowledged(bytes(1500), millis(path.now))
  t.equal(path.search.mtu, 1200)
})

t.test('refuses sizes that make no sense, and waits a second at least', async t => {
  t.throws(() => new MtuSearch({ base: bytes(1600) }))
  t.throws(() => new MtuSearch({ base: bytes(0) }))
  t.throws(() => new MtuSearch({ resolution: bytes(0) }))
  t.equal(new MtuSearch({ probeTimeout: millis(10) }).step(millis(0)).wakeAt, 1000)
})
