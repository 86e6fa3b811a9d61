import t from 'tap'
import { LANGUAGES, text } from '../i18n.ts'
import { keyLines } from './key-lines.ts'

t.test('tells keys from what they do', async t => {
  t.same(keyLines('+ − zoom · 0 whole field · Shift+F here'), [
    { keys: ['+', '−'], does: 'zoom' },
    { keys: ['0'], does: 'whole field' },
    { keys: ['Shift+F'], does: 'here' },
  ])
})

t.test('every line of help has keys, and the same in every language', async t => {
  const [first, ...others] = LANGUAGES.map(language => keyLines(text(language, 'helpKeys')))
  for (const { keys, does } of first ?? []) t.ok(keys.length > 0 && does !== '', does)
  for (const other of others) t.same(other.map(({ keys }) => keys), first?.map(({ keys }) => keys))
})
