import type { PreflightAdvice, PreflightCheck, PreflightColour, PreflightResult } from './preflight.ts'

/** The languages of the check. */
export type PreflightLanguage = 'ja' | 'en'

interface Words {
  readonly colour: Readonly<Record<PreflightColour, string>>
  readonly check: Readonly<Record<PreflightCheck, string>>
  /** What was found and what to do. */
  readonly advice: Readonly<Record<PreflightAdvice, string>>
}

const en: Words = {
  colour: { green: 'good', unknown: 'not checked', amber: 'with limits', red: 'bad' },
  check: {
    udp: 'Way by UDP', tcp: 'Way by TCP', relay: 'Way over a relay', loss: 'Packets lost', down: 'Rate to here', up: 'Rate from here', roundTrip: 'Round trip',
    decoder: 'Video decoders', scaling: 'Display scaling', colour: 'Colour depth', microphone: 'Microphone', stage: 'Stage', nodeDisk: "Room on the node's disk",
    ownDisk: "Room on this machine's disk", clock: 'Clock',
  },
  advice: {
    fine: 'Nothing to do.',
    notMade: 'This could not be checked. Run the check again; if it stays, try another browser or ask your network staff.',
    udpBlocked: 'UDP does not reach the node: the image will stall now and then. Ask your network staff to let UDP out to the media ports of the node.',
    tcpBlocked: 'The media port cannot be reached by TCP. It is needed only when UDP fails.',
    relayFails: 'The relay cannot be reached. It is needed only when nothing else gets through. Tell whoever runs the node.',
    noWay: 'Media does not reach the node by this way, nor by any other: there will be no image. Ask your network staff to let UDP out to the media ports of the node, or a relay to be set up.',
    lossy: 'Packets get lost: the image will freeze. Use a cable in place of Wi-Fi, and ask your network staff to look at the line.',
    narrowDown: 'Too little arrives here for 8K: the rim will be shown coarser. Stop other downloads, or use a faster line.',
    narrowUp: 'Too little gets out from here: tiles at the rim will be shown coarser, or voice will break. Stop other uploads, or use a faster line.',
    far: 'The way is long: steering and speaking will feel late. Turn VPNs off where that is allowed.',
    noDecoder: 'This browser does not decode H.264. Use Chrome or Edge.',
    slowDecoder: 'This computer decodes too slowly for a full view. Close other programs, switch hardware acceleration on in the browser, or use a computer with a graphics card.',
    scaled: 'The display or the page is scaled. Set the scaling of the system to 100 % and the zoom of the browser to 100 % (Ctrl+0), or look at 1:1.',
    lowColour: 'The display shows fewer than 8 bits for each colour: stains will look wrong. Set the display to 24 bits or more; avoid remote desktops.',
    narrowGamut: 'The display does not cover sRGB: stains may look pale. Use a better display for diagnosis.',
    noMicrophone: 'No microphone was found. Plug one in.',
    microphoneDenied: 'The browser may not use the microphone. Allow it by the lock beside the address, and run the check again.',
    microphoneSilent: 'The microphone is silent. Unmute it, or choose another in the settings of the system, and say something during the check.',
    noStage: 'No microscope with a stage is connected. Run the check again once it is.',
    stageSilent: 'The stage does not answer. Look at its power and cable, and start the program at the microscope again.',
    nodeDiskFull: 'The disk of the node is nearly full: stills and recordings will be refused. Tell whoever runs the node.',
    ownDiskFull: "This machine's disk is nearly full. Delete what is not needed.",
    clockOff: "This machine's clock differs from the node's. Turn automatic time on in the settings of the system.",
  },
}

