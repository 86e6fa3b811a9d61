import { PassThrough } from 'node:stream'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'

const ANSWER_DEADLINE = millis(5000)

/** Two ports of one viewer on loopback. */
export interface SinkPorts {
  /** What an SFU sends to. */
  readonly outer: number
  /** What a WebRTC library takes for the SFU. */
  readonly inner: number
}

/** What came since the counts were reset. */
export interface SinkReading {
  readonly packets: number
  /** UDP payload. */
  readonly bytes: number
  /** Datagrams that the kernel dropped at the sink's sockets: more than 0 means that the sink was the bottleneck. */
  readonly dropped: number
  /** Its CPU time since it began. */
  readonly cpuSeconds: number
  /** From the source's send call to the kernel's time of arrival, in seconds. */
  readonly delay: { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number }
}

/** A process that receives for many viewers and counts. @see native/rtp-sink.c */
export class RtpSink implements AsyncDisposable {
  /** One pair for each viewer. */
  readonly ports: readonly SinkPorts[]
  readonly #program: ChildProgram
  readonly #input: PassThrough
  readonly #signal: AbortSignal

  private constructor(ports: readonly SinkPorts[], program: ChildProgram, input: PassThrough, signal: AbortSignal) {
    this.ports = ports
    this.#program = program
    this.#input = input
    this.#signal = signal
  }

  /**
   * @param program - `native/rtp-sink.c`, compiled.
   * @param cpus - CPUs that it may run on, as taskset has them.
   * @throws {RelayFault} `unavailable` or `timeout`.
   */
  static async open(program: string, viewers: number, cpus: string, signal: AbortSignal): Promise<RtpSink> {
    const input = new PassThrough()
    const child = await ChildProgram.start({ name: 'RTP sink', command: program, args: [String(viewers)], enter: ['taskset', '-c', cpus], input })
    const ports: SinkPorts[] = []
    await child.line(line => {
      const [outer, inner] = /^ports (\d+) (\d+)$/.exec(line)?.slice(1).map(Number) ?? []
      if (outer !== undefined && inner !== undefined) ports.push({ outer, inner })
      return ports.length === viewers ? true : undefined
    }, ANSWER_DEADLINE, signal)
    return new RtpSink(ports, child, input, signal)
  }

  /** Says where the SFU of one viewer is. */
  setEngine(viewer: number, ip: string, port: number): void {
    this.#input.write(`engine ${viewer} ${ip} ${port}\n`)
  }

  /** Lets every viewer's WebRTC library have so many RTP packets from here on. */
  sample(packets: number): void {
    this.#input.write(`sample ${packets}\n`)
  }

  /** Forgets what was counted. */
  reset(): void {
    this.#input.write('reset\n')
  }

  /** @throws {RelayFault} `unavailable` when it has ended. */
  async read(): Promise<SinkReading> {
    const answer = this.#program.line(line => (line.startsWith('read ') ? line.split(' ').slice(1).map(Number) : undefined), ANSWER_DEADLINE, this.#signal)
    this.#input.write('read\n')
    const [packets = 0, bytes = 0, dropped = 0, cpuMicros = 0, p50 = 0, p95 = 0, p99 = 0, max = 0] = await answer
    return { packets, bytes, dropped, cpuSeconds: cpuMicros / 1e6, delay: { p50: p50 / 1e6, p95: p95 / 1e6, p99: p99 / 1e6, max: max / 1e6 } }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }
}
