import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { ChildProcess } from 'node:child_process'

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')

/** A capture agent in a process of its own. */
export class Microscope implements AsyncDisposable {
  readonly process: ChildProcess
  readonly #log: string[] = []

  private constructor(process: ChildProcess) {
    this.process = process
    process.stderr?.on('data', (chunk: Buffer) => {
      this.#log.push(chunk.toString())
      if (this.#log.length > 200) this.#log.shift()
    })
  }

  /** @param args - What follows `kenkyo capture`. */
  static start(invitation: string, args: readonly string[]): Microscope {
    const child = spawn(process.execPath, [KENKYO, 'capture', '--log-level', 'info', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, KENKYO_INVITATION: invitation },
    })
    return new Microscope(child)
  }

  /** What it logged lately. */
  get log(): string {
    return this.#log.join('')
  }

  /** Ends it like a power cut. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const ended = new Promise(resolve => this.process.once('exit', resolve))
    this.process.kill(signal)
    await ended
  }
}
