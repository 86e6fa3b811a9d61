/** A FIFO that drops its oldest item when full, and counts what it dropped. */
export class DropOldestQueue<Item> {
  readonly #capacity: number
  readonly #items: Item[] = []
  #head = 0
  #dropped = 0

  /** @param capacity - The most items it holds; at least 1. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new Error('a queue needs a capacity of at least 1')
    this.#capacity = capacity
  }

  get length(): number {
    return this.#items.length - this.#head
  }

  /** Appends; returns the item that had to go, if one had to. */
  push(item: Item): Item | undefined {
    this.#items.push(item)
    if (this.length <= this.#capacity) return undefined
    this.#dropped++
    return this.shift()
  }

  /** The oldest item, left in place. */
  peek(): Item | undefined {
    return this.#items[this.#head]
  }

  /** Removes and returns the oldest item. */
  shift(): Item | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#head++
    if (this.#head > this.#capacity) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }

  /** Items dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }
}
