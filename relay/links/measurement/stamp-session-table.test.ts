import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { StampSessionTable } from './stamp-session-table.ts'

const LIMITS = { sourcePacketsPerSecond: 100, totalPacketsPerSecond: 10_000, maxSources: 4 }

t.test('counts each session by itself, from 0', async t => {
  const table = new StampSessionTable(LIMITS, 8620)
  const admitted = (['a', 'a', 'b', 'a'] as const).map(address => table.admit(address, 50_000, millis(0)))
  t.same(admitted, [0, 1, 0, 2])
  t.equal(table.admit('a', 50_001, millis(0)), 0)
})

t.test('answers a source no faster than allowed, and the others all the same', async t => {
  const table = new StampSessionTable(LIMITS, 8620)
  let answered = 0
  for (let at = 0; at < 10_000; at++) if (typeof table.admit('flood', 50_000 + (at % 1000), millis(at)) === 'number') answered++
  t.ok(answered >= 1000 && answered <= 1021, `${answered} in 10 s at 100/s, after a burst of 20`)
  t.equal(table.admit('flood', 50_000, millis(9999)), 'rate_limited')
  t.equal(table.admit('other', 50_000, millis(10_000)), 0)
})

t.test('answers all together no faster than allowed', async t => {
  const table = new StampSessionTable({ sourcePacketsPerSecond: 1000, totalPacketsPerSecond: 10, maxSources: 1000 }, 8620)
  const verdicts = Array.from({ length: 100 }, (_, index) => table.admit(`source ${index}`, 50_000, millis(0)))
  t.equal(verdicts.filter(verdict => typeof verdict === 'number').length, 2)
  t.equal(verdicts.at(-1), 'overloaded')
})

t.test('refuses newcomers when full, and keeps counting for those it knows', async t => {
  const table = new StampSessionTable(LIMITS, 8620)
  table.admit('known', 50_000, millis(0))
  for (let flood = 0; flood < 100_000; flood++) table.admit(`invented ${flood}`, 50_000, millis(flood / 100))
  t.equal(table.sources, 4)
  t.equal(table.admit('known', 50_000, millis(1000)), 1)
  t.equal(table.admit('new', 50_000, millis(1000)), 'overloaded')
  t.equal(table.admit('new', 50_000, millis(62_000)), 0, 'until one was silent for a minute')
  t.equal(table.sources, 4)
})

t.test('forgets the longest unused port of a source that opens too many', async t => {
  const table = new StampSessionTable({ ...LIMITS, sourcePacketsPerSecond: 1000 }, 8620)
  for (let port = 50_000; port < 50_016; port++) table.admit('a', port, millis(0))
  t.equal(table.admit('a', 50_000, millis(0)), 1)
  t.equal(table.admit('a', 50_016, millis(0)), 0)
  t.equal(table.admit('a', 50_000, millis(0)), 2, 'in use')
  t.equal(table.admit('a', 50_001, millis(0)), 0, 'forgotten')
})

t.test('answers no port on which a server might answer back', async t => {
  const table = new StampSessionTable(LIMITS, 8620)
  for (const port of [0, 7, 53, 123, 862, 8620]) t.equal(table.admit('a', port, millis(0)), 'unsafe_port', String(port))
})

t.test('is not fooled by a clock that goes back', async t => {
  const table = new StampSessionTable({ ...LIMITS, sourcePacketsPerSecond: 5 }, 8620)
  t.equal(table.admit('a', 50_000, millis(10_000)), 0)
  t.equal(table.admit('a', 50_000, millis(0)), 'rate_limited')
  t.equal(table.admit('a', 50_000, millis(200)), 1)
})
