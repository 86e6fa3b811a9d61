import type { Language } from '../../relay/runtime/terminal-language.ts'

/** Words of `kenkyo scan`. English is the reference: Japanese has exactly its keys. Names in braces are put in. */
const en = {
  waiting: 'waiting for its file or its turn',
  preparing: 'preparing',
  sending: 'sending',
  done: 'arrived',
  failed: 'failed',
  started: 'Slide {id}: started',
  finished: 'Slide {id}: arrived whole',
  notSent: 'Slide {id}: not sent ({code})',
  retrying: 'Slide {id}: {code}, trying again …',
  paused: 'Paused; kenkyo scan resume goes on',
  hours: 'Outside of the hours for sending; waiting',
  goesOn: 'Going on',
  progress: 'Slide {id}: {stage} {percent} %, {rate}, {remaining}',
  progressMaking: 'Slide {id}: making levels {percent} %',
  progressPreparing: 'Slide {id}: preparing {percent} %',
  left: '{n} left',
  leftUnknown: 'time left not known yet',
  queued: 'Another kenkyo scan works on this queue and will take them.',
  noLink: 'No link to the node: sending by HTTPS.',
  empty: 'The queue is empty.',
  isPaused: 'The queue is paused.',
  exporting: 'Slide {id}: fetching {percent} %, {rate}, {remaining}',
  exported: 'Slide {id}: {tiles} tiles written, each proven by the key {key}',
} as const

/** A word of the command. */
export type ScanWord = keyof typeof en

const ja: Record<ScanWord, string> = {
  waiting: 'ファイルの完成または順番を待っています',
  preparing: '準備中',
  sending: '送信中',
  done: '到着済み',
  failed: '失敗',
  started: 'スライド {id}: 開始しました',
  finished: 'スライド {id}: すべて届きました',
  notSent: 'スライド {id}: 送信できませんでした ({code})',
  retrying: 'スライド {id}: {code}、再試行します…',
  paused: '一時停止中です。kenkyo scan resume で再開します',
  hours: '送信時間外です。待機します',
  goesOn: '再開します',
  progress: 'スライド {id}: {stage} {percent} %、{rate}、{remaining}',
  progressMaking: 'スライド {id}: 縮小画像を作成中 {percent} %',
  progressPreparing: 'スライド {id}: 準備中 {percent} %',
  left: '残り {n}',
  leftUnknown: '残り時間は未定',
  queued: '別の kenkyo scan がこの待ち行列を処理しており、続けて送信します。',
  noLink: 'ノードへのリンクがありません。HTTPS で送信します。',
  empty: '待ち行列は空です。',
  isPaused: '待ち行列は一時停止中です。',
  exporting: 'スライド {id}: 取得中 {percent} %、{rate}、{remaining}',
  exported: 'スライド {id}: {tiles} タイルを書き出しました。すべて鍵 {key} で証明されています',
}

const DICTIONARIES: Readonly<Record<Language, Record<ScanWord, string>>> = { en, ja }

/** Words of one language. */
export type SayScan = (word: ScanWord, put?: Readonly<Record<string, string | number>>) => string

/** @returns What says a word in `language`, with what stands in braces put in. */
export function scanSpeaker(language: Language): SayScan {
  return (word, put = {}) => DICTIONARIES[language][word].replaceAll(/\{(\w+)\}/g, (braces, name: string) => String(put[name] ?? braces))
}
