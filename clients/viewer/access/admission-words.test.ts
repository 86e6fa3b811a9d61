import { t } from 'tap'
import { AdmissionShortage } from '../../../relay/wire/admission.ts'
import { admissionWords } from './admission-words.ts'

t.test('says in both languages which line lacks how much, and what would fit', async t => {
  const shortage = AdmissionShortage.parse({ link: 'sinet-1', shortageBitsPerSecond: 12_340_000, offers: [{ kind: 'fewer_levels', levels: [{ level: 'overview', bitsPerSecond: 6e6 }] }, { kind: 'other_link', link: 'spare' }, { kind: 'later', atMillis: 1_800_000_000_000 }] })
  for (const language of ['en', 'ja'] as const) {
    const words = admissionWords(language, shortage)
    t.match(words, /sinet-1/)
    t.match(words, /12\.3 Mbit\/s/)
    t.match(words, /6\.0 Mbit\/s/)
    t.match(words, /spare/)
    t.match(words, /\d{1,2}:\d{2}/)
    t.notMatch(words, /[{}]/)
  }
})
