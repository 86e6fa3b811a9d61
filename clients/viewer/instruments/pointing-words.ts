import type { Language } from '../i18n.ts'

/** The words of pointing and drawing; `{n}` is a name. */
const en = {
  tools: 'Draw',
  share: 'Show my pointer to the others (P)',
  point: 'Point',
  arrow: 'Arrow (A)',
  line: 'Line',
  polygon: 'Outline',
  text: 'Text (T)',
  undo: 'Undo (U)',
  write: 'Text, then Enter',
} as const

/** A key of these dictionaries. */
export type PointingTextKey = keyof typeof en

const ja: Record<PointingTextKey, string> = {
  tools: '描画',
  share: '自分のポインターを共有（P）',
  point: '点',
  arrow: '矢印（A）',
  line: '線',
  polygon: '囲み',
  text: '文字（T）',
  undo: '元に戻す（U）',
  write: '文字を入力し Enter で確定',
}

const DICTIONARIES: Record<Language, Record<PointingTextKey, string>> = { ja, en }

/** A text in a language. */
export const pointingText = (language: Language, key: PointingTextKey): string => DICTIONARIES[language][key]
