import { t } from 'tap'
import { FAULT_CODES } from '../../../relay/wire/fault.ts'
import { LANGUAGES } from '../i18n.ts'
import { accessReason, accessText, formatUntil } from './access-words.ts'

t.test('says until when running access lasts', async t => {
  const at = new Date(2026, 10, 24, 9, 5).getTime()
  t.equal(accessText('ja', 'coreLost', formatUntil('ja', at)), 'プラットフォームに接続できません：現在のアクセスは 09:05 まで有効、新しいアクセスは許可されません')
  t.match(accessText('en', 'coreLost', formatUntil('en', at)), /running access lasts until 09:05 AM, no new access/)
})

t.test('has a reason for every refusal, in both languages', async t => {
  for (const code of FAULT_CODES) for (const language of LANGUAGES) t.not(accessReason(language, code), '')
  t.not(accessReason('ja', 'consent_withdrawn'), accessReason('en', 'consent_withdrawn'))
})
