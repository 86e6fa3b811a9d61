import { element, setText } from './element.ts'
import { inFull, inMegabits, inMillis, inPercent } from './figures.ts'
import { Plot } from './plot.ts'
import type { PathSnapshot } from '../../../relay/links/measurement/link-snapshot.ts'
import type { PathName } from '../../../relay/wire/link.ts'
import type { PlotData } from './plot.ts'
import type { SeriesWindow } from './series-window.ts'
import type { Say, Word } from './words.ts'

/** One direction has one colour everywhere, and lines differ in more than colour. */
const IN = '#8aa9c4'
const OUT = '#b08d57'
const OUT_DASH = [5, 3]
const AFTER_REPAIR = '#c26f64'
const LIMIT = '#75808a'
const LIMIT_DASH = [2, 4]
const ROUND_TRIP = '#86b39b'

/** Figures beside the plots: a word, and what says it of a path. */
const FIGURES: readonly (readonly [Word, (path: PathSnapshot, say: Say) => string])[] = [
  ['roundTrip', (it, say) => `${inMillis(it.roundTrip)} (${say('shortest')} ${inMillis(it.shortestRoundTrip)})`],
  ['variation', (it, say) => bothWays(say, inMillis(it.gauges.in.delayVariation.p95), inMillis(it.gauges.out.delayVariation.p95))],
  ['jitter', (it, say) => bothWays(say, inMillis(it.gauges.in.jitter), inMillis(it.gauges.out.jitter))],
  ['queueing', it => inMillis(it.queueingDelay)],
  ['loss', (it, say) => bothWays(say, inPercent(it.gauges.in.lossRatio), inPercent(it.gauges.out.lossRatio))],
  ['bursts', (it, say) => bothWays(say, inFull(it.totals.in.lossBursts), inFull(it.totals.out.lossBursts))],
  ['reordered', (it, say) => bothWays(say, inFull(it.totals.in.reorderedPackets), inFull(it.totals.out.reorderedPackets))],
  ['duplicates', (it, say) => bothWays(say, inFull(it.totals.in.duplicatePackets), inFull(it.totals.out.duplicatePackets))],
  ['throughput', (it, say) => bothWays(say, inMegabits(it.gauges.in.throughput), inMegabits(it.gauges.out.throughput))],
  ['headroom', (it, say) => (it.capacity === undefined ? say('notKnownYet') : `${inMegabits(it.headroom)} / ${inMegabits(it.capacity)}`)],
  ['mtu', it => `${it.mtu} B`],
  ['clockOffset', it => inMillis(it.clockOffset)],
  ['outages', it => inFull(it.outages)],
]

const bothWays = (say: Say, received: string, sent: string): string => `${say('in')} ${received} · ${say('out')} ${sent}`

/** One path of a link: its figures, and its pictures of delay, loss and throughput. */
export class PathView {
  readonly element: HTMLElement
  readonly #path: PathName
  readonly #say: Say
  readonly #state: HTMLElement
  readonly #figures: readonly (readonly [HTMLElement, (path: PathSnapshot, say: Say) => string])[]
  readonly #delay: Plot
  readonly #loss: Plot
  readonly #throughput: Plot

  constructor(path: PathName, cursorKey: string, say: Say) {
    this.#path = path
    this.#say = say
    this.#state = element('span', 'state')
    this.#figures = FIGURES.map(([, figure]) => [element('dd'), figure])
    const list = element('dl', 'figures', FIGURES.flatMap(([word], index) => [element('dt', '', say(word)), this.#figures[index]?.[0] ?? element('dd')]))
    const inOut = (received: Word, sent: Word) => [{ label: say(received), color: IN }, { label: say(sent), color: OUT, dash: OUT_DASH }]
    const shared = { cursorKey, timeLabel: say('time') }
    this.#delay = new Plot({
      title: say('delay'), unit: 'ms', scale: 1, atLeast: 10, figure: inMillis, ...shared,
      lines: [{ label: say('roundTrip'), color: ROUND_TRIP, width: 1.75 }, ...inOut('variationIn', 'variationOut')],
    })
    this.#loss = new Plot({
      title: say('lossRatio'), unit: '%', scale: 100, atLeast: 2, figure: inPercent, ...shared,
      lines: [...inOut('lossIn', 'lossOut'), { label: say('afterRepair'), color: AFTER_REPAIR, width: 2 }],
    })
    this.#throughput = new Plot({
      title: say('throughput'), unit: 'Mbit/s', scale: 1e-6, atLeast: 1, figure: inMegabits, ...shared,
      lines: [...inOut('in', 'out'), { label: say('capacity'), color: LIMIT, dash: LIMIT_DASH }],
    })
    const plots = [this.#delay, this.#loss, this.#throughput].map(plot => plot.element)
    this.element = element('article', 'path', [element('div', '', [element('h3', '', [document.createTextNode(`${path} `), this.#state]), list]), ...plots])
    this.element.setAttribute('aria-label', `${say('path')} ${path}`)
  }

  /** Shows a reading, and what the window has of a span of time. */
  show(snapshot: PathSnapshot, window: SeriesWindow, span: Pick<PlotData, 'from' | 'to' | 'marks'>): void {
    setText(this.#state, this.#say(snapshot.state))
    this.#state.className = `state ${snapshot.state}`
    for (const [node, figure] of this.#figures) setText(node, figure(snapshot, this.#say))
    const column = (id: string): readonly (number | null)[] => window.column('paths', this.#path, id)
    const { at } = window
    this.#delay.show({ ...span, at, columns: [column('roundTrip'), column('variationIn'), column('variationOut')] })
    this.#loss.show({ ...span, at, columns: [column('lossIn'), column('lossOut'), window.column('classes', 'live', 'lossAfterRepair')] })
    this.#throughput.show({ ...span, at, columns: [column('throughputIn'), column('throughputOut'), column('capacity')] })
  }
}
