import { randomBytes, randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { LinkEndMessage } from './link-end-messages.ts'
import type { LinkContract } from '../../relay/wire/link.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { LinkEndCommand, LinkEndOptions, LinkEndTotals } from './link-end-messages.ts'

const MAIN = fileURLToPath(new URL('link-end-main.ts', import.meta.url))
const START_DEADLINE = millis(30_000)
const TELL_DEADLINE = millis(10_000)

/** How the two ends of a link are started. */
export interface LinkPairOptions {
  readonly contract: LinkContract
  /** Address that the responder listens on, and its port; 0 takes any. */
  readonly host: string
  readonly port: number
  /** Words that enter where each end runs. */
  readonly enter?: { readonly initiator: readonly string[]; readonly responder: readonly string[] } | undefined
  readonly recording?: string | undefined
  readonly renditions?: readonly RenditionId[] | undefined
  readonly budgetMillis: number
  /** Where the responder writes chunks. */
  readonly chunkFile?: string | undefined
  readonly signal: AbortSignal
}

/** One frame that came whole. */
export interface ArrivedFrame {
  /** When its last packet was sent, milliseconds since the epoch. */
  readonly sentAt: number
  readonly completedAt: number
}

/** One end of a link in a process of its own. */
export class LinkEnd {
  readonly program: ChildProgram
  readonly #signal: AbortSignal
  readonly #waiting: Map<number, (totals: LinkEndTotals) => void>
  #next = 1

  constructor(program: ChildProgram, signal: AbortSignal, waiting: Map<number, (totals: LinkEndTotals) => void>) {
    this.program = program
    this.#signal = signal
    this.#waiting = waiting
  }

  /** Tells it what to do. */
  command(command: LinkEndCommand): void {
    this.program.send(command)
  }

  /** Everything it counted so far. @throws {RelayFault} when it does not answer. */
  async totals(): Promise<LinkEndTotals> {
    const told = Promise.withResolvers<LinkEndTotals>()
    const id = this.#next++
    this.#waiting.set(id, told.resolve)
    this.command({ type: 'tell', id })
    return this.program.until(told.promise, TELL_DEADLINE, this.#signal)
  }
}

/** Both ends of one link, each in a process of its own. */
export class LinkPair implements AsyncDisposable {
  readonly initiator: LinkEnd
  readonly responder: LinkEnd
  readonly #scope: AsyncDisposableStack
  #frames: ArrivedFrame[] = []

  private constructor(initiator: LinkEnd, responder: LinkEnd, scope: AsyncDisposableStack) {
    this.initiator = initiator
    this.responder = responder
    this.#scope = scope
  }

  /** Starts both and waits until a path lives. @throws {RelayFault} when that does not come about. */
  static async open(options: LinkPairOptions): Promise<LinkPair> {
    const { contract, host, enter, recording, renditions = [], budgetMillis, chunkFile, signal } = options
    await using scope = new AsyncDisposableStack()
    const shared = { host, association: randomInt(1, 2 ** 32), secretHex: randomBytes(32).toString('hex'), contract, budgetMillis }
    let take = (_frames: readonly ArrivedFrame[]): void => undefined
    const onFrames = (frames: readonly ArrivedFrame[]): void => {
      take(frames)
    }
    const responder = await startEnd({ ...shared, role: 'responder', port: options.port, renditions: [], ...(chunkFile === undefined ? {} : { chunkFile }) }, enter?.responder ?? [], signal, onFrames)
    scope.use(responder.end.program)
    const initiator = await startEnd(
      { ...shared, role: 'initiator', port: responder.port, renditions: [...renditions], ...(recording === undefined ? {} : { recording }) },
      enter?.initiator ?? [], signal, () => undefined,
    )
    scope.use(initiator.end.program)
    await Promise.all([initiator.up, responder.up])
    const pair = new LinkPair(initiator.end, responder.end, scope.move())
    take = frames => pair.take(frames)
    return pair
  }

  /** Frames that came whole since the last call. */
  takeFrames(): ArrivedFrame[] {
    const frames = this.#frames
    this.#frames = []
    return frames
  }

  /** Rejects when any end dies; never resolves. */
  get failed(): Promise<never> {
    return Promise.race([this.initiator.program.failed, this.responder.program.failed])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }

  /** Of the responder. */
  private take(frames: readonly ArrivedFrame[]): void {
    for (const frame of frames) this.#frames.push(frame)
  }
}

async function startEnd(options: LinkEndOptions, enter: readonly string[], signal: AbortSignal, onFrames: (frames: readonly ArrivedFrame[]) => void) {
  const ready = Promise.withResolvers<number>()
  const up = Promise.withResolvers<undefined>()
  const waiting = new Map<number, (totals: LinkEndTotals) => void>()
  const program = await ChildProgram.start({
    name: `link ${options.role}`, command: process.execPath, args: [MAIN], enter, environment: { KENKYO_LINK_END: JSON.stringify(options) },
    onMessage: raw => {
      const message = LinkEndMessage.parse(raw)
      switch (message.type) {
        case 'ready':
          ready.resolve(message.port)
          return
        case 'up':
          up.resolve(undefined)
          return
        case 'told':
          waiting.get(message.id)?.(message.totals)
          waiting.delete(message.id)
          return
        case 'frames':
          onFrames(message.sentAt.map((sentAt, index) => ({ sentAt, completedAt: message.completedAt[index] ?? NaN })))
          return
        default:
          message satisfies never
      }
    },
  })
  const port = await program.until(ready.promise, START_DEADLINE, signal)
  return { end: new LinkEnd(program, signal, waiting), port, up: program.until(up.promise, START_DEADLINE, signal) }
}
