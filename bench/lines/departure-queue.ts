import type { Millis } from '../../relay/wire/units.ts'

interface Entry<Item> {
  readonly at: Millis
  readonly order: number
  readonly item: Item
}

/** Items by the instant at which they are due; those of one instant in the order they came. Bounded: a full one refuses. */
export class DepartureQueue<Item> {
  readonly #capacity: number
  readonly #heap: Entry<Item>[] = []
  #order = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#heap.length
  }

  /** When the first is due; `Infinity` when there is none. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Infinity
  }

  /** Whether there was room. */
  push(at: Millis, item: Item): boolean {
    if (this.#heap.length === this.#capacity) return false
    const heap = this.#heap
    const entry = { at, order: this.#order++, item }
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || !isBefore(entry, parent)) break
      heap[index] = parent
      index = above
    }
    heap[index] = entry
    return true
  }

  /** The first, if it is due. */
  shift(now: Millis): { readonly at: Millis; readonly item: Item } | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.at > now) return undefined
    const last = heap.pop()
    if (last !== undefined && last !== first) this.#sink(last)
    return first
  }

  #sink(entry: Entry<Item>): void {
    const heap = this.#heap
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const isRight = left !== undefined && right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (child === undefined || !isBefore(child, entry)) break
      heap[index] = child
      index = 2 * index + (isRight ? 2 : 1)
    }
    heap[index] = entry
  }
}

const isBefore = (a: Entry<unknown>, b: Entry<unknown>): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
