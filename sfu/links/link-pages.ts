import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { RelayFault } from '../../relay/wire/fault.ts'
import { HISTORY_LENGTH, LinkHistory } from './link-history.ts'
import { pageShell } from './page/shell.ts'
import { chooseLanguage } from './page/words.ts'
import type { FastifyInstance } from 'fastify'
import type { LinkRecord, LinkSeries } from './link-history.ts'
import type { LinkDirectory } from './link-metrics.ts'

/** One update of the page: every link as it is now. */
export interface LinkUpdate {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly links: readonly LinkRecord[]
}

/** What `GET /links.json` answers. */
export interface LinkHistoryReport {
  readonly at: number
  /** Samples that the node keeps, one a second. */
  readonly historyLength: number
  readonly links: readonly (LinkRecord & { readonly series: LinkSeries | undefined })[]
}

/** Pages that are told of updates at the same time. */
export const MAX_EVENT_CLIENTS = 32
/** A page that leaves more than this unread is cut off; it comes back by itself. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024

const PAGE_FILES = ['main.ts', 'class-table.ts', 'element.ts', 'figures.ts', 'link-view.ts', 'live-updates.ts', 'path-view.ts', 'plot.ts', 'sentences.ts', 'series-window.ts', 'words.ts', 'page.css']
const LIBRARY_FILES: Readonly<Record<string, string>> = { 'uplot.js': 'uplot/dist/uPlot.esm.js', 'uplot.css': 'uplot/dist/uPlot.min.css' }

/**
 * The page of links, `GET /links`, and what feeds it. It needs no build: scripts are served with their types stripped.
 * Whoever owns it calls {@link update} once a second.
 */
export class LinkPages {
  readonly #directory: LinkDirectory
  readonly #history = new LinkHistory()
  readonly #clients = new Set<Readable>()
  #at = 0
  /** The answer of `/links.json`, made at most once for each reading. */
  #report: string | undefined
  #cutOff = 0

  constructor(directory: LinkDirectory) {
    this.#directory = directory
  }

  /**
   * Takes a reading and tells the pages.
   *
   * @param at - Milliseconds since the epoch.
   */
  update(at: number): void {
    this.#at = at
    this.#report = undefined
    this.#history.step(at, this.#directory.snapshots(), this.#directory.takeClosed())
    if (this.#clients.size === 0) return
    const message = this.#message()
    for (const client of this.#clients) {
      if (client.readableLength > MAX_UNREAD_BYTES) {
        this.#cutOff++
        client.destroy()
      } else client.push(message)
    }
  }

  /** Pages that are told of updates now. */
  get clientCount(): number {
    return this.#clients.size
  }

  /** Pages cut off for not reading, since the last call. */
  takeCutOff(): number {
    const cutOff = this.#cutOff
    this.#cutOff = 0
    return cutOff
  }

  /** Adds the routes. */
  addTo(app: FastifyInstance): void {
    app.get<{ Querystring: { lang?: unknown } }>('/links', (request, reply) => {
      const { lang } = request.query
      const language = chooseLanguage(typeof lang === 'string' ? lang : undefined, request.headers['accept-language'])
      return reply.header('cache-control', 'no-store').header('content-language', language).header('vary', 'accept-language').type('text/html; charset=utf-8').send(pageShell(language))
    })
    app.get('/links.json', (_request, reply) => reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(this.#report ??= this.#reportText()))
    app.get('/links/events', { exposeHeadRoute: false }, (_request, reply) => {
      const client = this.#admit()
      return reply.header('cache-control', 'no-store').header('x-accel-buffering', 'no').type('text/event-stream').send(client)
    })
    const files = new Map<string, Promise<string>>()
    const readOnce = (name: string): Promise<string> => {
      let text = files.get(name)
      if (text === undefined) files.set(name, (text = readPageFile(name)))
      return text
    }
    for (const name of [...PAGE_FILES, ...Object.keys(LIBRARY_FILES)]) {
      const type = name.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8'
      app.get(`/links/page/${name}`, async (_request, reply) => reply.header('cache-control', 'no-cache').type(type).send(await readOnce(name)))
    }
  }

  /** Ends what is told to pages. */
  close(): void {
    for (const client of this.#clients) client.destroy()
  }

  /** @throws {RelayFault} `overloaded` when enough pages are told already. */
  #admit(): Readable {
    if (this.#clients.size >= MAX_EVENT_CLIENTS) throw new RelayFault('overloaded', 'too many pages of links are open')
    const client = new Readable({ read: () => undefined })
    this.#clients.add(client)
    client.once('close', () => this.#clients.delete(client))
    client.push(this.#message())
    return client
  }

  #message(): string {
    const update: LinkUpdate = { at: this.#at, links: this.#history.records }
    return `event: update\ndata: ${JSON.stringify(update)}\n\n`
  }

  #reportText(): string {
    const links = this.#history.records.map(record => ({ ...record, series: this.#history.series(record.snapshot.link) }))
    return JSON.stringify({ at: this.#at, historyLength: HISTORY_LENGTH, links } satisfies LinkHistoryReport)
  }
}

/** A file as the browser gets it. */
async function readPageFile(name: string): Promise<string> {
  const library = LIBRARY_FILES[name]
  if (library !== undefined) return readFile(fileURLToPath(import.meta.resolve(library)), 'utf8')
  const text = await readFile(new URL(`page/${name}`, import.meta.url), 'utf8')
  return name.endsWith('.ts') ? stripTypeScriptTypes(text).replace("from 'uplot'", "from './uplot.js'") : text
}
