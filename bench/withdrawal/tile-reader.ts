import { Agent, request } from 'node:http'
import { once } from 'node:events'
import { Arrivals } from './arrivals.ts'
import type { IncomingMessage } from 'node:http'
import type { RandomSlide } from './random-slide.ts'
import type { GrantedPerson, PlatformNode } from './withdrawal-world.ts'

/** Tiles that are asked for at a time. */
const AT_ONCE = 4
/** From one to the next: about 150 tiles a second together, as somebody who drags a slide asks for. */
const PAUSE_MILLIS = 20
const ANSWER_DEADLINE_MILLIS = 15_000

/** Somebody who looks around on a slide, and counts the bytes of tiles as they come. */
export class TileReader implements Disposable {
  readonly arrivals = new Arrivals()
  readonly #node: PlatformNode
  readonly #reader: GrantedPerson
  readonly #slide: RandomSlide
  readonly #side: number
  readonly #agent = new Agent({ keepAlive: true })

  /** @param side - Tiles to each side of the slide. */
  constructor(node: PlatformNode, reader: GrantedPerson, slide: RandomSlide, side: number) {
    this.#node = node
    this.#reader = reader
    this.#slide = slide
    this.#side = side
  }

  /** Reads until the signal aborts: also what is refused is asked for again. */
  async read(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: AT_ONCE }, async (_, lane) => {
      for (let tile = lane; !signal.aborted; tile += AT_ONCE) {
        await this.#fetch(tile % (this.#side * this.#side)).catch(() => undefined)
        await new Promise(resolve => setTimeout(resolve, PAUSE_MILLIS))
      }
    }))
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #fetch(tile: number): Promise<void> {
    const { person, token } = this.#reader
    const url = `${this.#node.origin}/slides/${this.#slide.slideId}/tiles/0/${tile % this.#side}/${Math.floor(tile / this.#side)}`
    const asking = request(url, { agent: this.#agent, headers: await person.headers('GET', url, token) })
    asking.on('error', () => undefined)
    asking.end()
    const [response] = (await once(asking, 'response', { signal: AbortSignal.timeout(ANSWER_DEADLINE_MILLIS) })) as [IncomingMessage]
    for await (const part of response as AsyncIterable<Buffer>) if (response.statusCode === 200) this.arrivals.note(part.length)
  }
}
