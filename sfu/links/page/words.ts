/** Words of the links page. English is the reference: Japanese has exactly its keys. `{n}` and other names in braces are put in. */
const en = {
  title: 'Links',
  noScript: 'This page draws what the node measures, which needs JavaScript. The same figures are at /metrics and /links.json.',
  noLinks: 'No link is open.',
  waiting: 'Waiting for the node',
  live: 'Live',
  stale: 'Stale since {n} s',
  paused: 'Paused',
  pause: 'Pause',
  resume: 'Go on',
  range: 'Range',
  lastMinute: '1 minute',
  lastMinutes: '10 minutes',
  toLinks: 'Links of this node',
  otherLanguage: '日本語',
  keys: 'Arrow keys move along a plot',
  // A link.
  openFor: 'open for {n}',
  closedSince: 'Closed since {time}',
  asAgreed: 'As agreed',
  noPathLives: 'No path lives',
  pathDown: '{path} is down',
  pathUnproven: '{path} has not answered yet',
  classDegraded: '{class} is not served as agreed',
  promiseBroken: 'Contract broken: {evidence}',
  lostAfterRepair: '{n} of live is lost after repair',
  // A path.
  path: 'Path',
  up: 'up',
  down: 'down',
  unproven: 'no answer yet',
  roundTrip: 'Round trip',
  shortest: 'shortest',
  variation: 'Delay variation p95',
  jitter: 'Jitter',
  queueing: 'Queueing here',
  loss: 'Loss, 10 s',
  throughput: 'Throughput',
  capacity: 'capacity out',
  headroom: 'Headroom out',
  notKnownYet: 'not known yet',
  bursts: 'Bursts of loss',
  reordered: 'Reordered',
  duplicates: 'Duplicates',
  mtu: 'MTU',
  clockOffset: 'Clock offset',
  outages: 'Outages',
  in: 'in',
  out: 'out',
  // Plots.
  time: 'time',
  delay: 'Delay',
  lossRatio: 'Loss',
  variationIn: 'variation in',
  variationOut: 'variation out',
  lossIn: 'before repair in',
  lossOut: 'before repair out',
  afterRepair: 'live after repair in',
  // Classes.
  classes: 'Traffic by class',
  class: 'Class',
  policy: 'Policy',
  usedPath: 'Path in use',
  rate: 'Payload Mbit/s',
  repair: 'Repair overhead',
  lossAfterRepair: 'Loss after repair',
  recovered: 'Won back by FEC',
  dropped: 'Never sent',
  wait: 'Waits here',
  switches: 'Moves',
  several: 'several',
  mdi: 'MDI DF:MLR',
  // Events.
  events: 'Events',
  noEvents: 'none',
  link_opened: 'Link opened',
  link_closed: 'Link closed',
  path_up: '{path} answers',
  path_down: '{path} went down',
  class_degraded: '{class} degraded',
  class_recovered: '{class} recovered',
  contract_broken: 'Contract broken',
  contract_kept: 'Contract kept again',
  path_rebound: '{path} has another address at the far end',
  rekeyed: 'New keys',
}

/** A word of the page. */
export type Word = keyof typeof en

const ja: Record<Word, string> = {
  title: '回線',
  noScript: 'このページはノードの計測値を描画するため JavaScript が必要です。同じ値は /metrics と /links.json にあります。',
  noLinks: '開いている回線はありません。',
  waiting: 'ノードの応答待ち',
  live: '更新中',
  stale: '{n} 秒前から更新なし',
  paused: '一時停止中',
  pause: '一時停止',
  resume: '再開',
  range: '範囲',
  lastMinute: '1分間',
  lastMinutes: '10分間',
  toLinks: 'このノードの回線',
  otherLanguage: 'English',
  keys: '矢印キーでグラフ上を移動',
  openFor: '接続 {n}',
  closedSince: '{time} に切断',
  asAgreed: '取り決めどおり',
  noPathLives: '使える経路がありません',
  pathDown: '{path} が停止しています',
  pathUnproven: '{path} からまだ応答がありません',
  classDegraded: '{class} が取り決めを満たしていません',
  promiseBroken: '契約未達: {evidence}',
  lostAfterRepair: 'live の {n} が修復後も損失',
  path: '経路',
  up: '正常',
  down: '停止',
  unproven: '応答待ち',
  roundTrip: '往復遅延',
  shortest: '最短',
  variation: '遅延変動 p95',
  jitter: 'ジッタ',
  queueing: '送信待ち行列',
  loss: '損失 (10秒)',
  throughput: 'スループット',
  capacity: '容量 送信',
  headroom: '余裕 (送信)',
  notKnownYet: '未確定',
  bursts: 'バースト損失',
  reordered: '順序逆転',
  duplicates: '重複',
  mtu: 'MTU',
  clockOffset: '時計のずれ',
  outages: '停止回数',
  in: '受信',
  out: '送信',
  time: '時刻',
  delay: '遅延',
  lossRatio: '損失',
  variationIn: '変動 受信',
  variationOut: '変動 送信',
  lossIn: '修復前 受信',
  lossOut: '修復前 送信',
  afterRepair: 'live 修復後 受信',
  classes: 'クラス別トラフィック',
  class: 'クラス',
  policy: '方式',
  usedPath: '使用経路',
  rate: 'ペイロード Mbit/s',
  repair: '修復の割増',
  lossAfterRepair: '修復後の損失',
  recovered: 'FEC で復元',
  dropped: '未送信で破棄',
  wait: '送信待ち',
  switches: '切替回数',
  several: '複数',
  mdi: 'MDI DF:MLR',
  events: '出来事',
  noEvents: 'なし',
  link_opened: '回線を開始',
  link_closed: '回線を終了',
  path_up: '{path} が応答',
  path_down: '{path} が停止',
  class_degraded: '{class} が劣化',
  class_recovered: '{class} が回復',
  contract_broken: '契約未達',
  contract_kept: '契約達成に復帰',
  path_rebound: '{path} の相手側アドレスが変化',
  rekeyed: '鍵を更新',
}

/** A language of the page. */
export type Language = 'en' | 'ja'
const DICTIONARIES: Readonly<Record<Language, Record<Word, string>>> = { en, ja }

/** Words of one language. */
export type Say = (word: Word, put?: Readonly<Record<string, string | number>>) => string

/** @returns What says a word in `language`, with what stands in braces put in. */
export function speaker(language: Language): Say {
  return (word, put = {}) => DICTIONARIES[language][word].replaceAll(/\{(\w+)\}/g, (braces, name: string) => String(put[name] ?? braces))
}

/**
 * The language to answer in: what was asked for, else the first of the reader's that there is, else English.
 *
 * @param acceptLanguage - The header's value. @see RFC 9110 section 12.5.4
 */
export function chooseLanguage(asked: string | undefined, acceptLanguage: string | undefined): Language {
  if (asked === 'en' || asked === 'ja') return asked
  const wanted = (acceptLanguage ?? '').slice(0, 500).split(',').map(range => {
    const [tag = '', ...parameters] = range.trim().toLowerCase().split(';')
    const quality = parameters.map(it => /^\s*q=([\d.]+)$/.exec(it)?.[1]).find(it => it !== undefined)
    return { tag: tag.split('-')[0], quality: quality === undefined ? 1 : Number(quality) }
  })
  const known = wanted.filter(({ tag, quality }) => (tag === 'en' || tag === 'ja') && quality > 0).sort((a, b) => b.quality - a.quality)
  return known[0]?.tag === 'ja' ? 'ja' : 'en'
}
