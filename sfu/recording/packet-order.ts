/** A packet that is missing is waited for until so many later ones are there. */
const MAX_HELD = 128

/** Puts the packets of one RTP stream in order again, as far as that is worth waiting for. */
export class PacketOrder {
  readonly #held = new Map<number, Buffer>()
  #next: number | undefined

  /** @returns What can be passed on now, in order. Repetitions, and what comes too late, are not. */
  push(sequenceNumber: number, packet: Buffer): Buffer[] {
    this.#next ??= sequenceNumber
    if (((sequenceNumber - this.#next) & 0xffff) >= 0x8000) return []
    this.#held.set(sequenceNumber, packet)
    if (this.#held.size > MAX_HELD) this.#skip()
    const ready: Buffer[] = []
    for (;;) {
      const found = this.#held.get(this.#next)
      if (found === undefined) return ready
      this.#held.delete(this.#next)
      ready.push(found)
      this.#next = (this.#next + 1) & 0xffff
    }
  }

  /** Gives up what is missing before the first that is there. */
  #skip(): void {
    const next = this.#next ?? 0
    const distance = (of: number): number => (of - next) & 0xffff
    this.#next = [...this.#held.keys()].reduce((nearest, each) => (distance(each) < distance(nearest) ? each : nearest))
  }
}
