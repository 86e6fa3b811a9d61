import { WebSocket } from 'ws'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION, SIGNALING_LIMITS } from '../../relay/wire/signaling.ts'
import { Publisher } from './publisher.ts'
import type { PublicationId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { SourceStatus } from '../../relay/wire/signaling.ts'
import type { NodeAddress } from './invitation-link.ts'

const HANDSHAKE_TIMEOUT_MILLIS = 5000

/** How far an agent has come with its node. */
export type SessionStage = 'connecting' | 'joined' | 'publishing'

/** What {@link NodeSession} needs. */
export interface NodeSessionOptions {
  readonly address: NodeAddress
  readonly pyramid: Pyramid
  readonly onStage: (stage: SessionStage) => void
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

/** An agent's stay with its node: joined, connected and publishing. */
export class NodeSession implements AsyncDisposable {
  readonly publisher: Publisher
  readonly #signaling: SignalingClient
  readonly #publicationId: PublicationId
  readonly #scope: AsyncDisposableStack

  private constructor(signaling: SignalingClient, publisher: Publisher, publicationId: PublicationId, scope: AsyncDisposableStack) {
    this.#signaling = signaling
    this.publisher = publisher
    this.#publicationId = publicationId
    this.#scope = scope
  }

  /**
   * Joins with the invitation and publishes the pyramid; returns when media can flow.
   *
   * @throws {RelayFault} The node's refusal, or `unavailable` or `timeout` when it cannot be reached.
   */
  static async open(options: NodeSessionOptions, signal: AbortSignal): Promise<NodeSession> {
    const { address, pyramid, onStage } = options
    await using scope = new AsyncDisposableStack()
    onStage('connecting')
    const socket = await connect(address.signalingUrl, signal)
    scope.defer(() => socket.terminate())
    let publicationId: PublicationId | undefined
    const signaling = new SignalingClient(socket, {
      onNotification: notification => {
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
          exchange: async ({ sdp, tracks }) => {
            const reply = await signaling.request('publish', { pyramid, sdp, tracks, stage: null })
            publicationId = reply.publicationId
            return reply.sdp
          },
        },
        signal,
      ),
    )
    if (publicationId === undefined) throw new Error('a publisher opens only after the exchange')
    onStage('publishing')
    return new NodeSession(signaling, publisher, publicationId, scope.move())
  }

  /** Settles once, with the reason: signaling or media ended. Never rejects. */
  get closed(): Promise<RelayFault> {
    return Promise.race([this.#signaling.closed, this.publisher.closed])
  }

  /** Tells the node how the source is doing. @throws {RelayFault} when it does not take it. */
  async reportSource(source: SourceStatus): Promise<void> {
    await this.#signaling.request('reportSource', { publicationId: this.#publicationId, source })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }
}
