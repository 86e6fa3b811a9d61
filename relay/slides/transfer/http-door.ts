import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import { millis } from '../../wire/units.ts'
import { SQUARES_AT_ONCE } from '../tiles/square-shelf.ts'
import { SlideHttp } from './slide-http.ts'
import { WANTED_LIMITS } from './wanted-registry.ts'
import type { SlideId } from '../../wire/ids.ts'
import type { SlideOrigin, SlideRequest } from './slide-http.ts'
import type { PreparedLevel, PreparedSlide, SlideDoor, WantedChunks } from './transfer.ts'

/** For every request: without anything being sent or received for so long, it failed. A node answers a long poll after 20 s. */
const SILENCE = millis(60_000)

const Wanted = z.looseObject({
  serial: z.int().min(0),
  chunks: z.array(z.strictObject({ level: z.int().min(0).max(SLIDE_LIMITS.levels - 1), chunk: z.int().min(0).max(SLIDE_LIMITS.tiles) })).max(WANTED_LIMITS.chunks),
  // Of a node that does not know of them, none are wanted.
  squares: z.array(z.strictObject({ level: z.int().min(0).max(SLIDE_LIMITS.levels - 1), square: z.int().min(0).max(SLIDE_LIMITS.tiles - 1) })).max(SQUARES_AT_ONCE).default([]),
})

const JSON_BODY = { 'content-type': 'application/json' }

/** A node's `/slides`, for a scanner. */
export class HttpDoor implements SlideDoor, Disposable {
  readonly #http: SlideHttp

  constructor(origin: SlideOrigin) {
    this.#http = new SlideHttp(origin)
  }

  async announce({ structureBytes, key }: Pick<PreparedSlide, 'structureBytes' | 'key'>, signal: AbortSignal): Promise<void> {
    const body = Buffer.from(JSON.stringify({ structure: structureBytes.toString('base64'), key }))
    await this.#send({ method: 'POST', path: '/slides', headers: JSON_BODY, body }, signal)
  }

  async putLevel(slideId: SlideId, { level, head, indexBytes }: PreparedLevel, signal: AbortSignal): Promise<Uint8Array> {
    const headers = { 'content-type': 'application/octet-stream', 'kenkyo-head': head }
    return this.#send({ method: 'PUT', path: `/slides/${slideId}/levels/${level}`, headers, body: indexBytes }, signal)
  }

  missing(slideId: SlideId, level: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#send({ method: 'GET', path: `/slides/${slideId}/levels/${level}/missing` }, signal)
  }

  async wanted(slideId: SlideId, after: number, signal: AbortSignal): Promise<WantedChunks> {
    const answer = await this.#send({ method: 'GET', path: `/slides/${slideId}/wanted?after=${after}` }, signal)
    try {
      return Wanted.parse(JSON.parse(answer.toString('utf8')))
    } catch (cause) {
      throw new RelayFault('unavailable', 'the answer is not that of a node', { cause })
    }
  }

  async complete(slideId: SlideId, head: string, signal: AbortSignal): Promise<void> {
    await this.#send({ method: 'PUT', path: `/slides/${slideId}/head`, headers: JSON_BODY, body: Buffer.from(JSON.stringify({ head })) }, signal)
  }

  /** Deletes a slide that this scanner sent. @throws {RelayFault} As {@link SlideHttp.send}. */
  async delete(slideId: SlideId, signal: AbortSignal): Promise<void> {
    await this.#send({ method: 'DELETE', path: `/slides/${slideId}` }, signal)
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]()
  }

  async #send(request: Omit<SlideRequest, 'silence'>, signal: AbortSignal): Promise<Buffer> {
    return (await this.#http.send({ ...request, silence: SILENCE }, signal)).body
  }
}
