import { WebSocket } from 'ws'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { LINE_RATE_LIMITS, PROTOCOL_VERSION, SIGNALING_LIMITS } from '../../relay/wire/signaling.ts'
import { Publisher } from './publisher.ts'
import type { PublicationId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Demand, Notification, SourceStatus } from '../../relay/wire/signaling.ts'
import type { Stage, StageState, StageTarget } from '../../relay/wire/stage.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'
import type { UplinkEstimator } from './uplink-estimator.ts'
import type { NodeAddress } from './invitation-link.ts'

const HANDSHAKE_TIMEOUT_MILLIS = 5000

/** How far an agent has come with its node. */
export type SessionStage = 'connecting' | 'joined' | 'publishing'

/** What {@link NodeSession} needs. */
export interface NodeSessionOptions {
  readonly address: NodeAddress
  readonly pyramid: Pyramid
  readonly onStage: (stage: SessionStage) => void
  /** What can be steered of the microscope, if anything, and where it is. */
  readonly stage: Stage | null
  readonly estimator?: UplinkEstimator | undefined
  readonly clock: Clock
}

/** What the node asks of a microscope that publishes. */
export interface NodeWishes {
  demand(demand: Demand): void
  moveStage(target: StageTarget): void
}

async function connect(url: string, signal: AbortSignal): Promise<WebSocket> {
  const socket = new WebSocket(url, { handshakeTimeout: HANDSHAKE_TIMEOUT_MILLIS, maxPayload: SIGNALING_LIMITS.messageSizeBytes })
  const opened = Promise.withResolvers<WebSocket>()
  const stop = (): void => socket.terminate()
  socket.once('open', () => opened.resolve(socket))
  // Stays for the life of the socket: an 'error' event that nobody hears would end the process.
  socket.on('error', cause => opened.reject(new RelayFault('unavailable', 'the node cannot be reached', { cause })))
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await opened.promise
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Keeps what the node wants of this publication until somebody obeys: its first demand comes before the session is open. */
class Inbox {
  publicationId: PublicationId | undefined
  #wishes: NodeWishes | undefined
  #last: Extract<Notification, { type: 'demandChanged' }> | undefined

  take(notification: Notification): void {
    if (notification.type === 'demandChanged') this.#last = notification
    if (this.#wishes === undefined || !('publicationId' in notification) || notification.publicationId !== this.publicationId) return
    if (notification.type === 'demandChanged') this.#wishes.demand(notification.demand)
    if (notification.type === 'stageCommanded') this.#wishes.moveStage(notification.target)
  }

  open(wishes: NodeWishes): void {
    this.#wishes = wishes
    if (this.#last !== undefined) this.take(this.#last)
  }
}

/** An agent's stay with its node: joined, connected and publishing. */
export class NodeSession implements AsyncDisposable {
  readonly publisher: Publisher
  readonly #signaling: SignalingClient
  readonly #inbox: Inbox
  readonly #scope: AsyncDisposableStack

  private constructor(signaling: SignalingClient, publisher: Publisher, inbox: Inbox, scope: AsyncDisposableStack) {
    this.#signaling = signaling
    this.publisher = publisher
    this.#inbox = inbox
    this.#scope = scope
  }

  /**
   * Joins with the invitation and publishes the pyramid; returns when media can flow.
   *
   * @throws {RelayFault} The node's refusal, or `unavailable` or `timeout` when it cannot be reached.
   */
  static async open(options: NodeSessionOptions, signal: AbortSignal): Promise<NodeSession> {
    const { address, pyramid, onStage, stage, estimator, clock } = options
    await using scope = new AsyncDisposableStack()
    onStage('connecting')
    const socket = await connect(address.signalingUrl, signal)
    scope.defer(() => socket.terminate())
    let publicationId: PublicationId | undefined
    const inbox = new Inbox()
    const signaling = new SignalingClient(socket, {
      onNotification: notification => {
        inbox.take(notification)
        const isOurs = notification.type === 'publicationChanged' && publicationId !== undefined
        // The node lost its media worker: the publication has to be made anew.
        if (isOurs && notification.publication === null) signaling.close(new RelayFault('unavailable', 'the publication ended'))
      },
    })
    scope.defer(() => signaling.close())
    signal.throwIfAborted()
    await signaling.request('join', { protocol: PROTOCOL_VERSION, invitation: address.invitation })
    onStage('joined')
    const publisher = scope.use(
      await Publisher.open(
        {
          pyramid,
          usesLoopback: address.isLoopback,
          estimator,
          clock,
          exchange: async ({ sdp, tracks }) => {
            const reply = await signaling.request('publish', { pyramid, sdp, tracks, stage })
            publicationId = reply.publicationId
            return reply.sdp
          },
        },
        signal,
      ),
    )
    if (publicationId === undefined) throw new Error('a publisher opens only after the exchange')
    onStage('publishing')
    inbox.publicationId = publicationId
    return new NodeSession(signaling, publisher, inbox, scope.move())
  }

  /** Settles once, with the reason: signaling or media ended. Never rejects. */
  get closed(): Promise<RelayFault> {
    return Promise.race([this.#signaling.closed, this.publisher.closed])
  }

  /** Tells the node how the source is doing. @throws {RelayFault} when it does not take it. */
  async reportSource(source: SourceStatus): Promise<void> {
    await this.#signaling.request('reportSource', { publicationId: this.#publicationId, source })
  }

  /** Tells the node what the line carries. @throws {RelayFault} when it does not take it. */
  async reportUplink(rate: BitsPerSecond): Promise<void> {
    const bitsPerSecond = Math.min(LINE_RATE_LIMITS.max, Math.max(LINE_RATE_LIMITS.min, Math.round(rate)))
    await this.#signaling.request('reportUplink', { publicationId: this.#publicationId, bitsPerSecond })
  }

  /** Tells the node where the stage is. @throws {RelayFault} when it does not take it. */
  async reportStage(state: StageState): Promise<void> {
    await this.#signaling.request('reportStage', { publicationId: this.#publicationId, state })
  }

  /** Hands over what the node wants, beginning with its last demand. */
  obey(wishes: NodeWishes): void {
    this.#inbox.open(wishes)
  }

  get #publicationId(): PublicationId {
    if (this.#inbox.publicationId === undefined) throw new Error('a session opens only after the exchange')
    return this.#inbox.publicationId
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }
}
