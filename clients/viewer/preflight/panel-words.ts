import type { Language } from '../i18n.ts'

const en = {
  title: 'Check before the case',
  close: 'Close',
  start: 'Start',
  explanation: 'Takes about 40 seconds and loads the line for 20 of them. The browser may ask for the microphone: allow it, and say something.',
  devices: 'Listening to the microphone and trying the decoders …',
  ways: 'Looking for ways to the node …',
  loss: 'Counting lost packets …',
  load: 'Loading the line as a full view does …',
  stage: 'Asking the stage …',
  outcome: 'Outcome',
  failed: 'The check did not end, or was not kept',
} as const

/** A word of the panel. */
export type PreflightWord = keyof typeof en

const ja: Record<PreflightWord, string> = {
  title: '開始前チェック',
  close: '閉じる',
  start: '開始',
  explanation: '約 40 秒かかり、そのうち 20 秒は回線に負荷をかけます。ブラウザーがマイクの許可を求めたら許可し、声を出してください。',
  devices: 'マイクとデコーダーを確認中…',
  ways: 'ノードへの経路を確認中…',
  loss: 'パケット損失を測定中…',
  load: '全視野相当の負荷をかけています…',
  stage: 'ステージに問い合わせ中…',
  outcome: '結果',
  failed: 'チェックが完了しないか、保存されませんでした',
}

/** A text of the panel in a language. */
export const preflightText = (language: Language, word: PreflightWord): string => (language === 'ja' ? ja : en)[word]
