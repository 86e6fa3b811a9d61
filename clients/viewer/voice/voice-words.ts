import type { Language } from '../i18n.ts'
import type { MicrophoneRefusal } from './microphone.ts'

/** The words of voices; `{n}` is a name or a code. */
const en = {
  voice: 'Voice',
  speak: 'Speak',
  asking: 'Allow the microphone: the browser is asking for it.',
  connecting: 'Connecting your voice…',
  mute: 'Mute',
  unmute: 'Unmute',
  open: 'Your microphone is open',
  closed: 'Your microphone is closed',
  hold: 'Hold to talk',
  holdHint: 'Hold the space bar to talk',
  pushToTalk: 'Push to talk',
  hangUp: 'Stop speaking',
  settings: 'Devices',
  input: 'Microphone',
  output: 'Loudspeaker',
  byBrowser: 'As the system has it',
  volume: 'Volume of the others',
  level: 'Level of your microphone',
  hears: 'You hear {n}',
  speaking: '{n} is speaking',
  microphoneOf: 'Microphone of {n} is closed',
  blocked: 'Somebody speaks. Click to hear.',
  again: 'Try again',
  dismiss: 'Close',
  denied: 'The microphone is denied. Click the sign left of the address, allow the microphone for this page, and try again. You hear the others nevertheless.',
  missing: 'There is no microphone, or it was unplugged. Plug one in, check that the system shows it, and try again.',
  busy: 'Another program has the microphone. Close it, and try again.',
  insecure: 'Browsers give no microphone to a page without TLS. Open the link that begins with https.',
  full: 'As many speak in this consultation as may.',
  unsupported: 'This browser cannot speak here: it has no Opus.',
  faulted: 'The voice cannot be connected ({n}). It is tried again.',
} as const

/** A key of the words of voices. */
export type VoiceTextKey = keyof typeof en

const ja: Record<VoiceTextKey, string> = {
  voice: '音声',
  speak: '話す',
  asking: 'ブラウザーの確認画面でマイクを許可してください。',
  connecting: '音声を接続しています…',
  mute: 'ミュート',
  unmute: 'ミュート解除',
  open: 'マイクはオンです',
  closed: 'マイクはオフです',
  hold: '押している間だけ話す',
  holdHint: 'スペースキーを押している間だけ話せます',
  pushToTalk: 'プッシュ・トゥ・トーク',
  hangUp: '音声を終了',
  settings: '機器',
  input: 'マイク',
  output: 'スピーカー',
  byBrowser: 'システムの設定に従う',
  volume: '相手の音量',
  level: 'マイクの音量レベル',
  hears: '{n} の音声を受信中',
  speaking: '{n} が発言中',
  microphoneOf: '{n} のマイクはオフです',
  blocked: '発言があります。クリックすると聞こえます。',
  again: '再試行',
  dismiss: '閉じる',
  denied: 'マイクの使用が拒否されています。アドレスバー左のアイコンからこのページのマイクを許可し、再試行してください。相手の声は聞こえます。',
  missing: 'マイクが見つからないか、外されました。マイクを接続し、システムで認識されていることを確認して、再試行してください。',
  busy: '別のプログラムがマイクを使用しています。終了してから再試行してください。',
  insecure: 'TLS のないページではマイクを使えません。https で始まるリンクを開いてください。',
  full: 'この症例検討の発言者数が上限に達しています。',
  unsupported: 'このブラウザーは Opus に対応していないため、話せません。',
  faulted: '音声を接続できません（{n}）。再試行しています。',
}

const DICTIONARIES: Record<Language, Record<VoiceTextKey, string>> = { ja, en }

/** A text in a language, with its name or code put in. */
export const voiceText = (language: Language, key: VoiceTextKey, n = ''): string => DICTIONARIES[language][key].replace('{n}', () => n)

/** Why there is no microphone, and what to do. */
export const refusalText = (language: Language, refusal: MicrophoneRefusal): string => voiceText(language, refusal)
