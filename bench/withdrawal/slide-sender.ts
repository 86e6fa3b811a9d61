import { RelayFault } from '../../relay/wire/fault.ts'
import { Arrivals } from './arrivals.ts'
import type { RandomSlide } from './random-slide.ts'
import type { GrantedMachine, NodeReply, PlatformNode } from './withdrawal-world.ts'

/** Chunks of 256 KB: about so many a second. */
const CHUNK_INTERVAL_MILLIS = 50
const BINARY = { 'content-type': 'application/octet-stream' }
const JSON_TYPE = { 'content-type': 'application/json' }

/** A scanner that sends slides over the members' door, and counts the chunks that the node accepts. */
export class SlideSender {
  readonly arrivals = new Arrivals()
  readonly slide: RandomSlide
  readonly #node: PlatformNode
  readonly #machine: GrantedMachine
  #refused: number | undefined

  constructor(node: PlatformNode, machine: GrantedMachine, slide: RandomSlide) {
    this.#node = node
    this.#machine = machine
    this.slide = slide
  }

  /** Status of the first answer that was no acceptance; undefined where there was none, or a connection was cut. */
  get refused(): number | undefined {
    return this.#refused
  }

  /** Announces the slide and its level. @throws {RelayFault} `grant_refused`. */
  async begin(): Promise<void> {
    const { preparation, level } = this.slide
    const announcement = Buffer.from(JSON.stringify({ structure: preparation.structureBytes.toString('base64'), key: preparation.key }))
    this.#require(await this.#ask('POST', '/slides', JSON_TYPE, announcement))
    this.#require(await this.#ask('PUT', `/slides/${this.slide.slideId}/levels/${level.level}`, { ...BINARY, 'kenkyo-head': level.head }, level.indexBytes))
  }

  /** Sends one chunk after the other until they are sent, or one is not accepted. @param pauseMillis - From one to the next. */
  async send(signal: AbortSignal, pauseMillis = CHUNK_INTERVAL_MILLIS): Promise<void> {
    const { preparation, level, slideId } = this.slide
    for (let chunk = 0; chunk < level.index.chunks && !signal.aborted; chunk++) {
      const body = await preparation.readChunk(level, chunk)
      // A connection that is cut is an end as well.
      const reply = await this.#ask('PUT', `/slides/${slideId}/chunks/${level.index.chunk(chunk).sha256}`, BINARY, body).catch(() => undefined)
      if (reply?.status !== 200) {
        this.#refused = reply?.status
        return
      }
      this.arrivals.note(body.length)
      if (pauseMillis > 0) await new Promise(resolve => setTimeout(resolve, pauseMillis))
    }
  }

  /** Says that the slide is whole. @throws {RelayFault} `grant_refused`. */
  async complete(): Promise<void> {
    const head = await this.slide.preparation.head()
    this.#require(await this.#ask('PUT', `/slides/${this.slide.slideId}/head`, JSON_TYPE, Buffer.from(JSON.stringify({ head }))))
  }

  /** Takes the slide away again, whatever of it there is. */
  async remove(): Promise<void> {
    await this.#ask('DELETE', `/slides/${this.slide.slideId}`, {})
  }

  #ask(method: string, path: string, headers: Record<string, string>, body?: Buffer): Promise<NodeReply> {
    return this.#node.askAsMachine(this.#machine.agent, this.#machine.token, method, path, headers, body)
  }

  #require({ status, body }: NodeReply): void {
    if (status >= 300) throw new RelayFault('grant_refused', `the node takes no slide: ${status} ${body.toString().slice(0, 100)}`)
  }
}
