import type { Role } from '../../../relay/wire/signaling.ts'
import type { Language } from '../i18n.ts'

const en = {
  members: 'Members',
  you: 'you',
  steers: 'holds the stage',
  speaks: 'is speaking',
  nobody: 'Nobody is here yet',
  microscope: 'microscope',
  viewer: 'viewer',
  technician: 'technician',
  scanner: 'scanner',
} as const satisfies Record<Role, string> & Record<string, string>

/** A key of these dictionaries. */
export type MemberTextKey = keyof typeof en

const ja: Record<MemberTextKey, string> = {
  members: '参加者',
  you: '自分',
  steers: 'ステージを操作中',
  speaks: '発言中',
  nobody: 'まだ誰もいません',
  microscope: '顕微鏡',
  viewer: '閲覧者',
  technician: '技師',
  scanner: 'スキャナー',
}

const DICTIONARIES: Record<Language, Record<MemberTextKey, string>> = { en, ja }

/** A text in a language. */
export const memberText = (language: Language, key: MemberTextKey): string => DICTIONARIES[language][key]
