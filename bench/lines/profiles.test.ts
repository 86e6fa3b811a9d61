import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { LINE_PROFILES, narrowUplink, parseLineProfile, symmetricLine } from './profiles.ts'

t.test('has the lines it promises, each of which says that it is assumed', async t => {
  t.same(Object.keys(LINE_PROFILES), ['lan', 'sinet', 'fibre-best-effort', 'evening-best-effort', 'lte', 'satellite'])
  t.same(Object.values(LINE_PROFILES).filter(({ note }) => !note.startsWith('Assumed: ')), [])
})

t.test('makes simple lines', async t => {
  t.match(symmetricLine({ roundTripMillis: 40, rateBitsPerSecond: 1e7, lossRatio: 0.01 }), {
    up: { delayMillis: 20, rateBitsPerSecond: 1e7, loss: { ratio: 0.01 } },
    down: { delayMillis: 20, rateBitsPerSecond: 1e7, loss: { ratio: 0.01 } },
  })
  const narrow = narrowUplink({ upBitsPerSecond: 5e6 })
  t.equal(narrow.up.rateBitsPerSecond, 5e6)
  t.equal(narrow.down.rateBitsPerSecond, undefined)
})

t.test('reads a line by name, as JSON, and from a file', async t => {
  t.equal(parseLineProfile('lte').name, 'lte')
  const custom = { name: 'ours', note: 'as the contract has it', up: { rateBitsPerSecond: 2e6 }, down: {} }
  t.match(parseLineProfile(JSON.stringify(custom)), { name: 'ours', up: { delayMillis: 0, queue: { millis: 100 } } })
  const file = join(t.testdir(), 'ours.json')
  writeFileSync(file, JSON.stringify(custom))
  t.equal(parseLineProfile(file).up.rateBitsPerSecond, 2e6)
})

t.test('refuses what is no line', async t => {
  const bad = ['5g', '{', '{}', '/nowhere.json', '{"name":"a","note":"","up":{"loss":{"model":"uniform","ratio":2}},"down":{}}', '{"name":"a","note":"","up":{"rate":1},"down":{}}']
  for (const text of bad) t.throws(() => parseLineProfile(text), { code: 'bad_config' }, text)
})
