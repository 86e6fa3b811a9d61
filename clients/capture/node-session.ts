import { openSignalingSocket } from '../../relay/runtime/signaling-socket.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { decodeNodeMessage, LINE_RATE_LIMITS, PROTOCOL_VERSION } from '../../relay/wire/signaling.ts'
import { MAX_RENDITIONS } from '../../relay/wire/ids.ts'
import { PathName } from '../../relay/wire/link.ts'
import { CommandOrder } from './command-order.ts'
import { LinkPublisher } from './link-publisher.ts'
import { Publisher } from './publisher.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { PublicationId, StillId } from '../../relay/wire/ids.ts'
import type { WantedStill } from './stills/still-keeper.ts'
import type { PathContract } from '../../relay/wire/link.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Demand, NodeMessage, Notification, RequestOf, SourceStatus } from '../../relay/wire/signaling.ts'
import type { Stage, StageState, StageTarget } from '../../relay/wire/stage.ts'
import type { BitsPerSecond, RtpTimestamp } from '../../relay/wire/units.ts'
import type { Carrier, CarrierKind } from './carrier.ts'
import type { UplinkEstimator } from './uplink-estimator.ts'
import type { NodeAddress } from '../../relay/runtime/invitation-link.ts'
import type { Entry } from '../../relay/runtime/kept-grant.ts'

/** How often it is looked whether a minute of media has ended. */
const DIGEST_INTERVAL_MILLIS = 5000

/** How far an agent has come with its node. */
export type SessionStage = 'connecting' | 'joined' | 'publishing'

/** What {@link NodeSession} needs. */
export interface NodeSessionOptions {
  readonly address: NodeAddress
  /** What opens its door, for as long as the session. */
  readonly entry: Entry
  readonly pyramid: Pyramid
  readonly onStage: (stage: SessionStage) => void
  /** What can be steered of the microscope, if anything, and where it is. */
  readonly stage: Stage | null
  /** For WebRTC; a link measures its paths itself. */
  readonly estimator?: UplinkEstimator | undefined
  readonly carrier: CarrierKind
  /** Interfaces to use, for a link. */
  readonly linkPaths?: readonly PathContract[] | undefined
  /** What the line to the node is known to carry. */
  readonly uplinkBitrate?: BitsPerSecond | undefined
  /** There is no link to this node: WebRTC takes its place. */
  readonly onNoLink: (fault: RelayFault) => void
  readonly clock: Clock
}

/** What the node asks of a microscope that publishes. */
export interface NodeWishes {
  demand(demand: Demand): void
  moveStage(target: StageTarget, command: number): void
  stopStage(command: number): void
  keepStill(still: WantedStill): void
}

/** Keeps what the node wants of this publication until somebody obeys: its first demand comes before the session is open. */
class Inbox {
  publicationId: PublicationId | undefined
  #wishes: NodeWishes | undefined
  readonly #order = new CommandOrder()
  #last: Extract<Notification, { type: 'demandChanged' }> | undefined

  /** Takes what came by a link. Nonsense is dropped: only the node can have written it. */
  read(body: Buffer): void {
    let message: NodeMessage
    try {
      message = decodeNodeMessage(body.toString('utf8'))
    } catch (error) {
      if (error instanceof RelayFault) return
      throw error
    }
    if (message.type !== 'reply') this.take(message)
  }

