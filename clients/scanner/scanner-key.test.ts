import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { loadScannerKey } from './scanner-key.ts'

t.test('all who read it get the same key, which only its owner may read', async t => {
  const directory = join(t.testdir(), 'state')
  const keys = await Promise.all([loadScannerKey(directory), loadScannerKey(directory), loadScannerKey(directory)])
  t.equal(new Set(keys.map(({ publicKey }) => publicKey.x)).size, 1)
  t.same(readdirSync(directory), ['scanner-key.json'])
  t.equal(statSync(join(directory, 'scanner-key.json')).mode & 0o777, 0o600)
  t.notOk(JSON.stringify(keys[0].publicKey).includes((JSON.parse(readFileSync(join(directory, 'scanner-key.json'), 'utf8')) as { d: string }).d))
})

t.test('a file that is no key is a mistake of configuration', async t => {
  const directory = t.testdir()
  writeFileSync(join(directory, 'scanner-key.json'), '{"kty":"oct"}')
  await t.rejects(loadScannerKey(directory), { code: 'bad_config' })
  writeFileSync(join(directory, 'scanner-key.json'), 'x')
  await t.rejects(loadScannerKey(directory), { code: 'bad_config' })
})
