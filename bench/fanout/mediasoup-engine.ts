import { fileURLToPath } from 'node:url'
import { millis } from '../../relay/wire/units.ts'
import { findFreePorts } from '../free-ports.ts'
import { answeredDtls } from '../receiver/media-peer.ts'
import { ChildProgram } from '../processes.ts'
import { FIRST_SSRC } from './rtp-source.ts'
import { fanoutPyramid } from './fanout-pyramid.ts'
import { MediasoupReply } from './mediasoup-messages.ts'
import type { EngineOffer, EngineOptions, FanoutEngine } from './fanout-engine.ts'
import type { MediasoupCommand } from './mediasoup-messages.ts'

const MAIN = fileURLToPath(new URL('mediasoup-main.ts', import.meta.url))
const REPLY_DEADLINE = millis(20_000)

/** Which of two programs with mediasoup in them. */
export interface MediasoupVariant {
  /** `kenkyo`: our own rooms, flow control and statistics; `mediasoup`: the bare library. */
  readonly name: 'kenkyo' | 'mediasoup'
  /** On top of this process's own. */
  readonly environment: Readonly<Record<string, string>>
}

/** mediasoup, bare or as our SFU uses it, in a process of its own. */
export class MediasoupEngine implements FanoutEngine {
  readonly #program: ChildProgram
  readonly #signal: AbortSignal
  #ports: readonly number[] = []
  readonly #replies: ReplyBox

  private constructor(program: ChildProgram, replies: ReplyBox, signal: AbortSignal) {
    this.#program = program
    this.#replies = replies
    this.#signal = signal
  }

  /** @throws {RelayFault} `unavailable` or `timeout`, quoting its last words. */
  static async open({ name, environment }: MediasoupVariant, { schedule, sourcePort, enter, signal }: EngineOptions): Promise<MediasoupEngine> {
    const replies = new ReplyBox()
    const program = await ChildProgram.start({
      name, command: process.execPath, args: [MAIN, name], enter, environment,
      onMessage: message => replies.resolve(MediasoupReply.parse(message)),
    })
    const engine = new MediasoupEngine(program, replies, signal)
    await using scope = new AsyncDisposableStack()
    scope.use(engine)
    const opened = await engine.#ask({ type: 'open', pyramid: fanoutPyramid(schedule), firstSsrc: FIRST_SSRC, mediaPort: await findFreePorts(1), sourcePort }, 'opened')
    engine.#ports = schedule.tracks.map(() => opened.port)
    scope.move()
    return engine
  }

  get pid(): number {
    return this.#program.pid
  }

  get ports(): readonly number[] {
    return this.#ports
  }

  async offer(): Promise<EngineOffer> {
    const { viewer, sdp } = await this.#ask({ type: 'offer' }, 'offered')
    return { sdp, accept: answer => this.#ask({ type: 'accept', viewer, dtlsParameters: answeredDtls(answer) }, 'accepted').then(() => undefined) }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }

  /** One question at a time. */
  async #ask<Type extends MediasoupReply['type']>(command: MediasoupCommand, type: Type): Promise<Extract<MediasoupReply, { type: Type }>> {
    const next = this.#replies.next()
    this.#program.send(command)
    const reply = await this.#program.until(next, REPLY_DEADLINE, this.#signal)
    if (reply.type !== type) throw new Error(`${reply.type} is no answer to ${command.type}`)
    return reply as Extract<MediasoupReply, { type: Type }>
  }
}

/** Hands each reply to whoever waits for one. */
class ReplyBox {
  #waiting: ((reply: MediasoupReply) => void) | undefined

  resolve(reply: MediasoupReply): void {
    this.#waiting?.(reply)
  }

  next(): Promise<MediasoupReply> {
    return new Promise(resolve => {
      this.#waiting = resolve
    })
  }
}
