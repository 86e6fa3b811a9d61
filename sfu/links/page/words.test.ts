import { t } from 'tap'
import { chooseLanguage } from './words.ts'

t.test("the language is what was asked for, else the reader's, else English", async t => {
  for (const [asked, header, language] of [
    ['ja', 'en', 'ja'], ['fr', 'ja', 'ja'], [undefined, 'ja-JP,ja;q=0.9,en;q=0.8', 'ja'], [undefined, 'en-GB;q=0.9, ja;q=0.95', 'ja'],
    [undefined, 'de, en;q=0.5, ja;q=0.1', 'en'], [undefined, 'ja;q=0', 'en'], [undefined, undefined, 'en'], [undefined, ';;,q=,-', 'en'],
  ] as const) t.equal(chooseLanguage(asked, header), language, `${asked} ${header}`)
})
