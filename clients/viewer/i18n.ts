/** The viewer's words. English is the reference: every other dictionary has exactly its keys. */
const en = {
  title: 'kenkyo viewer',
  // Badge. {n} is a number.
  native: 'Native pixels 1:1',
  reduced: 'Reduced ×{n}',
  upscaled: 'Upscaled ×{n}',
  nativeAtPointer: 'Native pixels 1:1 at the pointer, elsewhere upscaled ×{n}',
  nativeAtCentre: 'Native pixels 1:1 at the centre, elsewhere upscaled ×{n}',
  stale: 'Stale ({n} s old)',
  none: 'No image yet',
  connecting: 'Connecting',
  reconnecting: 'Reconnecting',
  absent: 'Microscope absent',
  slow: 'Source slow ({n} fps)',
  interrupted: 'Source interrupted',
  approximate: 'Tiles aligned approximately',
  whole: 'Whole stream',
  // What is withheld. {n} is how many tiles of how many.
  withheldMiddleUplink: 'The microscope’s line is too narrow: half resolution at the rim ({n} tiles)',
  withheldMiddleDownlink: 'Your line is too narrow: half resolution at the rim ({n} tiles)',
  withheldOverviewUplink: 'The microscope’s line is too narrow: only the overview at the rim ({n} tiles)',
  withheldOverviewDownlink: 'Your line is too narrow: only the overview at the rim ({n} tiles)',
  // Stage.
  stage: 'Stage',
  stageMoving: 'moving',
  stageResting: 'at rest',
  objective: 'Objective',
  objectiveNamed: 'Objective {n}',
  focus: 'Focus',
  focusBy: 'Focus {n} µm',
  stageOutOfRange: 'The end of the stage’s travel',
  stageRefused: 'The stage did not follow ({n})',
  // Controls.
  controls: 'View',
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  fit: 'Whole field',
  oneToOne: '1:1 native pixels',
  slides: 'Slides',
  recordings: 'Recordings',
  keepStill: 'Keep this frame',
  measure: 'Measure',
  members: 'Members',
  fullscreen: 'Full screen',
  preflight: 'Check before the case',
  panel: 'Figures',
  help: 'Help',
  language: '日本語',
  dim: 'Dim the controls',
  mode: 'Whole stream or tiles',
  more: 'More',
  close: 'Close',
  microscope: 'Microscope image',
  minimap: 'Position in the whole field',
  // Panel.
  source: 'Source',
  canvas: 'Canvas',
  zoom: 'Zoom',
  drawn: 'Drawn',
  captureToGlass: 'Capture to glass',
  received: 'Received',
  roundTrip: 'Round trip',
  mediaPath: 'Media path',
  loss: 'Loss',
  freezes: 'Freezes',
  renditions: 'Streams',
  decoder: 'Decoder',
  encryption: 'Encryption',
  upload: 'Drawing path',
  alignment: 'Alignment wait',
  join: 'Joined in',
  fault: 'Last fault',
  watched: '{n} watched',
  heldOut: '{n} held out',
  longest: 'longest {n} s',
  software: 'software',
  // Help.
  helpWheel: 'Wheel or pinch: zoom at the pointer',
  helpDrag: 'Drag or arrow keys: move',
  helpDouble: 'Double-click: native pixels there; again: ×2; with Shift: zoom out',
  helpKeys: '+ − zoom · 0 whole field · 1 native pixels · K keep this frame · F full screen, on the second monitor where there is one · Shift+F full screen on this monitor · M measure: distance, line, area, off · Enter set a point in the middle · Backspace take the last point back · N members · I figures · W whole stream · D dim · S slides · L language · ? help',
  helpStage: 'Stage, where the microscope can be steered: G takes it and gives it back, X stops it, whoever holds it · Alt or Shift + drag: the slide follows the pointer · Alt + double-click: that point to the centre · Alt or Shift + arrow keys: move · Page Up, Page Down: focus; with Shift: in larger steps',
  letterKeys: 'Single keys do something (arrow keys, Escape and Enter always do)',
  helpPointing: 'Pointing: the others see your pointer; P hides it · A arrow · T text · U undo · Escape puts the tool away',
  helpTruth: 'The badge always says what you see: native pixels, reduced, upscaled, or stale.',
  // Failures.
  failedNoInvitation: 'This address carries no invitation. Open the complete link that you were given.',
  failedRefused: 'The invitation was refused. Ask for a new link.',
  failedExpired: 'The invitation has expired. Ask for a new link.',
  failedRole: 'This invitation is for a microscope or a scanner, not for viewing. Ask for a viewer\'s link.',
  failedWebGl: 'This browser or its graphics driver has no WebGL2, which is needed to show the image.',
  failedWebRtc: 'This browser has no WebRTC, which is needed to receive the image.',
  failedMedia: 'This browser cannot decode the microscope\'s video (H.264).',
  failedPicture: 'Drawing the image failed. Reload the page.',
} as const

/** A key of the dictionaries. */
export type TextKey = keyof typeof en

