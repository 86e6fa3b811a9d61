import t from 'tap'
import { chooseLanguage, text } from './i18n.ts'

t.test('takes the first language it knows', async t => {
  t.equal(chooseLanguage(['fr-FR', 'ja-JP', 'en']), 'ja')
  t.equal(chooseLanguage(['en-GB', 'ja']), 'en')
  t.equal(chooseLanguage(['de']), 'en')
  t.equal(chooseLanguage([]), 'en')
})

t.test('puts the number into the text', async t => {
  t.equal(text('en', 'upscaled', '4.0'), 'Upscaled ×4.0')
  t.equal(text('ja', 'stale', 3), '3 秒前の画像（更新停止）')
})
