import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ChildProcess } from 'node:child_process'

/** Debian's own, whose packages have aiortc and GStreamer; another one in PATH has not. */
const PYTHON = '/usr/bin/python3'
const FOLDER = join(import.meta.dirname, '../whip')
const DEADLINE_MILLIS = 30_000

/** A line that one of the programs in `test/whip` printed. */
export type ForeignLine = Readonly<Record<string, unknown>>

/** A WebRTC client that nobody here wrote, in a process of its own. */
export class ForeignProgram implements AsyncDisposable {
  readonly lines: ForeignLine[] = []
  readonly #process: ChildProcess
  readonly #errors: string[] = []
  readonly #ended: Promise<unknown>
  #isEnded = false
  #wake = Promise.withResolvers<undefined>()

  private constructor(child: ChildProcess) {
    this.#process = child
    if (child.stdout === null || child.stderr === null) throw new Error('the program has no output')
    createInterface(child.stdout).on('line', line => {
      this.lines.push(JSON.parse(line) as ForeignLine)
      this.#stir()
    })
    child.stderr.on('data', (chunk: Buffer) => this.#errors.push(chunk.toString()))
    this.#ended = once(child, 'close').then(() => {
      this.#isEnded = true
      this.#stir()
    })
  }

  /**
   * @param invitation - The link whose token it shows.
   * @param seconds - After which it leaves by itself.
   */
  static start(program: 'aiortc' | 'gstreamer', action: 'publish' | 'watch', invitation: string, seconds: number, more: readonly string[] = []): ForeignProgram {
    const url = new URL(invitation)
    const token = new URLSearchParams(url.hash.slice(1)).get('invitation') ?? ''
    const endpoint = `${url.origin}/${action === 'publish' ? 'whip' : 'whep'}`
    const child = spawn(PYTHON, [join(FOLDER, `${program}_client.py`), action, endpoint, String(seconds), ...more], {
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, KENKYO_INVITATION_TOKEN: token },
    })
    return new ForeignProgram(child)
  }

  /** The first `count` lines that satisfy `predicate`. Fails at the deadline, or when the program ends first. */
  async until(what: string, predicate: (line: ForeignLine) => boolean, count = 1): Promise<ForeignLine[]> {
    const deadline = performance.now() + DEADLINE_MILLIS
    for (;;) {
      const found = this.lines.filter(predicate)
      if (found.length >= count) return found
      const left = deadline - performance.now()
      if (left <= 0 || this.#isEnded) throw new Error(`${what}: ${found.length} of ${count} among ${JSON.stringify(this.lines.slice(-3))}; ${this.#errors.join('').slice(-1500)}`)
      const { promise } = this.#wake
      const timer = setTimeout(() => this.#stir(), left)
      await promise
      clearTimeout(timer)
    }
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  #stir(): void {
    this.#wake.resolve(undefined)
    this.#wake = Promise.withResolvers()
  }
}
