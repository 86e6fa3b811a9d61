import { inMegabits, inMillis, inPercent, inUnits, timeOfDay } from './figures.ts'
import type { LinkEvent } from '../../../relay/links/measurement/link-snapshot.ts'
import type { LinkRecord } from '../link-history.ts'
import type { Language, Say } from './words.ts'

/** What was measured and what was promised come first; the rest is with the event. */
const FIGURES_IN_A_VERDICT = 2

/** More of `live` lost after repair is seen: then a class counts as degraded, too. */
const SEEN_LOSS_RATIO = 0.001

/** How a link is, in words, the worst first. */
export interface Verdict {
  readonly level: 'good' | 'warn' | 'bad'
  readonly sentences: readonly string[]
}

/** What an engineer has to know first of a link. */
export function verdictOf({ snapshot, standing, isOpen, at, recentLossAfterRepair: late }: LinkRecord, say: Say, language: Language): Verdict {
  if (!isOpen) return { level: 'bad', sentences: [say('closedSince', { time: timeOfDay(at) })] }
  const lives = snapshot.paths.some(({ state }) => state === 'up')
  const sentences = [
    ...(lives ? [] : [say('noPathLives')]),
    ...snapshot.paths.filter(({ state }) => state !== 'up').map(({ path, state }) => say(state === 'down' ? 'pathDown' : 'pathUnproven', { path })),
    ...(late > 0 ? [say('lostAfterRepair', { n: inPercent(late) })] : []),
    ...standing.degraded.map(id => say('classDegraded', { class: id })),
    ...standing.broken.map(event => say('promiseBroken', { evidence: [evidenceOf(event, language, FIGURES_IN_A_VERDICT), directionOf(event, say)].filter(it => it !== undefined).join(', ') })),
  ]
  return sentences.length === 0 ? { level: 'good', sentences: [say('asAgreed')] } : { level: lives && late <= SEEN_LOSS_RATIO ? 'warn' : 'bad', sentences }
}

/** The direction that a term of the contract is about, where its name says so. */
function directionOf({ evidence }: LinkEvent, say: Say): string | undefined {
  const [, direction] = /(In|Out)$/.exec(String(evidence['term'] ?? '')) ?? []
  return direction === undefined ? undefined : say(direction === 'In' ? 'in' : 'out')
}

/** What happened. */
export const headlineOf = (event: LinkEvent, say: Say): string => say(event.kind, { path: event.path ?? '', class: event.class ?? '' })

/** Units that end a key of evidence; a direction may follow. */
const UNITS: readonly (readonly [RegExp, (value: number) => string])[] = [
  [/Millis(?=In$|Out$|$)/, value => (value < 10_000 ? inMillis(value) : inUnits(value / 1000))],
  [/Seconds(?=In$|Out$|$)/, inUnits],
  [/Ratio(?=In$|Out$|$)/, inPercent],
  [/BitsPerSecond(?=In$|Out$|$)/, inMegabits],
  [/Bytes(?=In$|Out$|$)/, value => `${value} B`],
  [/(?<=[aA]vailability)$/, inPercent],
]

const EVIDENCE_JA: Readonly<Record<string, string>> = {
  term: '項目', direction: '方向', window: '期間', paths: '経路数', outages: '停止回数', down: '停止時間', broken: '未達の時間', degraded: '劣化の時間', needed: '必要だった時間',
  'round trip': '往復遅延', 'promised round trip': '契約の往復遅延', availability: '稼働率', 'promised availability': '契約の稼働率',
  loss: '損失', 'loss in': '受信損失', 'loss out': '送信損失', 'promised loss': '契約の損失', 'tolerated loss': '許容損失', 'loss after repair': '修復後の損失',
  'lost packets': '損失パケット', 'sent packets': '送信パケット', 'deadline misses': '期限切れ', dropped: '破棄率', 'dropped packets': '破棄パケット',
  capacity: '容量', promised: '契約', 'queueing delay': '送信待ち行列', 'queue delay': '送信待ち', 'promised queue delay': '契約の送信待ち',
  open: '接続時間', by: '切断した側',
  'sending epoch': '送信鍵の世代', 'receiving epoch': '受信鍵の世代',
}

const apart = (key: string): string => key.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()

/**
 * The figures that led to an event, with the units that their names end in.
 *
 * @param limit - No more than so many of them.
 */
export function evidenceOf({ evidence }: LinkEvent, language: Language, limit = Infinity): string {
  return Object.entries(evidence).filter(([key]) => key !== 'term').slice(0, limit).map(([key, value]) => {
    const unit = typeof value === 'number' ? UNITS.find(([suffix]) => suffix.test(key)) : undefined
    const name = apart(unit === undefined ? key : key.replace(unit[0], ''))
    const figure = typeof value === 'number' ? (unit?.[1](value) ?? String(Math.round(value * 100) / 100)) : value
    return `${language === 'ja' ? (EVIDENCE_JA[name] ?? name) : name} ${figure}`
  }).join(', ')
}
