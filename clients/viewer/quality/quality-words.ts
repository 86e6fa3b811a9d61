import type { Language } from '../i18n.ts'
import type { Quality, QualityLevel, QualityReason } from './connection-quality.ts'

const LEVELS: Record<Language, Record<QualityLevel, string>> = {
  en: { good: 'Connection good', fair: 'Connection fair', poor: 'Connection poor' },
  ja: { good: '接続：良好', fair: '接続：やや不良', poor: '接続：不良' },
}

/** Why it is bad and what to do, in words for whoever sits at the microscope or reads; `{n}` is a number. */
const en: Record<QualityReason, string> = {
  refused: 'There is no access. Why is said on the screen.',
  connecting: 'The node has not answered yet. If this lasts, check the network and open the link again.',
  reconnecting: 'The connection to the node is lost and is being restored. Check the network cable or the Wi-Fi.',
  absent: 'No microscope is connected. Ask the technician to start it.',
  sourceInterrupted: 'The microscope’s camera gives no images. Ask the technician to check the camera and its cable.',
  loss: 'On the way to you {n} % of the packets are lost. Use a cable instead of Wi-Fi, and stop other transfers.',
  uplinkNarrow: 'The microscope’s line is too narrow for {n} of the visible tiles. Zoom in on what matters; at the microscope, stop other transfers.',
  downlinkNarrow: 'Your line is too narrow for {n} of the visible tiles. Zoom in on what matters, and stop other transfers.',
  sourceSlow: 'The microscope’s computer gives only {n} frames a second. Ask the technician to close other programs there.',
  stalled: 'No new image for {n} s. If this lasts, check the network at both ends.',
  tcp: 'Your network blocks UDP, so that video may halt. Ask your network department to let the node’s UDP port out.',
  relay: 'Video takes a detour over a relay, which adds {n} ms. Ask your network department to let the node’s UDP port out.',
  roundTrip: 'The way to the node and back takes {n} ms. Steer in small steps and wait for the picture.',
  machineSlow: 'This computer draws only {n} frames a second. Close other programs, or make the window smaller.',
  freezes: 'The picture stood still {n} times in the last 10 s. Use a cable instead of Wi-Fi, and stop other transfers.',
}

const ja: Record<QualityReason, string> = {
  refused: 'アクセスできません。理由は画面に表示しています。',
  connecting: 'ノードの応答を待っています。続く場合はネットワークを確認し、リンクを開き直してください。',
  reconnecting: 'ノードとの接続が切れ、再接続しています。ネットワークケーブルまたは Wi-Fi を確認してください。',
  absent: '顕微鏡が接続されていません。技師に起動を依頼してください。',
  sourceInterrupted: '顕微鏡のカメラから画像が届いていません。技師にカメラとケーブルの確認を依頼してください。',
  loss: '閲覧側までにパケットの {n} % が失われています。Wi-Fi ではなく有線で接続し、他の通信を止めてください。',
  uplinkNarrow: '顕微鏡側の回線が不足し、表示範囲の {n} 区画を送れません。必要な所を拡大し、顕微鏡側の他の通信を止めてください。',
  downlinkNarrow: '閲覧側の回線が不足し、表示範囲の {n} 区画を受信できません。必要な所を拡大し、他の通信を止めてください。',
  sourceSlow: '顕微鏡側のコンピューターが毎秒 {n} 枚しか送れていません。技師に他のプログラムの終了を依頼してください。',
  stalled: '{n} 秒間、新しい画像が届いていません。続く場合は双方のネットワークを確認してください。',
  tcp: 'UDP が遮断されているため、映像が止まることがあります。ノードの UDP ポートの許可をネットワーク担当に依頼してください。',
  relay: '映像が中継を経由し、{n} ms 遅れています。ノードの UDP ポートの許可をネットワーク担当に依頼してください。',
  roundTrip: 'ノードまでの往復に {n} ms かかっています。少しずつ操作し、画像を待ってください。',
  machineSlow: 'このコンピューターの描画が毎秒 {n} 枚に落ちています。他のプログラムを終了するか、ウィンドウを小さくしてください。',
  freezes: '直近 10 秒間に映像が {n} 回止まりました。Wi-Fi ではなく有線で接続し、他の通信を止めてください。',
}

const WHY: Record<Language, Record<QualityReason, string>> = { en, ja }

/** How good, in words. */
export const qualityText = (language: Language, level: QualityLevel): string => LEVELS[language][level]

/** Why it is bad, and what to do; empty where it is good. */
export function whyText(language: Language, { reason, n }: Quality): string {
  return reason === null ? '' : WHY[language][reason].replace('{n}', n === null ? '' : n < 10 ? String(Number(n.toFixed(1))) : n.toFixed(0))
}
