import type { AccessAction, EmergencyReason, Purpose } from '../../../relay/wire/access.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { Language } from '../i18n.ts'

/** The words of access; `{n}` is a time. */
const en = {
  // What it is for.
  purposeQuestion: 'What do you open this for?',
  purposeNote: 'Your answer is recorded, and decides what you may do here.',
  intraoperative_diagnosis: 'Diagnosis during an operation',
  consultation: 'Consultation',
  teaching: 'Teaching',
  operation: 'Running the platform',
  // Emergency.
  emergency: 'Emergency access…',
  emergencyTitle: 'Emergency access without consent',
  emergencyWarning: 'You will see this patient’s images although no consent for it is there. That you did, when, and why is recorded under your name and reviewed. It ends after an hour at the latest. A consent that was withdrawn stays withdrawn.',
  emergencyWhy: 'Why it cannot wait',
  frozen_section: 'A frozen section: the operation waits for the diagnosis',
  danger_to_life: 'The patient’s life is in danger',
  cannot_consent: 'The patient cannot consent, and nobody else can in time',
  emergencyYes: 'Break the glass',
  emergencyAsking: 'Asking…',
  cancel: 'Cancel',
  emergencyOn: 'EMERGENCY ACCESS without consent, recorded under your name, until {n}',
  emergencyRefused: 'Emergency access was refused: {n}',
  // What changed.
  coreLost: 'The platform cannot be reached: running access lasts until {n}, no new access',
  coreLostNone: 'The platform cannot be reached: no new access is given. Trying again',
  lessThanBefore: 'Less is allowed than before: {n}',
  dismiss: 'Read',
  again: 'Try again',
  // One's own access.
  own: 'Your access',
  validUntil: 'until {n}, renewed by itself',
  withdrawn: 'the patient has withdrawn a consent',
  notConsented: 'the patient has not consented to it',
  revoked: 'access was revoked',
  refused: 'the platform’s policy',
  publish_live: 'send live images',
  view_live: 'watch live',
  speak: 'speak',
  point: 'point',
  steer_stage: 'steer the stage',
  keep_still: 'keep stills',
  record: 'record',
  view_recording: 'watch recordings',
  send_slide: 'send slides',
  view_slide: 'read slides',
  annotate: 'annotate',
  export_slide: 'export slides',
  use_service: 'use services',
  administer: 'administer',
} as const satisfies Record<AccessAction | EmergencyReason | Purpose, string> & Record<string, string>

/** A key of these dictionaries. */
export type AccessTextKey = keyof typeof en

const ja: Record<AccessTextKey, string> = {
  purposeQuestion: '利用目的を選んでください',
  purposeNote: '選んだ目的は記録され、ここで許可される操作が決まります。',
  intraoperative_diagnosis: '術中迅速診断',
  consultation: 'コンサルテーション',
  teaching: '教育',
  operation: 'プラットフォームの運用',
  emergency: '緊急アクセス…',
  emergencyTitle: '同意なしの緊急アクセス',
  emergencyWarning: 'この患者さんの同意がないまま画像を閲覧することになります。閲覧の事実・日時・理由はあなたの名前で記録され、後で審査されます。長くても 1 時間で終了します。撤回された同意は撤回されたままです。',
  emergencyWhy: '待てない理由',
  frozen_section: '術中迅速診断：手術が診断を待っている',
  danger_to_life: '患者さんの生命に危険がある',
  cannot_consent: '患者さんが同意できず、代わりの人も間に合わない',
  emergencyYes: '緊急アクセスを実行',
  emergencyAsking: '問い合わせ中…',
  cancel: '取消',
  emergencyOn: '同意なしの緊急アクセス中：あなたの名前で記録されています（{n} まで）',
  emergencyRefused: '緊急アクセスは拒否されました：{n}',
  coreLost: 'プラットフォームに接続できません：現在のアクセスは {n} まで有効、新しいアクセスは許可されません',
  coreLostNone: 'プラットフォームに接続できません：新しいアクセスは許可されません。再試行中です',
  lessThanBefore: '許可される操作が減りました：{n}',
  dismiss: '確認',
  again: '再試行',
  own: '自分のアクセス権',
  validUntil: '{n} まで（自動更新）',
  withdrawn: '患者さんが同意を撤回しました',
  notConsented: '患者さんの同意がありません',
  revoked: 'アクセス権が取り消されました',
  refused: 'プラットフォームの規程',
  publish_live: 'ライブ送信',
  view_live: 'ライブ閲覧',
  speak: '発言',
  point: 'ポインター',
  steer_stage: 'ステージ操作',
  keep_still: '静止画の保存',
  record: '録画',
  view_recording: '録画の閲覧',
  send_slide: 'スライド送信',
  view_slide: 'スライド閲覧',
  annotate: '注釈',
  export_slide: 'スライド書き出し',
  use_service: 'サービス利用',
  administer: '管理',
}

const DICTIONARIES: Record<Language, Record<AccessTextKey, string>> = { en, ja }

const REASONS: Partial<Record<FaultCode, AccessTextKey>> = { consent_withdrawn: 'withdrawn', consent_required: 'notConsented', access_revoked: 'revoked', policy_refused: 'refused' }

/** A text in a language, with its time put in. */
export const accessText = (language: Language, key: AccessTextKey, n = ''): string => DICTIONARIES[language][key].replace('{n}', n)

/** Why something is not allowed; the code itself where there are no words for it. */
export function accessReason(language: Language, code: FaultCode): string {
  const key = REASONS[code]
  return key === undefined ? code : accessText(language, key)
}

/** Hours and minutes on the reader's clock. @param epochMillis - Milliseconds since the epoch. */
export const formatUntil = (language: Language, epochMillis: number): string => new Date(epochMillis).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' })
