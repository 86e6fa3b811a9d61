import { join } from 'node:path'
import { millis } from '../../relay/wire/units.ts'
import { LocalNode } from '../local-node.ts'
import { readTreeUsage } from '../process-usage.ts'
import { ReceiverProcess } from '../receiver/receiver-process.ts'
import { FRAME_DEADLINE } from './carrier.ts'
import { LongestDelay } from './longest-delay.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ProcessUsage } from '../process-usage.ts'
import type { ChildProgram } from '../processes.ts'
import type { CarrierOptions, RunningCarrier } from './carrier.ts'

const STATS_INTERVAL_SECONDS = 1

/** The capture agent at the microscope, a node, and a receiver next to the node, with no line in between. */
export class PublishedCarrier implements RunningCarrier {
  readonly sentLog: string
  readonly arrivalLog: string
  readonly #node: LocalNode
  readonly #agent: ChildProgram
  readonly #receiver: ReceiverProcess
  readonly #delays: LongestDelay
  readonly #scope: AsyncDisposableStack

  private constructor(paths: Pick<RunningCarrier, 'sentLog' | 'arrivalLog'>, parts: { node: LocalNode; agent: ChildProgram; receiver: ReceiverProcess; delays: LongestDelay }, scope: AsyncDisposableStack) {
    this.sentLog = paths.sentLog
    this.arrivalLog = paths.arrivalLog
    this.#node = parts.node
    this.#agent = parts.agent
    this.#receiver = parts.receiver
    this.#delays = parts.delays
    this.#scope = scope
  }

  /**
   * Starts everything and watches the renditions.
   *
   * @param carrier - What the agent is told to publish by.
   * @throws {RelayFault} when any of it does not come about.
   */
  static async open({ network, recording, renditions, directory, signal }: CarrierOptions, carrier: 'link' | 'webrtc'): Promise<PublishedCarrier> {
    const paths = { sentLog: join(directory, 'sent.log'), arrivalLog: join(directory, 'arrived.log') }
    await using scope = new AsyncDisposableStack()
    const node = scope.use(await LocalNode.open({ statsIntervalSeconds: STATS_INTERVAL_SECONDS, signal, network }))
    const agent = scope.use(await node.startAgent(['--carrier', carrier, '--source', 'recording', '--loop', '--input', recording, '--sent-log', paths.sentLog], signal))
    const delays = new LongestDelay()
    const receiver = scope.use(
      await ReceiverProcess.open({
        name: 'receiver', invitation: await node.invite('viewer', 'viewer'), frameDeadline: millis(FRAME_DEADLINE), arrivalLog: paths.arrivalLog,
        place: { ...node.place('microscope'), enter: network.enter('node') }, signal,
        onSecond: ({ longestDelayMillis }) => delays.note(millis(longestDelayMillis)),
      }),
    )
    await receiver.watch(renditions)
    return new PublishedCarrier(paths, { node, agent, receiver, delays }, scope.move())
  }

  usage(): ReadonlyMap<string, readonly ProcessUsage[]> {
    const [main, ...workers] = readTreeUsage(this.#node.program.pid)
    return new Map([
      ['agent', readTreeUsage(this.#agent.pid)],
      ['node', main === undefined ? [] : [main]],
      ['worker', workers],
      ['receiver', readTreeUsage(this.#receiver.program.pid)],
    ])
  }

  takeLongestDelay(): Millis {
    return this.#delays.take()
  }

  get failed(): Promise<never> {
    return Promise.race([this.#node.program.failed, this.#agent.failed, this.#receiver.failed])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }
}
