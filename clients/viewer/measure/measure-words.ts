import type { Language } from '../i18n.ts'

const en = {
  measure: 'Measure',
  distance: 'Distance',
  path: 'Line',
  area: 'Area',
  undo: 'Undo',
  clear: 'Clear',
  distanceHint: 'Set two points. Enter sets one at the cross in the middle; Escape ends.',
  pathHint: 'Set points; the last one twice. Enter sets one at the cross in the middle; Escape ends.',
  areaHint: 'Set the corners; the last one twice. Enter sets one at the cross in the middle; Escape ends.',
  inPixels: 'The microscope tells no calibration: measured in pixels.',
  results: 'Measurements',
  scale: 'Scale',
  noScale: 'No scale: not calibrated',
  noImage: 'No image yet',
} as const

/** A key of these dictionaries. */
export type MeasureTextKey = keyof typeof en

const ja: Record<MeasureTextKey, string> = {
  measure: '計測',
  distance: '距離',
  path: '折れ線',
  area: '面積',
  undo: '元に戻す',
  clear: '消去',
  distanceHint: '2 点を指定します。Enter で中央の十字に点を置き、Escape で終了します。',
  pathHint: '点を順に指定し、最後の点を 2 回。Enter で中央の十字に点を置き、Escape で終了します。',
  areaHint: '頂点を順に指定し、最後の点を 2 回。Enter で中央の十字に点を置き、Escape で終了します。',
  inPixels: '顕微鏡に校正値がないため、画素単位で計測します。',
  results: '計測結果',
  scale: '縮尺',
  noScale: '縮尺不明（校正値なし）',
  noImage: '画像なし',
}

const DICTIONARIES: Record<Language, Record<MeasureTextKey, string>> = { en, ja }

/** A text in a language. */
export const measureText = (language: Language, key: MeasureTextKey): string => DICTIONARIES[language][key]
