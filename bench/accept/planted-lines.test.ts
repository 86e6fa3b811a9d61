import t from 'tap'
import { PLANTED_LINES } from './planted-lines.ts'

t.test('there are at least twelve planted lines, no two of one name', async t => {
  t.ok(PLANTED_LINES.length >= 12)
  t.equal(new Set(PLANTED_LINES.map(({ profile }) => profile.name)).size, PLANTED_LINES.length)
})

t.test('one line fails by bursts alone: the same loss by itself does not', async t => {
  const lineOf = (name: string): (typeof PLANTED_LINES)[number] | undefined => PLANTED_LINES.find(({ profile }) => profile.name === name)
  t.equal(lineOf('burst-loss')?.expected.pyramid, 'no-go')
  t.equal(lineOf('scattered-loss')?.expected.pyramid, 'go')
  t.equal(lineOf('burst-loss')?.profile.up.delayMillis, lineOf('scattered-loss')?.profile.up.delayMillis)
})

t.test('one line fails under load alone, and some in one direction alone', async t => {
  const loaded = PLANTED_LINES.find(({ profile }) => profile.name === 'bufferbloat')
  t.same(loaded?.profile.up.loss, { model: 'uniform', ratio: 0 })
  t.equal(loaded?.expected.overview, 'go')
  t.same(new Set(PLANTED_LINES.flatMap(({ failsOnly }) => failsOnly ?? [])), new Set(['out', 'in']))
})
