import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { scheduleText } from './fanout-schedule.ts'
import type { FanoutSchedule } from './fanout-schedule.ts'

/** How often a pacer lets go of what is due. @see clients/capture/pacer.ts */
const STEP_MICROS = 2000
/** SSRC of the first track; the others follow. @see native/rtp-source.c */
export const FIRST_SSRC = 1000
const ANSWER_DEADLINE = millis(5000)

/** What left in one run. */
export interface SourceRun {
  readonly packets: number
  /** RTP headers and payloads. */
  readonly bytes: number
  /** The most that a step was late, in seconds. */
  readonly latestSeconds: number
}

/** How an {@link RtpSource} is started. */
export interface RtpSourceOptions {
  /** `native/rtp-source.c`, compiled. */
  readonly program: string
  readonly schedule: FanoutSchedule
  /** UDP ports on loopback, one for each track. */
  readonly ports: readonly number[]
  /** The port that it sends from. */
  readonly ownPort: number
  /** CPUs that it may run on, as taskset has them. */
  readonly cpus: string
  readonly directory: string
  readonly signal: AbortSignal
}

/** A process that sends RTP of one shape to loopback ports, as often and as long as it is told. */
export class RtpSource implements AsyncDisposable {
  readonly #program: ChildProgram
  readonly #input: PassThrough
  readonly #signal: AbortSignal

  private constructor(program: ChildProgram, input: PassThrough, signal: AbortSignal) {
    this.#program = program
    this.#input = input
    this.#signal = signal
  }

  /** @throws {RelayFault} `unavailable` or `timeout`. */
  static async open({ program, schedule, ports, ownPort, cpus, directory, signal }: RtpSourceOptions): Promise<RtpSource> {
    const file = join(directory, 'schedule')
    await writeFile(file, scheduleText(schedule))
    const input = new PassThrough()
    const args = [file, String(schedule.loopMicros), String(STEP_MICROS), String(ownPort), ...ports.map(String)]
    const child = await ChildProgram.start({ name: 'RTP source', command: program, args, enter: ['taskset', '-c', cpus], input })
    await child.line(line => (line === 'ready' ? true : undefined), ANSWER_DEADLINE, signal)
    return new RtpSource(child, input, signal)
  }

  get pid(): number {
    return this.#program.pid
  }

  /** Goes on with the recording for so long. @throws {RelayFault} `unavailable` when it ends. */
  run(seconds: number): Promise<SourceRun> {
    return this.#ask('run', seconds)
  }

  /** Sends full packets to the first port as fast as it can. @throws {RelayFault} `unavailable` when it ends. */
  flood(seconds: number): Promise<SourceRun> {
    return this.#ask('flood', seconds)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }

  async #ask(verb: string, seconds: number): Promise<SourceRun> {
    const ran = this.#program.line(line => /^ran (\d+) (\d+) (\d+)$/.exec(line)?.slice(1).map(Number), millis(seconds * 1000 + ANSWER_DEADLINE), this.#signal)
    this.#input.write(`${verb} ${Math.round(seconds * 1000)}\n`)
    const [packets = 0, bytes = 0, latestMicros = 0] = await ran
    return { packets, bytes, latestSeconds: latestMicros / 1e6 }
  }
}