  take(notification: Notification): void {
    // By two ways they may overtake each other.
    if (notification.type === 'demandChanged' && notification.demand.serial >= (this.#last?.demand.serial ?? 0)) this.#last = notification
    if (this.#wishes === undefined || !('publicationId' in notification) || notification.publicationId !== this.publicationId) return
    if (notification.type === 'demandChanged') this.#wishes.demand(notification.demand)
    if (notification.type === 'stillWanted') this.#wishes.keepStill({ stillId: notification.stillId, rtpTimestamp: rtpTimestamp(notification.rtpTimestamp) })
    if (notification.type === 'stageCommanded') this.#command(notification, this.#wishes)
    if (notification.type === 'stageStopped') {
      this.#order.stop(notification.command)
      this.#wishes.stopStage(notification.command)
    }
  }

  #command({ command, target }: Extract<Notification, { type: 'stageCommanded' }>, wishes: NodeWishes): void {
    const admitted = this.#order.admit(command, target)
    if (admitted !== undefined) wishes.moveStage(admitted, command)
  }

  open(wishes: NodeWishes): void {
    this.#wishes = wishes
    if (this.#last !== undefined) this.take(this.#last)
  }
}

/** An agent's stay with its node: joined, connected and publishing. */
export class NodeSession implements AsyncDisposable {
  readonly carrier: Carrier
  readonly #signaling: SignalingClient
  readonly #inbox: Inbox
  readonly #scope: AsyncDisposableStack

  private constructor(signaling: SignalingClient, carrier: Carrier, inbox: Inbox, scope: AsyncDisposableStack) {
    this.#signaling = signaling
    this.carrier = carrier
    this.#inbox = inbox
    this.#scope = scope
  }

  /**
   * Enters the consultation and publishes the pyramid; returns when media can flow.
   *
   * @throws {RelayFault} The node's refusal, or `unavailable` or `timeout` when it cannot be reached.
   */
  static async open(options: NodeSessionOptions, signal: AbortSignal): Promise<NodeSession> {
    const { address, entry, onStage } = options
    await using scope = new AsyncDisposableStack()
    onStage('connecting')
    const socket = await openSignalingSocket(address.signalingUrl, signal, entry.tls)
    scope.defer(() => socket.terminate())
    const inbox = new Inbox()
    const signaling = new SignalingClient(socket, {
      onNotification: notification => {
        inbox.take(notification)
        const isOurs = notification.type === 'publicationChanged' && inbox.publicationId !== undefined
        // The node lost its media worker: the publication has to be made anew.
        if (isOurs && notification.publication === null) signaling.close(new RelayFault('unavailable', 'the publication ended'))
      },
    })
    scope.defer(() => signaling.close())
    signal.throwIfAborted()
    await signaling.request('join', { protocol: PROTOCOL_VERSION, invitation: entry.token })
    entry.accepted()
    onStage('joined')
    const { carrier, publicationId } = await publish(options, signaling, signal)
    scope.use(carrier)
    onStage('publishing')
    inbox.publicationId = publicationId
    if (carrier instanceof LinkPublisher) {
      carrier.onControl(body => inbox.read(body))
      const telling = setInterval(() => tellDigests(signaling, publicationId, carrier), DIGEST_INTERVAL_MILLIS).unref()
      scope.defer(() => clearInterval(telling))
    }
    return new NodeSession(signaling, carrier, inbox, scope.move())
  }

  /** Settles once, with the reason: signaling or media ended. Never rejects. */
  get closed(): Promise<RelayFault> {
    return Promise.race([this.#signaling.closed, this.carrier.closed])
  }

  /** Tells the node how the source is doing. @throws {RelayFault} when it does not take it. */
  async reportSource(source: SourceStatus): Promise<void> {
    await this.#signaling.request('reportSource', { publicationId: this.#publicationId, source })
  }

  /** Tells the node what the line carries. @throws {RelayFault} when it does not take it. */
  async reportUplink(rate: BitsPerSecond): Promise<void> {
    const bitsPerSecond = Math.min(LINE_RATE_LIMITS.max, Math.max(LINE_RATE_LIMITS.min, Math.round(rate)))
    await this.#say('reportUplink', { publicationId: this.#publicationId, bitsPerSecond })
  }

  /** Tells the node where the stage is. @throws {RelayFault} when it does not take it. */
  async reportStage(state: StageState): Promise<void> {
    await this.#say('reportStage', { publicationId: this.#publicationId, state })
  }

  /**
   * Tells the node when an image was handed over by its source, in milliseconds since the epoch on this machine's clock.
   *
   * @throws {RelayFault} when it does not take it.
   */
  async reportCapture(rtpTimestamp: RtpTimestamp, capturedAtMillis: number): Promise<void> {
    await this.#say('reportCapture', { publicationId: this.#publicationId, rtpTimestamp, capturedAtMillis })
  }

  /** Tells the node that a still will not come. @throws {RelayFault} when it does not take it. */
  async reportStill(stillId: StillId, fault: FaultCode): Promise<void> {
    await this.#signaling.request('reportStill', { stillId, fault })
  }

  /** Hands over what the node wants, beginning with its last demand. */
  obey(wishes: NodeWishes): void {
    this.#inbox.open(wishes)
  }

  /** By the link where there is one: what concerns the picture is not held up by a lost segment of TCP. */
  async #say<Type extends 'reportUplink' | 'reportStage' | 'reportCapture'>(type: Type, parameters: Omit<RequestOf<Type>, 'type' | 'requestId'>): Promise<void> {
    const { carrier } = this
    if (carrier instanceof LinkPublisher && carrier.sendControl(Buffer.from(JSON.stringify({ type, requestId: 0, ...parameters })))) return
    await this.#signaling.request(type, parameters)
  }

  get #publicationId(): PublicationId {
    if (this.#inbox.publicationId === undefined) throw new Error('a session opens only after the exchange')
    return this.#inbox.publicationId
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }
}

/** What the node does not take it goes without: the next minute follows. */
function tellDigests(signaling: SignalingClient, publicationId: PublicationId, carrier: LinkPublisher): void {
  const windows = carrier.takeDigests()
  for (let from = 0; from < windows.length; from += MAX_RENDITIONS) {
    signaling.request('reportDigests', { publicationId, windows: windows.slice(from, from + MAX_RENDITIONS) }).catch(() => undefined)
  }
}

interface PublishedCarrier {
  readonly carrier: Carrier
  readonly publicationId: PublicationId
}

async function publish(options: NodeSessionOptions, signaling: SignalingClient, signal: AbortSignal): Promise<PublishedCarrier> {
  const link = options.carrier === 'webrtc' ? undefined : await openLink(options, signaling, signal)
  if (link === undefined) return publishByWebRtc(options, signaling, signal)
  await using scope = new AsyncDisposableStack()
  const carrier = scope.use(link)
  const { publicationId } = await signaling.request('publishLink', { pyramid: options.pyramid, tracks: [...carrier.tracks], stage: options.stage })
  scope.move()
  return { carrier, publicationId }
}

/** Undefined for a node without links that carry live video, or a line that lets no datagrams of ours through. Everything else WebRTC would meet as well. */
async function openLink(options: NodeSessionOptions, signaling: SignalingClient, signal: AbortSignal): Promise<LinkPublisher | undefined> {
  try {
    return await dialLink(options, signaling, signal)
  } catch (error) {
    const fault = toFault(error)
    if (fault.code !== 'unavailable' || signal.aborted || signaling.isClosed) throw fault
    options.onNoLink(fault)
    return undefined
  }
}

/** @throws {RelayFault} `unavailable` when there is none that may carry live video, or its paths do not come up. */
async function dialLink(options: NodeSessionOptions, signaling: SignalingClient, signal: AbortSignal): Promise<LinkPublisher> {
  const { address, pyramid, clock, uplinkBitrate, linkPaths = [{ name: PathName.parse('main') }] } = options
  const isKnown = uplinkBitrate !== undefined
  // One rate can only be that of one path.
  const paths = isKnown && linkPaths.length === 1 ? linkPaths.map(path => ({ ...path, rateBitsPerSecond: uplinkBitrate })) : [...linkPaths]
  const reply = await signaling.request('openLink', { paths })
  if (!reply.contract.allowedClasses.includes('live')) throw new RelayFault('unavailable', 'this link may not carry live video')
  return LinkPublisher.open({ pyramid, reply, host: address.host, isLoopback: address.isLoopback, isKnown, clock }, signal)
}

async function publishByWebRtc({ address, pyramid, stage, estimator, clock }: NodeSessionOptions, signaling: SignalingClient, signal: AbortSignal): Promise<PublishedCarrier> {
  let publicationId: PublicationId | undefined
  const { iceServers } = await signaling.request('readIceServers', {})
  const carrier = await Publisher.open(
    {
      pyramid,
      usesLoopback: address.isLoopback,
      iceServers,
      estimator,
      clock,
      exchange: async ({ sdp, tracks }) => {
        const reply = await signaling.request('publish', { pyramid, sdp, tracks, stage })
        publicationId = reply.publicationId
        return reply.sdp
      },
    },
    signal,
  )
  if (publicationId === undefined) throw new Error('a publisher opens only after the exchange')
  return { carrier, publicationId }
}
