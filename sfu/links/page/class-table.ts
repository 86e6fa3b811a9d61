import { element, setText } from './element.ts'
import { inFull, inMillis, inPercent, UNKNOWN } from './figures.ts'
import type { ClassSnapshot } from '../../../relay/links/measurement/link-snapshot.ts'
import type { LinkRecord, LinkSample } from '../link-history.ts'
import type { Say, Word } from './words.ts'

type ClassSample = LinkSample['classes'][string] | undefined
type Cell = (it: ClassSnapshot, sample: ClassSample, say: Say) => string

const megabits = (rate: number | null | undefined): string => (rate === null || rate === undefined ? UNKNOWN : (rate / 1e6).toFixed(2))

/** Of this second where it is a rate or a ratio, since the link was opened where it is a count. */
const COLUMNS: readonly (readonly [Word, Cell])[] = [
  ['class', it => it.class],
  ['policy', it => it.policy],
  ['usedPath', (it, _sample, say) => it.path ?? (it.policy === 'hitless' || it.policy === 'bond' ? say('several') : UNKNOWN)],
  ['rate', (_it, sample, say) => `${say('in')} ${megabits(sample?.rateIn)} · ${say('out')} ${megabits(sample?.rateOut)}`],
  ['repair', (_it, sample, say) => `${say('in')} ${inPercent(sample?.repairIn)} · ${say('out')} ${inPercent(sample?.repairOut)}`],
  ['lossAfterRepair', (it, sample) => `${inPercent(sample?.lossAfterRepair)} (${inFull(it.totals.in.deadlineMisses)})`],
  ['recovered', it => inFull(it.totals.in.fecRecoveredPackets)],
  ['dropped', it => inFull(it.totals.out.droppedPackets)],
  ['wait', it => inMillis(it.queueDelay)],
  ['switches', it => inFull(it.switches)],
  ['mdi', it => (it.mdi === undefined ? UNKNOWN : `${it.mdi.delayFactor.toFixed(1)} ms : ${Number(it.mdi.mediaLossRate.toFixed(1))}/s`)],
]

/** What each class of traffic on a link does. */
export class ClassTable {
  readonly element: HTMLElement
  readonly #say: Say
  readonly #rows = new Map<string, HTMLTableCellElement[]>()

  constructor(classes: readonly string[], say: Say) {
    this.#say = say
    const head = element('thead', '', [element('tr', '', COLUMNS.map(([word]) => {
      const cell = element('th', '', say(word))
      cell.scope = 'col'
      return cell
    }))])
    const body = element('tbody', '', classes.map(id => {
      const cells = COLUMNS.map((_column, index) => element(index === 0 ? 'th' : 'td'))
      if (cells[0] !== undefined) cells[0].scope = 'row'
      this.#rows.set(id, cells)
      return element('tr', '', cells)
    }))
    this.element = element('div', 'classes', [element('h3', '', say('classes')), element('table', '', [head, body])])
  }

  show({ snapshot, sample }: LinkRecord): void {
    for (const it of snapshot.classes) {
      const cells = this.#rows.get(it.class) ?? []
      for (const [index, [, cell]] of COLUMNS.entries()) {
        const node = cells[index]
        if (node !== undefined) setText(node, cell(it, sample.classes[it.class], this.#say))
      }
    }
  }
}
