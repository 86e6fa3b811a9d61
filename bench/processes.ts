import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { RelayFault } from '../relay/wire/fault.ts'
import { millis } from '../relay/wire/units.ts'
import type { Millis } from '../relay/wire/units.ts'
import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** A program that does not end when asked to is killed after this long. */
const STOP_GRACE = millis(5000)
/** Last lines of standard error that a failure quotes. */
const QUOTED_LINES = 5

/** How a {@link ChildProgram} is started. */
export interface ProgramOptions {
  /** What it is called in failures: `node`, `capture agent`, `receiver 1`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Words before the command that say where it runs and end by becoming it, such as `ip netns exec NAME`. */
  readonly enter?: readonly string[]
  /** On top of this process's own. */
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Flows into its standard input, as long as it reads. */
  readonly input?: Readable
  /** Opens Node's IPC channel; every message goes here. */
  readonly onMessage?: (message: unknown) => void
}

/** How a program ended. */
export interface ProgramExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * A child process that ends with its scope, with this process, or when asked to. Its output is read line
 * by line; the last lines of standard error explain its failures.
 */
export class ChildProgram implements AsyncDisposable {
  readonly pid: number
  readonly #options: ProgramOptions
  readonly #child: ChildProcess
  readonly #exited: Promise<ProgramExit>
  readonly #failed: Promise<never>
  readonly #lastErrorLines: string[] = []
  readonly #watchers = new Set<(line: string) => void>()
  #stopping: Promise<void> | undefined

  private constructor(options: ProgramOptions, child: ChildProcess, pid: number) {
    this.#options = options
    this.#child = child
    this.pid = pid
    const kill = (): void => void child.kill('SIGKILL')
    process.once('exit', kill)
    this.#exited = once(child, 'exit').then(([code, signal]: unknown[]) => {
      process.removeListener('exit', kill)
      return { code: code as number | null, signal: signal as NodeJS.Signals | null }
    })
    this.#failed = this.#exited.then(({ code, signal: by }) => {
      throw this.#fault('unavailable', `ended with ${by ?? `code ${code ?? '?'}`}`)
    })
    // Whoever waits for something sees it.
    this.#failed.catch(() => undefined)
    if (options.onMessage !== undefined) child.on('message', options.onMessage)
    this.#feed(child.stdin)
    this.#follow(child.stdout, () => undefined)
    this.#follow(child.stderr, line => {
      this.#lastErrorLines.push(line)
      if (this.#lastErrorLines.length > QUOTED_LINES) this.#lastErrorLines.shift()
    })
  }

  /** @throws {RelayFault} `unavailable` when the program cannot be started at all. */
  static async start(options: ProgramOptions): Promise<ChildProgram> {
    const [command = options.command, ...args] = [...(options.enter ?? []), options.command, ...options.args]
    const child = spawn(command, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.onMessage === undefined ? [] : (['ipc'] as const))],
      env: { ...process.env, ...options.environment },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    try {
      await once(child, 'spawn')
    } catch (cause) {
      throw new RelayFault('unavailable', `${options.name} cannot be started`, { cause })
    }
    if (child.pid === undefined) throw new Error('a spawned process has an id')
    return new ChildProgram(options, child, child.pid)
  }

  /** Settles when it has ended. Never rejects. */
  get exited(): Promise<ProgramExit> {
    return this.#exited
  }

  /** Rejects with `unavailable`, quoting its last words, when it ends; never resolves. To race with what needs it alive. */
  get failed(): Promise<never> {
    return this.#failed
  }

  /** What it wrote last to standard error. */
  get lastErrorLines(): readonly string[] {
    return this.#lastErrorLines
  }

  /** Sends one IPC message; one to a program that has ended is lost. */
  send(message: object): void {
    if (this.#child.connected) this.#child.send(message)
  }

  /**
   * Waits for a line of either output.
   *
   * @param find - Returns what was looked for, or undefined to go on.
   * @throws {RelayFault} `timeout` after `deadline`, `unavailable` when the program ends first, or the signal's reason.
   */
  async line<Found>(find: (line: string) => Found | undefined, deadline: Millis, signal: AbortSignal): Promise<Found> {
    const found = Promise.withResolvers<Found>()
    const watcher = (line: string): void => {
      const result = find(line)
      if (result !== undefined) found.resolve(result)
    }
    this.#watchers.add(watcher)
    try {
      return await this.until(found.promise, deadline, signal)
    } finally {
      this.#watchers.delete(watcher)
    }
  }

  /**
   * Waits for something that this program has to do.
   *
   * @throws {RelayFault} `timeout` after `deadline`, `unavailable` when the program ends first, or the signal's reason.
   */
  until<Value>(promise: Promise<Value>, deadline: Millis, signal: AbortSignal): Promise<Value> {
    return this.#within(Promise.race([promise, this.#failed]), deadline, signal)
  }

  /**
   * Waits until it ends by itself.
   *
   * @throws {RelayFault} `timeout` after `deadline`, or the signal's reason.
   */
  finished(deadline: Millis, signal: AbortSignal): Promise<ProgramExit> {
    return this.#within(this.#exited, deadline, signal)
  }

  /** Asks it to end, and kills it when it does not. Idempotent. Never rejects. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  /** Kills it at once. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #within<Value>(promise: Promise<Value>, deadline: Millis, signal: AbortSignal): Promise<Value> {
    const stopped = Promise.withResolvers<never>()
    const onAbort = (): void => stopped.reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    const timer = setTimeout(() => stopped.reject(this.#fault('timeout', `took longer than ${deadline / 1000} s`)), deadline)
    try {
      return await Promise.race([promise, stopped.promise])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE)
    await this.#exited
    clearTimeout(timer)
  }

  #feed(stdin: Writable | null): void {
    const { input } = this.#options
    if (stdin === null || input === undefined) return
    // A program that has read enough closes its end; how it exits tells whether that was right.
    stdin.on('error', () => input.destroy())
    stdin.on('close', () => input.destroy())
    input.on('error', () => stdin.destroy())
    input.pipe(stdin)
  }

  #follow(stream: Readable | null, onLine: (line: string) => void): void {
    if (stream === null) return
    createInterface({ input: stream }).on('line', line => {
      onLine(line)
      for (const watcher of this.#watchers) watcher(line)
    })
  }

  #fault(code: 'timeout' | 'unavailable', what: string): RelayFault {
    const quote = this.#lastErrorLines.length === 0 ? '' : `\n  ${this.#lastErrorLines.join('\n  ')}`
    return new RelayFault(code, `${this.#options.name} ${what}${quote}`)
  }
}
