import { fileURLToPath } from 'node:url'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { ReceiverMessage } from './messages.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { Place } from '../local-node.ts'
import type { ReceiverCommand, ReceiverSecond } from './messages.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const JOIN_DEADLINE = millis(45_000)
const WATCH_DEADLINE = millis(10_000)

/** How a receiver is started. */
export interface ReceiverProcessOptions {
  /** What failures call it. */
  readonly name: string
  readonly invitation: string
  /** From the first packet of an instant to the last moment at which its packets count. */
  readonly frameDeadline: Millis
  /** A file that gets one line per frame; see `ArrivalLog`. */
  readonly arrivalLog?: string | undefined
  /** Where it runs; on this machine's own network without it. */
  readonly place?: Place | undefined
  readonly signal: AbortSignal
  /** Called once per second. */
  readonly onSecond: (second: ReceiverSecond) => void
}

type Ready = Extract<ReceiverMessage, { type: 'ready' }>

/** A headless receiver in a process of its own, as seen by the one that started it. */
export class ReceiverProcess implements AsyncDisposable {
  readonly program: ChildProgram
  readonly pyramid: Pyramid
  /** From starting to join until media could flow. */
  readonly joinTime: Millis
  readonly #signal: AbortSignal
  readonly #answers: Answers
  #commandId = 0

  private constructor(program: ChildProgram, ready: Ready, answers: Answers, signal: AbortSignal) {
    this.program = program
    this.pyramid = ready.pyramid
    this.joinTime = millis(ready.joinMillis)
    this.#answers = answers
    this.#signal = signal
  }

  /** Starts it and waits until it is connected; nothing flows before {@link watch}. @throws {RelayFault} What the receiver failed with. */
  static async open(options: ReceiverProcessOptions): Promise<ReceiverProcess> {
    const answers = new Answers(options.onSecond)
    await using scope = new AsyncDisposableStack()
    const program = scope.use(
      await ChildProgram.start({
        name: options.name,
        command: process.execPath,
        args: [MAIN],
        enter: options.place?.enter ?? [],
        environment: { ...options.place?.environment, KENKYO_INVITATION: options.invitation, KENKYO_FRAME_DEADLINE_MILLIS: String(options.frameDeadline), ...(options.arrivalLog === undefined ? {} : { KENKYO_ARRIVAL_LOG: options.arrivalLog }) },
        onMessage: message => answers.receive(message),
      }),
    )
    const ready = await program.until(Promise.race([answers.ready, answers.failed]), JOIN_DEADLINE, options.signal)
    scope.move()
    return new ReceiverProcess(program, ready, answers, options.signal)
  }

  /** Watches exactly these renditions; settles when the node has agreed. @throws {RelayFault} What the receiver failed with. */
  async watch(renditions: readonly RenditionId[]): Promise<void> {
    const commandId = this.#commandId++
    const done = this.#answers.watching(commandId)
    this.program.send({ type: 'watch', commandId, renditions: [...renditions] } satisfies ReceiverCommand)
    await this.program.until(Promise.race([done, this.#answers.failed]), WATCH_DEADLINE, this.#signal)
  }

  /** Rejects when the receiver fails; never resolves. */
  get failed(): Promise<never> {
    return this.#answers.failed
  }

  /** Leaves and ends. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    this.program.send({ type: 'leave' } satisfies ReceiverCommand)
    return this.program.stop()
  }
}

/** Sorts what a receiver says. */
class Answers {
  readonly #ready = Promise.withResolvers<Ready>()
  readonly #failed = Promise.withResolvers<never>()
  readonly #watching = new Map<number, () => void>()
  readonly #onSecond: (second: ReceiverSecond) => void

  constructor(onSecond: (second: ReceiverSecond) => void) {
    this.#onSecond = onSecond
    // Whoever waits for something sees it; a failure while nobody waits shows at the next wait.
    this.#failed.promise.catch(() => undefined)
  }

  get ready(): Promise<Ready> {
    return this.#ready.promise
  }

  get failed(): Promise<never> {
    return this.#failed.promise
  }

  watching(commandId: number): Promise<void> {
    return new Promise(resolve => this.#watching.set(commandId, resolve))
  }

  receive(raw: unknown): void {
    const message = ReceiverMessage.parse(raw)
    switch (message.type) {
      case 'ready':
        this.#ready.resolve(message)
        return
      case 'watching':
        this.#watching.get(message.commandId)?.()
        this.#watching.delete(message.commandId)
        return
      case 'second':
        this.#onSecond(message)
        return
      case 'failed':
        this.#failed.reject(new RelayFault(message.code, `a receiver failed: ${message.message}`))
        return
      default:
        return message satisfies never
    }
  }
}
