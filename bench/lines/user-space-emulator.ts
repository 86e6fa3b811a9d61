import { fileURLToPath } from 'node:url'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { EmulatorMessage } from './emulator-messages.ts'
import { highestPriority } from './priority.ts'
import type { BothCounts, LineEmulator } from './line-emulator.ts'
import type { EmulatorCommand, RelayedLine } from './emulator-messages.ts'
import type { LineProfile } from './profiles.ts'

const MAIN = fileURLToPath(new URL('emulator-main.ts', import.meta.url))
const START_DEADLINE = millis(20_000)
const ANSWER_DEADLINE = millis(5000)

/** How the emulator is started. */
export interface UserSpaceEmulatorOptions {
  /** Words before a command that make it run in the emulator's namespace. */
  readonly enter: readonly string[]
  readonly ownAddress: string
  readonly wireAddress: string
  readonly lines: readonly RelayedLine[]
  readonly seed: number
  readonly signal: AbortSignal
}

type Pending = (answer: Extract<EmulatorMessage, { id: number }>) => void

/** Our own emulator, in Node, for kernels without netem: a process that relays VXLAN datagrams. */
export class UserSpaceEmulator implements LineEmulator {
  readonly description: string
  readonly #program: ChildProgram
  readonly #signal: AbortSignal
  readonly #pending: Map<number, Pending>
  #id = 0

  private constructor(description: string, program: ChildProgram, pending: Map<number, Pending>, signal: AbortSignal) {
    this.description = description
    this.#program = program
    this.#pending = pending
    this.#signal = signal
  }

  /** @throws {RelayFault} `unavailable` or `timeout`, quoting its last words. */
  static async open({ enter, ownAddress, wireAddress, lines, seed, signal }: UserSpaceEmulatorOptions): Promise<UserSpaceEmulator> {
    const priority = highestPriority('emulator')
    const ready = Promise.withResolvers<undefined>()
    const pending = new Map<number, Pending>()
    await using scope = new AsyncDisposableStack()
    const program = scope.use(
      await ChildProgram.start({
        name: 'line emulator', command: process.execPath, args: [MAIN], enter: [...enter, ...priority.words],
        onMessage(raw) {
          const message = EmulatorMessage.parse(raw)
          if (message.type === 'ready') ready.resolve(undefined)
          else pending.get(message.id)?.(message)
        },
      }),
    )
    program.send({ type: 'open', ownAddress, wireAddress, seed, lines: [...lines] } satisfies EmulatorCommand)
    await program.until(ready.promise, START_DEADLINE, signal)
    scope.move()
    return new UserSpaceEmulator(`user-space, ${priority.name} priority`, program, pending, signal)
  }

  get failed(): Promise<never> {
    return this.#program.failed
  }

  async counts(line: string): Promise<BothCounts> {
    const answer = await this.#ask(id => ({ type: 'count', id, line }))
    if (answer.type !== 'counted') throw new RelayFault('internal', 'the line emulator answered something else')
    return { up: answer.up, down: answer.down }
  }

  async change(line: string, profile: LineProfile): Promise<void> {
    await this.#ask(id => ({ type: 'change', id, line, profile }))
  }

  async cut(line: string, isCut: boolean): Promise<void> {
    await this.#ask(id => ({ type: 'cut', id, line, isCut }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }

  #ask(command: (id: number) => EmulatorCommand): Promise<Extract<EmulatorMessage, { id: number }>> {
    const id = this.#id++
    const answer = Promise.withResolvers<Extract<EmulatorMessage, { id: number }>>()
    this.#pending.set(id, answer.resolve)
    this.#program.send(command(id))
    return this.#program.until(answer.promise, ANSWER_DEADLINE, this.#signal).finally(() => this.#pending.delete(id))
  }
}
