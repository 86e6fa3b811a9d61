import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { millis } from '../../relay/wire/units.ts'
import { readTreeUsage } from '../process-usage.ts'
import { ChildProgram } from '../processes.ts'
import { DatagramMessage } from './datagram-messages.ts'
import { LongestDelay } from './longest-delay.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ProcessUsage } from '../process-usage.ts'
import type { CarrierOptions, RunningCarrier } from './carrier.ts'
import type { SenderCommand } from './datagram-messages.ts'

/** Of Debian's srt-tools. */
const PROGRAM = '/usr/bin/srt-live-transmit'
const SENDER = fileURLToPath(new URL('datagram-sender.ts', import.meta.url))
const RECEIVER = fileURLToPath(new URL('datagram-receiver.ts', import.meta.url))
/** Of namespaces that have all their ports free. */
const SRT_PORT = 9000
const DATAGRAM_PORT = 5000
const START_DEADLINE = millis(30_000)
const SOCKET_BUFFER_BYTES = 4 * 2 ** 20
/**
 * Room for far more than what is on its way: SRT's defaults are for a tenth of this rate and more. Encrypted, as the
 * others are.
 *
 * @see https://github.com/Haivision/srt/blob/master/docs/API/API-socket-options.md
 */
const ROOM = { fc: 60_000, rcvbuf: 48 * 2 ** 20, sndbuf: 48 * 2 ** 20, passphrase: 'repair-bench', pbkeylen: 16 }

type Ends = Readonly<Record<'sender' | 'caller' | 'listener' | 'receiver', ChildProgram>>

/** SRT in live mode by srt-live-transmit at both ends, one datagram a message: sender → caller → line → listener → receiver. */
export class SrtCarrier implements RunningCarrier {
  readonly sentLog: string
  readonly arrivalLog: string
  readonly #ends: Ends
  readonly #delays: LongestDelay
  readonly #scope: AsyncDisposableStack

  private constructor(paths: Pick<RunningCarrier, 'sentLog' | 'arrivalLog'>, ends: Ends, delays: LongestDelay, scope: AsyncDisposableStack) {
    this.sentLog = paths.sentLog
    this.arrivalLog = paths.arrivalLog
    this.#ends = ends
    this.#delays = delays
    this.#scope = scope
  }

  /** Whether this machine has srt-live-transmit. */
  static isInstalled(): boolean {
    return existsSync(PROGRAM)
  }

  /** Starts everything; the budget is SRT's latency. @throws {RelayFault} when any of it does not come about. */
  static async open({ network, recording, renditions, budget, directory, signal }: CarrierOptions): Promise<SrtCarrier> {
    const paths = { sentLog: join(directory, 'sent.log'), arrivalLog: join(directory, 'arrived.log') }
    const delays = new LongestDelay()
    const environment = (log: string) => ({ KENKYO_DATAGRAM_PORT: String(DATAGRAM_PORT), KENKYO_DATAGRAM_RENDITIONS: renditions.join(), KENKYO_DATAGRAM_LOG: log })
    await using scope = new AsyncDisposableStack()
    const startNode = async (name: string, args: readonly string[], place: string, log: string): Promise<ChildProgram> => {
      const ready = Promise.withResolvers<undefined>()
      const program = scope.use(await ChildProgram.start({
        name, command: process.execPath, args, enter: network.enter(place), environment: environment(log),
        onMessage: raw => {
          const message = DatagramMessage.parse(raw)
          if (message.type === 'ready') ready.resolve(undefined)
          else delays.note(millis(message.longestDelayMillis))
        },
      }))
      await program.until(ready.promise, START_DEADLINE, signal)
      return program
    }
    const options = new URLSearchParams({ latency: String(budget), ...Object.fromEntries(Object.entries(ROOM).map(([key, value]) => [key, String(value)])) }).toString()
    const startSrt = async (name: string, place: string, from: string, to: string): Promise<ChildProgram> =>
      scope.use(await ChildProgram.start({ name: `srt-live-transmit (${name})`, command: PROGRAM, args: ['-v', from, to], enter: network.enter(place) }))
    const seen = (program: ChildProgram, words: string): Promise<boolean> => program.line(line => (line.includes(words) ? true : undefined), START_DEADLINE, signal)

    const receiver = await startNode('datagram receiver', [RECEIVER], 'node', paths.arrivalLog)
    const sender = await startNode('datagram sender', [SENDER, recording], 'microscope', paths.sentLog)
    const listener = await startSrt('listener', 'node', `srt://:${SRT_PORT}?mode=listener&${options}`, `udp://127.0.0.1:${DATAGRAM_PORT}?sndbuf=${SOCKET_BUFFER_BYTES}`)
    await seen(listener, 'listen...')
    const caller = await startSrt('caller', 'microscope', `udp://127.0.0.1:${DATAGRAM_PORT}?rcvbuf=${SOCKET_BUFFER_BYTES}`, `srt://${network.nodeAddress}:${SRT_PORT}?mode=caller&${options}`)
    await seen(caller, 'SRT target connected')
    sender.send({ type: 'send' } satisfies SenderCommand)
    return new SrtCarrier(paths, { sender, caller, listener, receiver }, delays, scope.move())
  }

  usage(): ReadonlyMap<string, readonly ProcessUsage[]> {
    return new Map(Object.entries(this.#ends).map(([end, { pid }]) => [end, readTreeUsage(pid)]))
  }

  takeLongestDelay(): Millis {
    return this.#delays.take()
  }

  get failed(): Promise<never> {
    return Promise.race(Object.values(this.#ends).map(({ failed }) => failed))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }
}
