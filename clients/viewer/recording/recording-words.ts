import type { Language } from '../i18n.ts'

/** The words of recordings; `{n}` is a number, a name or a time. */
const en = {
  rec: 'REC',
  recordedBy: 'recorded by {n}',
  since: 'since {n}',
  recordings: 'Recordings',
  start: 'Record this consultation',
  confirmStart: 'Everything that flows is kept on the node, and everybody is told. Record?',
  yes: 'Record',
  no: 'Cancel',
  stop: 'End the recording',
  confirmStop: 'End the recording for everybody?',
  yesStop: 'End it',
  failed: 'The recording ended by itself ({n}). What was recorded until then can be watched.',
  none: 'No recordings',
  on: 'being recorded',
  cut: 'cut off',
  gaps: '{n} s without image',
  watch: 'Watch',
  remove: 'Delete',
  confirmRemove: 'Delete this recording for everybody?',
  replayOf: 'Recording of {n}',
  paused: 'paused',
  ended: 'at its end',
  notRecorded: 'More detail than this was not recorded here',
  play: 'Play',
  pause: 'Pause',
  seek: 'Position in the recording',
  speed: 'Speed',
  live: 'Back to the live image',
  fault: 'The node said: {n}',
  close: 'Close',
} as const

/** A key of the dictionaries. */
export type RecordingTextKey = keyof typeof en

const ja: Record<RecordingTextKey, string> = {
  rec: '録画中',
  recordedBy: '{n} が録画',
  since: '{n} から',
  recordings: '録画',
  start: 'この診察を録画する',
  confirmStart: '送られている映像をすべてノードに保存し、全員に通知します。録画しますか？',
  yes: '録画する',
  no: '取消',
  stop: '録画を終了する',
  confirmStop: '全員の録画を終了しますか？',
  yesStop: '終了する',
  failed: '録画が中断されました（{n}）。それまでの録画は再生できます。',
  none: '録画はありません',
  on: '録画中',
  cut: '中断',
  gaps: '映像なし {n} 秒',
  watch: '再生',
  remove: '削除',
  confirmRemove: 'この録画を全員について削除しますか？',
  replayOf: '録画（{n}）',
  paused: '一時停止',
  ended: '終端',
  notRecorded: 'ここではこれ以上の細部は録画されていません',
  play: '再生',
  pause: '一時停止',
  seek: '録画内の位置',
  speed: '速度',
  live: 'ライブ画像に戻る',
  fault: 'ノードの応答：{n}',
  close: '閉じる',
}

const DICTIONARIES: Record<Language, Record<RecordingTextKey, string>> = { ja, en }

/** A text in a language, with its number, name or time put in. */
export const recordingText = (language: Language, key: RecordingTextKey, n: number | string = ''): string => DICTIONARIES[language][key].replace('{n}', String(n))

/** Minutes and seconds, with hours where there are any. */
export function formatDuration(durationMillis: number): string {
  const seconds = Math.floor(durationMillis / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const two = (value: number): string => String(value).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** A time of day. */
export const formatTime = (language: Language, atMillis: number): string => new Date(atMillis).toLocaleTimeString(language)

/** A date and a time of day. */
export const formatDate = (language: Language, atMillis: number): string => new Date(atMillis).toLocaleString(language)
