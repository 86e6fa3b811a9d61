import { element, setText } from './element.ts'
import { LinkView, shapeOf } from './link-view.ts'
import { LiveUpdates } from './live-updates.ts'
import { SeriesWindow } from './series-window.ts'
import { speaker } from './words.ts'
import type { LinkRecord } from '../link-history.ts'
import type { LinkHistoryReport, LinkUpdate } from '../link-pages.ts'
import type { Language } from './words.ts'
import type { UpdateReader } from './live-updates.ts'

const SHORTEST_RANGE_SECONDS = 60

interface ShownLink {
  readonly shape: string
  readonly view: LinkView
  readonly tab: HTMLAnchorElement
  window: SeriesWindow
  record: LinkRecord
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/** The page: all links of a node, live. */
class LinksPage implements UpdateReader {
  readonly #language: Language = document.documentElement.lang === 'ja' ? 'ja' : 'en'
  readonly #say = speaker(this.#language)
  readonly #links = new Map<string, ShownLink>()
  readonly #root = byId('links')
  readonly #tabs = byId('tabs')
  readonly #status = byId('status')
  #rangeSeconds = 600
  #historyLength = 600
  #isPaused = false
  #at = 0

  constructor() {
    const pause = byId('pause')
    pause.addEventListener('click', () => {
      this.#isPaused = !this.#isPaused
      pause.setAttribute('aria-pressed', String(this.#isPaused))
      setText(pause, this.#say(this.#isPaused ? 'resume' : 'pause'))
      this.#draw()
    })
    const ranges = [...document.querySelectorAll<HTMLButtonElement>('[data-range-seconds]')]
    for (const button of ranges) {
      button.addEventListener('click', () => {
        this.#rangeSeconds = Number(button.dataset['rangeSeconds'])
        for (const other of ranges) other.setAttribute('aria-pressed', String(other === button))
        this.#draw()
      })
    }
  }

  begin({ links, at, historyLength }: LinkHistoryReport): void {
    this.#historyLength = historyLength
    const windows = new Map<string, SeriesWindow>(links.map(record => [record.snapshot.link, new SeriesWindow(record.series, historyLength)]))
    for (const [name, shown] of this.#links) shown.window = windows.get(name) ?? shown.window
    this.#take(at, links, name => windows.get(name))
  }

  update({ links, at }: LinkUpdate): void {
    this.#take(at, links, () => undefined)
  }

  tick(staleSeconds: number | undefined | null): void {
    const isLive = staleSeconds === undefined
    const words = staleSeconds === null ? this.#say('waiting') : staleSeconds === undefined ? this.#say('live') : this.#say('stale', { n: staleSeconds })
    setText(this.#status, this.#isPaused && isLive ? this.#say('paused') : words)
    this.#status.className = staleSeconds === null || this.#isPaused ? 'waiting' : isLive ? 'live' : 'stale'
    document.body.classList.toggle('is-stale', typeof staleSeconds === 'number')
  }

  #take(at: number, records: readonly LinkRecord[], windowOf: (name: string) => SeriesWindow | undefined): void {
    this.#at = at
    const names = new Set<string>(records.map(({ snapshot }) => snapshot.link))
    for (const [name, { view, tab }] of this.#links) {
      if (names.has(name)) continue
      view.element.remove()
      tab.parentElement?.remove()
      this.#links.delete(name)
    }
    for (const record of records) {
      const shown = this.#shown(record, windowOf(record.snapshot.link))
      shown.record = record
      if (record.isOpen) shown.window.push(record.at / 1000, record.sample)
    }
    byId('no-links').hidden = records.length > 0
    if (!this.#isPaused) this.#draw()
  }

  #shown(record: LinkRecord, window: SeriesWindow | undefined): ShownLink {
    const name = record.snapshot.link
    const before = this.#links.get(name)
    if (before?.shape === shapeOf(record)) return before
    const tab = before?.tab ?? element('a', '', name)
    tab.href = `#link-${name}`
    const view = new LinkView(record, this.#say, this.#language)
    const shown = { shape: shapeOf(record), view, tab, window: before?.window ?? window ?? new SeriesWindow(undefined, this.#historyLength), record }
    if (before !== undefined) before.view.element.replaceWith(view.element)
    else {
      const next = [...this.#links.keys()].filter(other => other > name).sort()[0]
      const after = next === undefined ? undefined : this.#links.get(next)
      this.#root.insertBefore(view.element, after?.view.element ?? null)
      this.#tabs.insertBefore(element('li', '', [tab]), after?.tab.parentElement ?? null)
    }
    this.#links.set(name, shown)
    return shown
  }

  #draw(): void {
    const to = this.#at / 1000
    for (const { view, window, record, tab } of this.#links.values()) {
      // A link that is younger than the range has all the room, but no less than a minute.
      const from = Math.max(to - this.#rangeSeconds, Math.min(to - SHORTEST_RANGE_SECONDS, window.at[0] ?? to))
      view.show(record, window, from, to)
      tab.dataset['level'] = view.element.dataset['level'] ?? ''
    }
  }
}

new LiveUpdates(new LinksPage())
