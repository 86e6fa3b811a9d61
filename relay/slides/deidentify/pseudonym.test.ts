import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { SlideStructure } from '../../wire/slide.ts'
import { caseNumberOf, notePseudonym, openPseudonymKey, pseudonymOf } from './pseudonym.ts'
import type { PseudonymKey } from './pseudonym.ts'

const key = Buffer.alloc(32, 7) as PseudonymKey

t.test('is the same for one case and key, and another for another case or key', async t => {
  const pseudonym = pseudonymOf('S24-00123', key)
  t.match(pseudonym, /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$/)
  t.ok(SlideStructure.shape.pseudonym.safeParse(pseudonym).success)
  t.equal(pseudonymOf(' ｓ２４－００１２３ ', key), pseudonym, 'full width is the same case')
  t.not(pseudonymOf('S24-00124', key), pseudonym)
  t.not(pseudonymOf('S24-00123', Buffer.alloc(32, 8) as PseudonymKey), pseudonym)
  t.throws(() => pseudonymOf(' ', key), { code: 'bad_config' })
})

t.test('spreads over 60 bits', async t => {
  const seen = new Set(Array.from({ length: 5000 }, (_, index) => pseudonymOf(`S${index}`, key)))
  t.equal(seen.size, 5000)
  for (let place = 0; place < 14; place++) if (place !== 4 && place !== 9) t.equal(new Set([...seen].map(text => text[place])).size, 32)
})

t.test('a file is named for its case', async t => {
  t.equal(caseNumberOf('/slides/S24-00123.svs'), 'S24-00123')
  t.equal(caseNumberOf('C:\\slides\\S24.1.ome.tif'), 'S24.1.ome')
})

t.test('makes a key once, for its owner only, and refuses another file', async t => {
  const path = join(t.testdir(), 'key')
  const made = await openPseudonymKey(path)
  t.equal(made.length, 32)
  t.equal((await stat(path)).mode & 0o777, 0o600)
  t.same(await openPseudonymKey(path), made)
  await writeFile(path, 'short')
  await t.rejects(openPseudonymKey(path), { code: 'bad_config' })
})

t.test('notes a case once', async t => {
  const path = join(t.testdir(), 'cases')
  for (let time = 0; time < 2; time++) await notePseudonym(path, { pseudonym: 'AAAA-BBBB-CCCC', caseNumber: 'S24-00123' })
  t.equal(await readFile(path, 'utf8'), '{"pseudonym":"AAAA-BBBB-CCCC","caseNumber":"S24-00123"}\n')
  t.equal((await stat(path)).mode & 0o777, 0o600)
})
