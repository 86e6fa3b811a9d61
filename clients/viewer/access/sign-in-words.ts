import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { PracticeRole } from '../../../relay/wire/access.ts'
import type { Language } from '../i18n.ts'

/** The words of signing in. */
const en = {
  title: 'Sign in',
  why: 'This node belongs to a platform and has to know who you are. That you sign in is recorded.',
  demonstration: 'Demonstration sign-in: a ticket alone suffices, and nobody’s identity is proven.',
  signedInForDemonstration: 'Demonstration sign-in: {n}',
  byPasskey: 'With a passkey',
  byCard: 'With your card (HPKI)',
  ticket: 'Ticket',
  ticketNote: 'From the node’s operator. It makes one passkey, on this machine or on your telephone.',
  byNewPasskey: 'Make a passkey with the ticket',
  byTicket: 'Sign in with the ticket (demonstration)',
  busy: 'Waiting…',
  cancel: 'Cancel',
  nothing: 'This node offers no way to sign in that this browser can use. Ask its operator.',
  signedInAs: 'Signed in',
  signOut: 'Sign out',
  // Why it failed.
  gaveUp: 'It was cancelled, or this machine has no passkey for this node.',
  ticketUsed: 'This ticket was used, or this answer was. Ask the operator for a new ticket.',
  refused: 'That is not known at this node, or it has run out. Ask the operator for a ticket.',
  certificate: 'The card is not accepted here: unknown, expired, revoked, or no card was chosen.',
  revoked: 'You are not, or not any more, among those who belong to the platform.',
  known: 'There is a passkey of yours already: sign in with it.',
  tooOften: 'Too many tries. Wait a few seconds.',
  unreachable: 'The node, the card or the passkey cannot be reached from here.',
  otherwise: 'It did not succeed.',
  // Roles.
  pathologist: 'Pathologist',
  technician: 'Technician',
  referring_physician: 'Referring physician',
  trainee: 'Trainee',
  operator: 'Operator',
  service: 'Service',
} as const satisfies Record<PracticeRole, string> & Record<string, string>

/** A key of these dictionaries. */
export type SignInTextKey = keyof typeof en

const ja: Record<SignInTextKey, string> = {
  title: 'サインイン',
  why: 'このノードはプラットフォームに属しており、利用者の確認が必要です。サインインは記録されます。',
  demonstration: 'デモ用サインイン：チケットだけで入れます。本人確認は行われません。',
  signedInForDemonstration: 'デモ用サインイン：{n}',
  byPasskey: 'パスキーでサインイン',
  byCard: 'カードでサインイン（HPKI）',
  ticket: 'チケット',
  ticketNote: 'ノードの運用者から受け取ります。この端末またはスマートフォンにパスキーを 1 つ作成できます。',
  byNewPasskey: 'チケットでパスキーを作成',
  byTicket: 'チケットでサインイン（デモ用）',
  busy: '待機中…',
  cancel: '取消',
  nothing: 'このブラウザーで使えるサインイン方法がありません。ノードの運用者にお問い合わせください。',
  signedInAs: 'サインイン中',
  signOut: 'サインアウト',
  gaveUp: '取り消されたか、この端末にこのノードのパスキーがありません。',
  ticketUsed: 'このチケットまたは応答は使用済みです。運用者に新しいチケットを依頼してください。',
  refused: 'このノードに登録がないか、有効期限が切れています。運用者にチケットを依頼してください。',
  certificate: 'カードを受け付けられません：未登録・期限切れ・失効、またはカードが選択されていません。',
  revoked: 'プラットフォームの利用者として登録されていないか、登録が停止されています。',
  known: 'すでにパスキーがあります。それでサインインしてください。',
  tooOften: '試行回数が多すぎます。数秒お待ちください。',
  unreachable: 'ノード・カード・パスキーに接続できません。',
  otherwise: 'サインインできませんでした。',
  pathologist: '病理医',
  technician: '技師',
  referring_physician: '依頼医',
  trainee: '研修者',
  operator: '運用者',
  service: 'サービス',
}

const DICTIONARIES = { en, ja } as const

const REASONS: Partial<Record<FaultCode, SignInTextKey>> = {
  sign_in_required: 'gaveUp',
  replayed: 'ticketUsed',
  token_refused: 'refused',
  certificate_refused: 'certificate',
  access_revoked: 'revoked',
  conflict: 'known',
  rate_limited: 'tooOften',
  unavailable: 'unreachable',
}

/** A text in a language, with its name put in. */
export const signInText = (language: Language, key: SignInTextKey, n = ''): string => DICTIONARIES[language][key].replace('{n}', () => n)

/** Why it failed. */
export const signInReason = (language: Language, code: FaultCode): string => signInText(language, REASONS[code] ?? 'otherwise')
