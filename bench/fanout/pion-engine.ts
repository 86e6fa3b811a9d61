import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { findFreePorts } from '../free-ports.ts'
import { ChildProgram } from '../processes.ts'
import type { EngineOffer, EngineOptions, FanoutEngine } from './fanout-engine.ts'

const START_DEADLINE = millis(10_000)

/** A small SFU on pion. @see native/pion-sfu.go */
export class PionEngine implements FanoutEngine {
  readonly ports: readonly number[]
  readonly #program: ChildProgram
  readonly #origin: string
  readonly #signal: AbortSignal

  private constructor(program: ChildProgram, ports: readonly number[], origin: string, signal: AbortSignal) {
    this.#program = program
    this.ports = ports
    this.#origin = origin
    this.#signal = signal
  }

  /** @param command - `native/pion-sfu.go`, compiled. @throws {RelayFault} `unavailable` or `timeout`. */
  static async open(command: string, { schedule, enter, signal }: EngineOptions): Promise<PionEngine> {
    const first = await findFreePorts(schedule.tracks.length + 1)
    const ports = schedule.tracks.map((_, index) => first + 1 + index)
    const program = await ChildProgram.start({ name: 'pion', command, args: [first, ...ports].map(String), enter, environment: { GOMAXPROCS: '1' } })
    await program.line(line => (line === 'listening' ? true : undefined), START_DEADLINE, signal)
    return new PionEngine(program, ports, `http://127.0.0.1:${first}`, signal)
  }

  get pid(): number {
    return this.#program.pid
  }

  async offer(): Promise<EngineOffer> {
    const [viewer = '', ...lines] = (await this.#post('/offer', '')).split('\n')
    return { sdp: lines.join('\n'), accept: answer => this.#post(`/answer?viewer=${viewer}`, answer).then(() => undefined) }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }

  async #post(path: string, body: string): Promise<string> {
    const response = await fetch(`${this.#origin}${path}`, { method: 'POST', body, signal: this.#signal })
    const text = await response.text()
    if (!response.ok) throw new RelayFault('unsupported_media', `pion refused: ${text.trim()}`)
    return text
  }
}
