import { z } from 'zod'
import { RelayFault, toFault } from '../../wire/fault.ts'
import { millis } from '../../wire/units.ts'
import { CONNECTION_LIMITS, ConnectionCount } from './connection-count.ts'
import { SlideHttp } from './slide-http.ts'
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

/** Chunks by HTTPS: one `PUT` on each connection at a time, and as many connections as bring more. */
export class HttpsCarrier implements ChunkCarrier {
  readonly kind = 'https'
  readonly #http: SlideHttp
  readonly #count: ConnectionCount
  readonly #clock: Clock
  readonly #silence: Millis
  #underWay = 0

  constructor(origin: SlideOrigin, { clock, connections = CONNECTION_LIMITS, silence = millis(60_000) }: HttpsCarrierOptions) {
    this.#http = new SlideHttp(origin)
    this.#clock = clock
    this.#silence = silence
    this.#count = new ConnectionCount({ ...connections, interval: millis(1000) })
  }

  get window(): number {
    return this.#count.count
  }

  async put(slideId: SlideId, sha256: Sha256, body: Buffer, signal: AbortSignal): Promise<'stored' | 'known'> {
    this.#underWay++
    try {
      const request = { method: 'PUT', path: `/slides/${slideId}/chunks/${sha256}`, headers: { 'content-type': 'application/octet-stream' }, body, silence: this.#silence } as const
      const { body: answer } = await this.#http.send(request, signal)
      this.#count.completed(body.length, this.#underWay >= this.#count.count, this.#clock.now())
      return parse(answer)
    } catch (error) {
      if (['unavailable', 'timeout'].includes(toFault(error).code)) this.#count.lost()
      throw error
    } finally {
      this.#underWay--
    }
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
