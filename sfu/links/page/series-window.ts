import type { LinkSample, LinkSeries } from '../link-history.ts'

type Columns = Readonly<Record<string, (number | null)[]>>

/** The last samples of one link by column, as plots want them. Keeps as many as the node does. */
export class SeriesWindow {
  readonly at: number[]
  readonly #capacity: number
  readonly #columns = new Map<string, Columns>()

  /** @param series - What the node remembers; without it nothing is known yet. */
  constructor(series: LinkSeries | undefined, capacity: number) {
    this.#capacity = capacity
    this.at = [...(series?.at ?? [])]
    for (const kind of ['paths', 'classes'] as const) {
      const remembered: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>> = series?.[kind] ?? {}
      for (const [name, columns] of Object.entries(remembered)) {
        this.#columns.set(`${kind}/${name}`, Object.fromEntries(Object.entries(columns).map(([id, values]) => [id, [...values]])))
      }
    }
  }

  /** Adds a sample. One that is not newer than the last is left out. @param at - Seconds since the epoch. */
  push(at: number, sample: LinkSample): void {
    if (at <= (this.at.at(-1) ?? 0)) return
    this.at.push(at)
    for (const kind of ['paths', 'classes'] as const) {
      const rows: Readonly<Record<string, Readonly<Record<string, number | null>>>> = sample[kind]
      for (const [name, values] of Object.entries(rows)) this.#row(`${kind}/${name}`, values)
    }
    const isFull = this.at.length > this.#capacity
    for (const columns of this.#columns.values()) {
      for (const column of Object.values(columns)) {
        // A path or class that the sample does not have is not known there.
        if (column.length < this.at.length) column.push(null)
        if (isFull) column.shift()
      }
    }
    if (isFull) this.at.shift()
  }

  /** A column; all unknown where there is none. */
  column(kind: 'paths' | 'classes', name: string, id: string): readonly (number | null)[] {
    return this.#columns.get(`${kind}/${name}`)?.[id] ?? this.at.map(() => null)
  }

  #row(key: string, values: Readonly<Record<string, number | null>>): void {
    let columns = this.#columns.get(key)
    if (columns === undefined) {
      const before = this.at.length - 1
      columns = Object.fromEntries(Object.keys(values).map(id => [id, Array<number | null>(before).fill(null)]))
      this.#columns.set(key, columns)
    }
    for (const [id, value] of Object.entries(values)) columns[id]?.push(value)
  }
}
