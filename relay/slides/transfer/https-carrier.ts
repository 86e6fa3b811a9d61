import { z } from 'zod'
import { RelayFault, toFault } from '../../wire/fault.ts'
import { millis } from '../../wire/units.ts'
import { CONNECTION_LIMITS, ConnectionCount } from './connection-count.ts'
import { SlideHttp } from './slide-http.ts'
import { Turns } from './turns.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Sha256, SlideId } from '../../wire/ids.ts'
import type { Millis } from '../../wire/units.ts'
import type { SlideOrigin } from './slide-http.ts'
import type { ChunkCarrier } from './transfer.ts'

/** What the carrier may be told. */
export interface HttpsCarrierOptions {
  readonly clock: Clock
  /** At least and at most so many connections, and how many at first. */
  readonly connections?: { readonly least: number; readonly most: number; readonly first: number }
  /** How long a connection may carry nothing. */
  readonly silence?: Millis
}

const Outcome = z.looseObject({ outcome: z.enum(['stored', 'known']) })

/** Times of {@link ConnectionCount}: a new connection needs several round trips before it carries what it can. */
const COUNT_TIMES = { interval: millis(1000), settling: millis(500) } as const
/** For so many connections one more chunk is under way: it is read from its file while they carry theirs. */
const CONNECTIONS_OF_A_CHUNK_AHEAD = 8

/** Chunks by HTTPS: one `PUT` on each connection at a time, and as many connections as bring more. */
export class HttpsCarrier implements ChunkCarrier {
  readonly kind = 'https'
  readonly #http: SlideHttp
  readonly #count: ConnectionCount
  readonly #clock: Clock
  readonly #silence: Millis
  readonly #turns = new Turns(() => this.#count.count)

  constructor(origin: SlideOrigin, { clock, connections = CONNECTION_LIMITS, silence = millis(60_000) }: HttpsCarrierOptions) {
    this.#http = new SlideHttp(origin)
    this.#clock = clock
    this.#silence = silence
    this.#count = new ConnectionCount({ ...connections, ...COUNT_TIMES })
  }

  get window(): number {
    const { count } = this.#count
    return count + Math.ceil(count / CONNECTIONS_OF_A_CHUNK_AHEAD)
  }

  async put(slideId: SlideId, sha256: Sha256, body: Buffer, signal: AbortSignal): Promise<'stored' | 'known'> {
    await this.#turns.take(signal)
    this.#count.began(this.#clock.now())
    try {
      const onTaken = (length: number): void => {
        this.#count.carried(length, this.#clock.now())
        this.#turns.admit()
      }
      const request = { method: 'PUT', path: `/slides/${slideId}/chunks/${sha256}`, headers: { 'content-type': 'application/octet-stream' }, body, onTaken, silence: this.#silence } as const
      const { body: answer } = await this.#http.send(request, signal)
      return parse(answer)
    } catch (error) {
      if (['unavailable', 'timeout'].includes(toFault(error).code)) this.#count.lost()
      throw error
    } finally {
      this.#count.ended(this.#clock.now())
      this.#turns.give()
    }
  }

  /** By a connection besides the others: it waits for none of them. */
  async putSquare(slideId: SlideId, message: Buffer, signal: AbortSignal): Promise<void> {
    const request = { method: 'PUT', path: `/slides/${slideId}/squares`, headers: { 'content-type': 'application/octet-stream' }, body: message, silence: this.#silence } as const
    await this.#http.send(request, signal)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#http[Symbol.dispose]()
    return Promise.resolve()
  }
}

function parse(answer: Buffer): 'stored' | 'known' {
  try {
    return Outcome.parse(JSON.parse(answer.toString('utf8'))).outcome
  } catch (cause) {
    throw new RelayFault('unavailable', 'the answer is not that of a node', { cause })
  }
}