const ja: Record<TextKey, string> = {
  title: 'kenkyo ビューアー',
  native: '等倍 1:1（実画素）',
  reduced: '縮小 ×{n}',
  upscaled: '拡大 ×{n}',
  nativeAtPointer: 'ポインター位置は等倍 1:1、その他は拡大 ×{n}',
  nativeAtCentre: '中央は等倍 1:1、その他は拡大 ×{n}',
  stale: '更新停止（{n} 秒前の画像）',
  none: '画像なし',
  connecting: '接続中',
  reconnecting: '再接続中',
  absent: '顕微鏡が未接続',
  slow: '映像元が低速（{n} fps）',
  interrupted: '映像元が中断',
  approximate: 'タイル同期は近似',
  whole: '全体ストリーム',
  withheldMiddleUplink: '顕微鏡側の回線が不足：周辺を半解像度で表示中（{n} 区画）',
  withheldMiddleDownlink: '閲覧側の回線が不足：周辺を半解像度で表示中（{n} 区画）',
  withheldOverviewUplink: '顕微鏡側の回線が不足：周辺は概観のみ（{n} 区画）',
  withheldOverviewDownlink: '閲覧側の回線が不足：周辺は概観のみ（{n} 区画）',
  stage: 'ステージ',
  stageMoving: '移動中',
  stageResting: '静止',
  objective: '対物レンズ',
  objectiveNamed: '対物レンズ {n}',
  focus: '焦点',
  focusBy: '焦点 {n} µm',
  stageOutOfRange: 'ステージの可動範囲の端です',
  stageRefused: 'ステージを動かせません（{n}）',
  controls: '表示',
  zoomIn: '拡大',
  zoomOut: '縮小',
  fit: '全視野',
  oneToOne: '1:1 等倍表示',
  slides: 'スライド',
  recordings: '録画',
  keepStill: 'この画像を保存',
  measure: '計測',
  members: '参加者',
  fullscreen: '全画面',
  preflight: '開始前チェック',
  panel: '計測値',
  help: '操作説明',
  language: 'English',
  dim: '操作部を暗くする',
  mode: '全体ストリーム／タイル切替',
  more: 'その他',
  close: '閉じる',
  microscope: '顕微鏡画像',
  minimap: '全視野内の位置',
  source: '映像元',
  canvas: '描画領域',
  zoom: '倍率',
  drawn: '描画',
  captureToGlass: '撮影から表示まで',
  received: '受信',
  roundTrip: '往復遅延',
  mediaPath: '映像の経路',
  loss: '損失',
  freezes: '停止',
  renditions: 'ストリーム',
  decoder: 'デコーダー',
  encryption: '暗号化',
  upload: '描画経路',
  alignment: '同期待ち',
  join: '参加所要時間',
  fault: '直近の障害',
  watched: '{n} 本を受信',
  heldOut: '{n} 本が遅延',
  longest: '最長 {n} 秒',
  software: 'ソフトウェア',
  helpWheel: 'ホイール・ピンチ：ポインター位置で拡大縮小',
  helpDrag: 'ドラッグ・矢印キー：移動',
  helpDouble: 'ダブルクリック：その位置を等倍に。再度で ×2。Shift で縮小',
  helpKeys: '+ − 拡大縮小 · 0 全視野 · 1 等倍 · K 画像を保存 · F 全画面（2 台目のモニターがあればそちら） · Shift+F このモニターで全画面 · M 計測（距離・折れ線・面積・終了） · Enter 中央に点を置く · Backspace 最後の点を取り消す · N 参加者 · I 計測値 · W 全体ストリーム · D 減光 · S スライド · L 言語 · ? 操作説明',
  helpStage: 'ステージ（遠隔操作できる顕微鏡のみ）：G 操作権の取得・返却 · X 停止（誰でも可） · Alt または Shift＋ドラッグで標本を移動 · Alt＋ダブルクリックでその点を中央へ · Alt または Shift＋矢印キーで移動 · Page Up・Page Down で焦点（Shift で大きく）',
  letterKeys: '1 文字のキーで操作する（矢印キー・Escape・Enter は常に有効）',
  helpPointing: 'ポインターは他の参加者に表示されます：P で表示・非表示 · A 矢印 · T 文字 · U 元に戻す · Escape 道具を置く',
  helpTruth: '左上の表示は常に実際の状態です：等倍（実画素）・縮小・拡大・更新停止。',
  failedNoInvitation: 'このアドレスには招待情報がありません。受け取ったリンク全体を開いてください。',
  failedRefused: '招待が拒否されました。新しいリンクを依頼してください。',
  failedExpired: '招待の有効期限が切れました。新しいリンクを依頼してください。',
  failedRole: 'この招待は顕微鏡またはスキャナー用で、閲覧には使えません。閲覧用のリンクを依頼してください。',
  failedWebGl: 'このブラウザーまたはグラフィックスドライバーは、表示に必要な WebGL2 に対応していません。',
  failedWebRtc: 'このブラウザーは、受信に必要な WebRTC に対応していません。',
  failedMedia: 'このブラウザーは顕微鏡の映像（H.264）をデコードできません。',
  failedPicture: '画像の描画に失敗しました。ページを再読み込みしてください。',
}

/** The languages of the viewer. */
export const LANGUAGES = ['ja', 'en'] as const
export type Language = (typeof LANGUAGES)[number]

const DICTIONARIES: Record<Language, Record<TextKey, string>> = { ja, en }

/** The first of a person's languages that there is a dictionary for; English when there is none. */
export function chooseLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const primary = tag.toLowerCase().split('-')[0]
    const known = LANGUAGES.find(language => language === primary)
    if (known !== undefined) return known
  }
  return 'en'
}

/** A text in a language, with its number put in. */
export function text(language: Language, key: TextKey, n: number | string = ''): string {
  return DICTIONARIES[language][key].replace('{n}', String(n))
}

/** A text for reading aloud: without its number, which may change every moment. */
export function spokenText(language: Language, key: TextKey): string {
  return DICTIONARIES[language][key].replace(/\s*[×(（]+[^×(（]*\{n\}.*$/, '')
}
