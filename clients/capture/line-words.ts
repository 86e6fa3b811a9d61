import type { Language } from '../../relay/runtime/terminal-language.ts'

/** Words of `kenkyo link probe`. English is the reference: Japanese has exactly its keys. Names in braces are put in. */
const en = {
  good: 'GOOD',
  limits: 'WITH LIMITS',
  unfit: 'NOT FIT',
  path: 'Path {path}',
  noAnswer: 'No answer over UDP within {n} s. A firewall on the way may drop UDP, or the port of links is not open at the node.',
  outages: 'The path fell silent {n} times while it was measured.',
  lossAfterRepair: '{n} of the load was lost even after repair: images will freeze or break.',
  shortOfRate: 'Of {load} only {n} arrived: tiles at the rim will be shown at half resolution, or not at all.',
  slow: 'The round trip is {n}: steering the stage will feel late.',
  queue: 'The round trip grows by {n} under load: a queue on the way fills up.',
  lossy: '{n} of the packets is lost before repair. It is repaired, at the cost of that much more traffic and delay.',
  smallMtu: 'No packet of more than {n} bytes passes: a tunnel is on the way. Throughput suffers a little.',
  asWished: 'Carries {load} with {n} lost after repair.',
  roundTrip: 'round trip',
  roundTripOf: '{idle} idle, {loaded} under load',
  loss: 'loss before repair',
  lossOf: '{out} out, {in} in',
  afterRepair: 'loss after repair',
  variation: 'delay variation p95',
  throughput: 'throughput',
  throughputOf: '{n} of {load} offered',
  capacity: 'capacity',
  noLimit: 'no limit seen at this load',
  mtu: 'MTU',
  clockOffset: "node's clock",
  clockOffsetOf: '{n} from this one',
  outageCount: 'outages',
  announceIdle: 'Path {path}: measuring without load for {n} s …',
  announceLoad: 'Path {path}: sending {load} for {n} s. Others on this line will notice …',
} as const

/** A word of the command. */
export type LineWord = keyof typeof en

const ja: Record<LineWord, string> = {
  good: '良好',
  limits: '制限あり',
  unfit: '不適',
  path: '経路 {path}',
  noAnswer: '{n} 秒以内に UDP の応答がありません。途中のファイアウォールが UDP を破棄しているか、ノードの回線用ポートが開いていません。',
  outages: '測定中に経路が {n} 回途絶えました。',
  lossAfterRepair: '負荷の {n} が修復後も失われました。画像が止まったり乱れたりします。',
  shortOfRate: '{load} のうち {n} しか届きませんでした。周辺のタイルは半分の解像度になるか、表示されません。',
  slow: '往復遅延が {n} あります。ステージ操作に遅れを感じます。',
  queue: '負荷をかけると往復遅延が {n} 伸びます。途中の待ち行列が溜まっています。',
  lossy: '修復前にパケットの {n} が失われています。修復できますが、その分の通信量と遅延が増えます。',
  smallMtu: '{n} バイトを超えるパケットが通りません。途中にトンネルがあり、スループットがわずかに落ちます。',
  asWished: '{load} を修復後の損失 {n} で運べます。',
  roundTrip: '往復遅延',
  roundTripOf: '無負荷 {idle}、負荷時 {loaded}',
  loss: '修復前の損失',
  lossOf: '送信 {out}、受信 {in}',
  afterRepair: '修復後の損失',
  variation: '遅延変動 p95',
  throughput: 'スループット',
  throughputOf: '{load} を送り {n} 到着',
  capacity: '容量',
  noLimit: 'この負荷では上限に達していません',
  mtu: 'MTU',
  clockOffset: 'ノードの時計',
  clockOffsetOf: 'この端末との差 {n}',
  outageCount: '停止回数',
  announceIdle: '経路 {path}: 無負荷で {n} 秒間測定します…',
  announceLoad: '経路 {path}: {load} を {n} 秒間送信します。同じ回線の利用者に影響が出ます…',
}

const DICTIONARIES: Readonly<Record<Language, Record<LineWord, string>>> = { en, ja }

/** Words of one language. */
export type SayLine = (word: LineWord, put?: Readonly<Record<string, string | number>>) => string

/** @returns What says a word in `language`, with what stands in braces put in. */
export function lineSpeaker(language: Language): SayLine {
  return (word, put = {}) => DICTIONARIES[language][word].replaceAll(/\{(\w+)\}/g, (braces, name: string) => String(put[name] ?? braces))
}
