import { readFile } from 'node:fs/promises'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import type { EmulatedNetwork } from '../lines/emulated-network.ts'

const START_DEADLINE = millis(10_000)
const STOP_DEADLINE = millis(10_000)
/** Ethernet, IPv4 and UDP headers, and that of a link's datagram. */
const SNAP_BYTES = 64
/** Room for what comes before it is written, in KiB: what a kernel without room drops shows in {@link PacketCapture.finish}. */
const BUFFER_KIBIBYTES = 32_768

/** tcpdump at one end of one line: sees what leaves and what arrives there, and knows nothing of links or emulators. */
export class PacketCapture implements AsyncDisposable {
  readonly #program: ChildProgram
  readonly #file: string
  readonly #signal: AbortSignal

  private constructor(program: ChildProgram, file: string, signal: AbortSignal) {
    this.#program = program
    this.#file = file
    this.#signal = signal
  }

  /**
   * @param place - `node` or a leaf.
   * @param link - The interface there.
   * @param file - Where it writes.
   * @throws {RelayFault} `unavailable` without tcpdump, `timeout`.
   */
  static async open(network: Pick<EmulatedNetwork, 'enter'>, place: string, link: string, file: string, signal: AbortSignal): Promise<PacketCapture> {
    await using scope = new AsyncDisposableStack()
    const program = scope.use(
      await ChildProgram.start({
        name: `tcpdump at ${place}`, command: 'tcpdump', enter: network.enter(place),
        args: ['-i', link, '-n', '-Z', 'root', '-s', String(SNAP_BYTES), '-B', String(BUFFER_KIBIBYTES), '-w', file, 'ip'],
      }),
    )
    await program.line(line => (line.includes('listening on') ? true : undefined), START_DEADLINE, signal)
    scope.move()
    return new PacketCapture(program, file, signal)
  }

  /** Ends it. @returns Its file, and how many packets the kernel kept from it. @throws {RelayFault} `timeout`. */
  async finish(): Promise<{ readonly file: Buffer; readonly dropped: number }> {
    const dropped = this.#program.line(line => /(\d+) packets? dropped by kernel/.exec(line)?.[1], STOP_DEADLINE, this.#signal)
    // tcpdump answers with its counts, and goes on. @see tcpdump(1)
    process.kill(this.#program.pid, 'SIGUSR1')
    const count = Number(await dropped)
    await this.#program.stop()
    return { dropped: count, file: await readFile(this.#file) }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }
}
