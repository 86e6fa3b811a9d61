import type { Language } from '../i18n.ts'

/** The words of the technician's page. */
const en = {
  page: 'At the microscope',
  stopStage: 'STOP',
  stopHint: 'The stage stops where it is, whoever moves it.',
  noStage: 'This microscope has no stage that can be steered from here.',
  moving: 'The stage is moving',
  resting: 'The stage is at rest',
} as const

/** A key of these dictionaries. */
export type TechnicianTextKey = keyof typeof en

const ja: Record<TechnicianTextKey, string> = {
  page: '顕微鏡側',
  stopStage: '停止',
  stopHint: '誰が操作中でも、ステージをその場で止めます。',
  noStage: 'この顕微鏡のステージは、ここからは操作できません。',
  moving: 'ステージ移動中',
  resting: 'ステージ静止',
}

const DICTIONARIES: Record<Language, Record<TechnicianTextKey, string>> = { ja, en }

/** A text in a language. */
export const technicianText = (language: Language, key: TechnicianTextKey): string => DICTIONARIES[language][key]
