import { availableParallelism } from 'node:os'
import { ChildProgram } from '../processes.ts'

/** Keeps every core busy, at normal priority, until it is disposed. */
export class BusyCores implements AsyncDisposable {
  readonly #scope: AsyncDisposableStack

  private constructor(scope: AsyncDisposableStack) {
    this.#scope = scope
  }

  /** @throws {RelayFault} `unavailable` */
  static async open(cores = availableParallelism()): Promise<BusyCores> {
    await using scope = new AsyncDisposableStack()
    for (let core = 0; core < cores; core++) {
      scope.use(await ChildProgram.start({ name: 'a busy core', command: process.execPath, args: ['-e', 'for (;;);'] }))
    }
    return new BusyCores(scope.move())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }
}
