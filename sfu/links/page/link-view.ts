import { ClassTable } from './class-table.ts'
import { element, setText } from './element.ts'
import { inUnits, timeOfDay } from './figures.ts'
import { PathView } from './path-view.ts'
import { evidenceOf, headlineOf, verdictOf } from './sentences.ts'
import type { LinkEvent } from '../../../relay/links/measurement/link-snapshot.ts'
import type { LinkRecord } from '../link-history.ts'
import type { SeriesWindow } from './series-window.ts'
import type { Language, Say } from './words.ts'

/** Shapes, so that a state does not hang on its colour alone. */
const SIGNS = { good: '●', warn: '▲', bad: '■' } as const
const SERIOUS = new Set<LinkEvent['kind']>(['path_down', 'class_degraded', 'contract_broken', 'link_closed'])

/** What a link is made of; where that differs it is drawn anew. */
export const shapeOf = ({ snapshot }: LinkRecord): string => [...snapshot.paths.map(({ path }) => path), '', ...snapshot.classes.map(it => it.class)].join('/')

/** The picture of one link. */
export class LinkView {
  readonly element: HTMLElement
  readonly #say: Say
  readonly #language: Language
  readonly #verdict: HTMLElement
  readonly #age: HTMLElement
  readonly #events: HTMLElement
  readonly #classes: ClassTable
  readonly #paths: ReadonlyMap<string, PathView>
  #shownEvents = ''

  constructor({ snapshot }: LinkRecord, say: Say, language: Language) {
    this.#say = say
    this.#language = language
    this.#verdict = element('p', 'verdict')
    this.#verdict.setAttribute('role', 'status')
    this.#age = element('span', 'age')
    this.#events = element('ol', 'event-list')
    this.#events.tabIndex = 0
    this.#events.setAttribute('aria-label', say('events'))
    this.#paths = new Map(snapshot.paths.map(({ path }) => [path, new PathView(path, snapshot.link, say)]))
    this.#classes = new ClassTable(snapshot.classes.map(it => it.class), say)
    const heading = element('h2', '', [document.createTextNode(snapshot.link), element('span', 'kind', snapshot.class), this.#age])
    const events = element('div', 'events', [element('h3', '', say('events')), this.#events])
    const header = element('header', '', [heading, this.#verdict])
    this.element = element('section', 'link', [header, ...[...this.#paths.values()].map(path => path.element), element('div', 'below', [this.#classes.element, events])])
    this.element.id = `link-${snapshot.link}`
    this.element.setAttribute('aria-label', snapshot.link)
  }

  /** Shows a reading, and what the window has between two instants in seconds since the epoch. */
  show(record: LinkRecord, window: SeriesWindow, from: number, to: number): void {
    const { level, sentences } = verdictOf(record, this.#say, this.#language)
    setText(this.#verdict, `${SIGNS[level]} ${sentences.join(' · ')}`)
    this.#verdict.className = `verdict ${level}`
    this.element.dataset['level'] = level
    setText(this.#age, this.#say('openFor', { n: inUnits((record.at - record.snapshot.openedAt) / 1000) }))
    for (const path of record.snapshot.paths) {
      const marks = record.snapshot.events.filter(event => SERIOUS.has(event.kind) && (event.path ?? path.path) === path.path).map(event => event.at / 1000)
      this.#paths.get(path.path)?.show(path, window, { from, to, marks })
    }
    this.#classes.show(record)
    this.#showEvents(record.snapshot.events)
  }

  #showEvents(events: readonly LinkEvent[]): void {
    const key = `${events.length}/${events.at(-1)?.at ?? 0}/${events.at(-1)?.kind ?? ''}`
    if (key === this.#shownEvents) return
    this.#shownEvents = key
    const items = events.toReversed().map(event => {
      const time = element('time', '', timeOfDay(event.at))
      time.dateTime = new Date(event.at).toISOString()
      const words = element('span', SERIOUS.has(event.kind) ? 'serious' : '', headlineOf(event, this.#say))
      const about = [event.kind.startsWith('path') ? undefined : event.path, evidenceOf(event, this.#language)].filter(it => it !== undefined && it !== '')
      return element('li', '', [time, words, element('span', 'evidence', about.join(': '))])
    })
    this.#events.replaceChildren(...(items.length > 0 ? items : [element('li', 'evidence', this.#say('noEvents'))]))
  }
}
