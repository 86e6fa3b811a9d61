import { fileURLToPath } from 'node:url'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { PublisherMessage } from './publisher-messages.ts'
import type { PublisherCommand } from './publisher-messages.ts'

const MAIN = fileURLToPath(new URL('publisher-main.ts', import.meta.url))
const DEADLINE = millis(20_000)

type Counts = Extract<PublisherMessage, { type: 'counts' }>

/** A microscope in a process of its own, which sends what an 8K one does, to whom it is told. */
export class PublisherProcess implements AsyncDisposable {
  readonly #program: ChildProgram
  readonly #heard: Heard
  readonly #signal: AbortSignal

  private constructor(program: ChildProgram, heard: Heard, signal: AbortSignal) {
    this.#program = program
    this.#heard = heard
    this.#signal = signal
  }

  /** @throws {RelayFault} `unavailable`, `timeout`. */
  static async open(signal: AbortSignal): Promise<PublisherProcess> {
    const heard = new Heard()
    const ready = heard.next('ready')
    await using scope = new AsyncDisposableStack()
    const program = scope.use(await ChildProgram.start({ name: 'publisher', command: process.execPath, args: [MAIN], onMessage: message => heard.take(message) }))
    await program.until(ready, DEADLINE, signal)
    scope.move()
    return new PublisherProcess(program, heard, signal)
  }

  /** Joins and publishes; settles when media can flow. @throws {RelayFault} `unavailable`. */
  async publish(command: Omit<Extract<PublisherCommand, { type: 'publish' }>, 'type'>): Promise<void> {
    await this.#ask({ type: 'publish', ...command }, 'publishing')
  }

  /** What it sent since it published, and what became of its session. @throws {RelayFault} `unavailable`. */
  counts(): Promise<Counts> {
    return this.#ask({ type: 'count' }, 'counts')
  }

  /** Sends nothing any more. */
  stop(): void {
    this.#program.send({ type: 'stop' } satisfies PublisherCommand)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }

  #ask<Type extends PublisherMessage['type']>(command: PublisherCommand, type: Type): Promise<Extract<PublisherMessage, { type: Type }>> {
    const answer = this.#heard.next(type)
    this.#program.send(command)
    return this.#program.until(answer, DEADLINE, this.#signal)
  }
}

/** Hands messages to who waits for them: one at a time for each kind. */
class Heard {
  readonly #waiting = new Map<string, PromiseWithResolvers<PublisherMessage>>()

  next<Type extends PublisherMessage['type']>(type: Type): Promise<Extract<PublisherMessage, { type: Type }>> {
    const waiting = Promise.withResolvers<PublisherMessage>()
    this.#waiting.set(type, waiting)
    return waiting.promise as Promise<Extract<PublisherMessage, { type: Type }>>
  }

  take(raw: unknown): void {
    const message = PublisherMessage.parse(raw)
    if (message.type === 'failed') {
      for (const { reject } of this.#waiting.values()) reject(new RelayFault('unavailable', `the publisher failed: ${message.message}`))
      this.#waiting.clear()
      return
    }
    this.#waiting.get(message.type)?.resolve(message)
    this.#waiting.delete(message.type)
  }
}
