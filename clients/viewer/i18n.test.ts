import t from 'tap'
import { chooseLanguage, spokenText, text } from './i18n.ts'

t.test('takes the first language it knows', async t => {
  t.equal(chooseLanguage(['fr-FR', 'ja-JP', 'en']), 'ja')
  t.equal(chooseLanguage(['en-GB', 'ja']), 'en')
  t.equal(chooseLanguage(['de']), 'en')
  t.equal(chooseLanguage([]), 'en')
})

t.test('puts the number into the text', async t => {
  t.equal(text('en', 'upscaled', '4.0'), 'Upscaled ×4.0')
  t.equal(text('ja', 'stale', 3), '更新停止（3 秒前の画像）')
})

t.test('is read aloud without numbers that tick', async t => {
  t.equal(spokenText('en', 'stale'), 'Stale')
  t.equal(spokenText('en', 'upscaled'), 'Upscaled')
  t.equal(spokenText('en', 'slow'), 'Source slow')
  t.equal(spokenText('en', 'native'), 'Native pixels 1:1')
  t.equal(spokenText('en', 'withheldMiddleUplink'), 'The microscope’s line is too narrow: half resolution at the rim')
  t.equal(spokenText('ja', 'withheldOverviewDownlink'), '閲覧側の回線が不足：周辺は概観のみ')
  t.equal(spokenText('en', 'nativeAtPointer'), 'Native pixels 1:1 at the pointer, elsewhere upscaled')
  t.equal(spokenText('ja', 'nativeAtCentre'), '中央は等倍 1:1、その他は拡大')
  t.equal(spokenText('ja', 'stale'), '更新停止')
  t.equal(spokenText('ja', 'slow'), '映像元が低速')
})
