import type { Language } from '../i18n.ts'

/** The words of holding the stage; `{n}` is a name or a number. */
const en = {
  hold: 'Who steers',
  claim: 'Take the stage',
  release: 'Give it back',
  stop: 'Stop',
  handOver: 'Hand over to…',
  nobody: 'Nobody holds the stage',
  mine: 'You hold the stage',
  theirs: '{n} holds the stage',
  stopped: 'Stopped by {n}',
  takeFirst: 'Take the stage first (G)',
  taken: 'Somebody else holds the stage',
  silent: 'The stage does not answer',
  loop: 'command to picture {n} ms',
} as const

/** A key of these dictionaries. */
export type StageTextKey = keyof typeof en

const ja: Record<StageTextKey, string> = {
  hold: '操作権',
  claim: 'ステージを操作する',
  release: '操作権を返す',
  stop: '停止',
  handOver: '操作権を渡す…',
  nobody: '操作権は空いています',
  mine: 'あなたが操作中',
  theirs: '{n} が操作中',
  stopped: '{n} が停止しました',
  takeFirst: '先に操作権を取得してください（G）',
  taken: '他の参加者が操作中です',
  silent: 'ステージが応答しません',
  loop: '指示から表示まで {n} ms',
}

const DICTIONARIES: Record<Language, Record<StageTextKey, string>> = { ja, en }

/** A text in a language, with its name or number put in. */
export const stageText = (language: Language, key: StageTextKey, n: number | string = ''): string => DICTIONARIES[language][key].replace('{n}', String(n))