const ja: Words = {
  colour: { green: '良好', unknown: '未確認', amber: '制限あり', red: '不良' },
  check: {
    udp: 'UDP の経路', tcp: 'TCP の経路', relay: '中継の経路', loss: 'パケット損失', down: '受信速度', up: '送信速度', roundTrip: '往復遅延',
    decoder: '映像デコーダー', scaling: '画面の拡大率', colour: '色深度', microphone: 'マイク', stage: 'ステージ', nodeDisk: 'ノードのディスク空き容量',
    ownDisk: 'この端末のディスク空き容量', clock: '時計',
  },
  advice: {
    fine: '対応は不要です。',
    notMade: '確認できませんでした。もう一度実行し、変わらなければ別のブラウザーを試すか、ネットワーク担当者に相談してください。',
    udpBlocked: 'UDP がノードに届きません。映像がときどき止まります。ノードの映像用ポートへの UDP を許可するよう、ネットワーク担当者に依頼してください。',
    tcpBlocked: '映像用ポートに TCP で届きません。必要になるのは UDP が使えない場合だけです。',
    relayFails: '中継サーバーに届きません。必要になるのはほかの経路が使えない場合だけです。ノードの管理者に知らせてください。',
    noWay: 'この経路でも、ほかの経路でも映像がノードに届きません。映像は表示されません。ノードの映像用ポートへの UDP を許可するか、中継サーバーを用意するよう、ネットワーク担当者に依頼してください。',
    lossy: 'パケットが失われ、映像が止まります。Wi-Fi ではなく有線を使い、回線の調査をネットワーク担当者に依頼してください。',
    narrowDown: '8K には受信速度が不足し、周辺が粗く表示されます。ほかのダウンロードを止めるか、より速い回線を使ってください。',
    narrowUp: '送信速度が不足し、周辺が粗く表示されたり音声が途切れたりします。ほかのアップロードを止めるか、より速い回線を使ってください。',
    far: '遅延が大きく、操作や会話に遅れを感じます。許される場合は VPN を切ってください。',
    noDecoder: 'このブラウザーは H.264 をデコードできません。Chrome または Edge を使ってください。',
    slowDecoder: 'このコンピューターのデコードは全画面には遅すぎます。ほかのプログラムを閉じ、ブラウザーのハードウェアアクセラレーションを有効にするか、グラフィックスカードのあるコンピューターを使ってください。',
    scaled: '画面またはページが拡大されています。システムの拡大率を 100 %、ブラウザーのズームを 100 %（Ctrl+0）にするか、1:1 で見てください。',
    lowColour: '画面の色が 1 色 8 ビット未満で、染色が正しく見えません。画面を 24 ビット以上に設定し、リモートデスクトップは避けてください。',
    narrowGamut: '画面が sRGB を満たさず、染色が淡く見えることがあります。診断にはより良い画面を使ってください。',
    noMicrophone: 'マイクが見つかりません。接続してください。',
    microphoneDenied: 'ブラウザーがマイクの使用を許可していません。アドレス横の錠前から許可し、もう一度確認してください。',
    microphoneSilent: 'マイクが無音です。ミュートを解除するか、システムの設定で別のマイクを選び、確認中に声を出してください。',
    noStage: 'ステージのある顕微鏡が接続されていません。接続後にもう一度確認してください。',
    stageSilent: 'ステージが応答しません。電源とケーブルを確認し、顕微鏡側のプログラムを再起動してください。',
    nodeDiskFull: 'ノードのディスクに空きがほとんどありません。静止画と録画が拒否されます。ノードの管理者に知らせてください。',
    ownDiskFull: 'この端末のディスクに空きがほとんどありません。不要なものを削除してください。',
    clockOff: 'この端末の時計がノードとずれています。システムの設定で時刻の自動設定を有効にしてください。',
  },
}

const DICTIONARIES: Readonly<Record<PreflightLanguage, Words>> = { ja, en }

const UNITS: Partial<Record<PreflightCheck, string>> = {
  loss: '%', down: 'Mbit/s', up: 'Mbit/s', roundTrip: 'ms', decoder: 'fps', scaling: '%', colour: 'bit', nodeDisk: 'GB', ownDisk: 'GB', clock: 's',
}

/** One result for a person: what was checked, how it is, the figure with its unit, and what to do. */
export interface PreflightSentence {
  readonly check: string
  readonly colour: string
  readonly figure: string
  readonly advice: string
}

/** @returns The words of one result; `figure` is empty where there is none. */
export function describeResult({ check, colour, figure, advice }: PreflightResult, language: PreflightLanguage): PreflightSentence {
  const words = DICTIONARIES[language]
  const digits = figure !== null && Math.abs(figure) < 10 ? 2 : 0
  return { check: words.check[check], colour: words.colour[colour], figure: figure === null ? '' : `${Number(figure.toFixed(digits))} ${UNITS[check] ?? ''}`.trim(), advice: words.advice[advice] }
}

/** The word for a colour. */
export const describeColour = (colour: PreflightColour, language: PreflightLanguage): string => DICTIONARIES[language].colour[colour]
