import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { Language } from '../i18n.ts'

/** The words of stills; `{n}` is a number or a code. */
const en = {
  stills: 'Stills',
  still: 'Still',
  wanted: 'Keeping this frame…',
  arriving: 'This frame is on its way to the node…',
  exact: 'Exact: the source’s own pixels',
  decoded: 'Decoded: as it was sent, not as the source had it',
  kept: 'Kept',
  notKept: 'Not kept',
  notFetched: 'Kept, but it cannot be fetched',
  missing: '{n} tiles were not there',
  gone: 'that frame is no longer at the source',
  tooSoon: 'that frame is yet to come',
  tooMany: 'too many at once, try again shortly',
  noRoom: 'the node has no room left',
  away: 'the microscope or the node is away',
  noSource: 'this microscope hands over no frames',
  noFrame: 'no frame is shown',
  late: 'it did not come in time',
  unreachable: 'the node cannot be reached',
  coded: 'the node’s answer: {n}',
  atNative: '1:1',
  fitted: 'Whole frame',
  savePng: 'PNG',
  savePlanes: 'Planes',
  saveSidecar: 'Sidecar',
  close: 'Back to the live image',
  dismiss: 'Dismiss',
  loading: 'Loading',
} as const
export type StillTextKey = keyof typeof en

const ja: Record<StillTextKey, string> = {
  stills: '静止画',
  still: '静止画',
  wanted: 'この画像を保存しています…',
  arriving: 'この画像をノードへ送信中…',
  exact: '原画像：映像元の画素そのもの',
  decoded: '復号画像：映像元の画素ではなく配信された映像',
  kept: '保存しました',
  notKept: '保存できません',
  notFetched: '保存済みですが取得できません',
  missing: '{n} 区画は受信がなく欠落',
  gone: 'この画像は映像元に残っていません',
  tooSoon: 'まだ撮影されていない画像です',
  tooMany: '要求が多すぎます。少し待ってください',
  noRoom: 'ノードの保存領域が不足しています',
  away: '顕微鏡またはノードが未接続です',
  noSource: 'この顕微鏡は静止画を提供できません',
  noFrame: '画像が表示されていません',
  late: '時間内に届きませんでした',
  unreachable: 'ノードに接続できません',
  coded: 'ノードの応答：{n}',
  atNative: '等倍',
  fitted: '全体',
  savePng: 'PNG',
  savePlanes: '画素データ',
  saveSidecar: '付帯情報',
  close: 'ライブ画像に戻る',
  dismiss: '閉じる',
  loading: '読み込み中',
}

const DICTIONARIES: Record<Language, Record<StillTextKey, string>> = { ja, en }

/** A text in a language, with its number or code put in. */
export const stillText = (language: Language, key: StillTextKey, n: number | string = ''): string => DICTIONARIES[language][key].replace('{n}', String(n))

const REASONS: Partial<Record<FaultCode, StillTextKey>> = {
  not_found: 'gone', out_of_range: 'tooSoon', rate_limited: 'tooMany', overloaded: 'tooMany', quota_exceeded: 'noRoom', storage_full: 'noRoom',
  unavailable: 'away', unsupported_media: 'noSource', wrong_state: 'gone', timeout: 'late',
}

/** Why a frame was not kept, for people. */
export const stillReason = (language: Language, code: FaultCode): string => stillText(language, REASONS[code] ?? 'coded', code)

const FETCH_REASONS: Partial<Record<FaultCode, StillTextKey>> = { rate_limited: 'tooMany', overloaded: 'tooMany', storage_full: 'noRoom', unavailable: 'unreachable' }

/** Why a still that is kept could not be fetched, for people. */
export const fetchReason = (language: Language, code: FaultCode): string => stillText(language, FETCH_REASONS[code] ?? 'coded', code)
