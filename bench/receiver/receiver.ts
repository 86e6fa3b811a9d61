import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isRtcp } from '../../relay/recordings/rtp-packet.ts'
import { openSignalingSocket } from '../../relay/runtime/signaling-socket.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION } from '../../relay/wire/signaling.ts'
import { FrameJudge } from './frame-judge.ts'
import { MediaPeer } from './media-peer.ts'
import { consumerStreams, RECEIVER_CAPABILITIES, writeOffer } from './offer.ts'
import { RECEIVER_SSRC, RenditionReception } from './rendition-reception.ts'
import { writeReceiverReports } from './rtcp.ts'
import type { NodeAddress } from '../../relay/runtime/invitation-link.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Publication } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ArrivedFrame } from './frame-judge.ts'
import type { ReceiverSecond, RenditionSecond } from './messages.ts'

/** How often lost packets are looked for and due instants judged. */
const HOUSEKEEPING_INTERVAL_MILLIS = 10
const REPORT_INTERVAL_MILLIS = 1000
/** A node that waits for its microscope gets this long. */
const PUBLICATION_DEADLINE_MILLIS = 30_000
const CONNECT_DEADLINE_MILLIS = 10_000

/** What {@link Receiver} is told. */
export interface ReceiverOptions {
  readonly address: NodeAddress
  /** From the first packet of an instant to the last moment at which its packets count. */
  readonly deadline: Millis
  readonly clock: Clock
  readonly onSecond: (second: ReceiverSecond) => void
  /** Told of every frame of which anything came, when its deadline has passed. */
  readonly onFrame?: ((frame: ArrivedFrame) => void) | undefined
}

/** A viewer without eyes: joins a consultation, receives what it watches, and judges every frame of it. */
export class Receiver {
  readonly pyramid: Pyramid
  readonly #options: ReceiverOptions
  readonly #signaling: SignalingClient
  readonly #publication: Publication
  readonly #peer: MediaPeer
  readonly #receptions: ReadonlyMap<string, RenditionReception>
  readonly #judge: FrameJudge
  readonly #closed = Promise.withResolvers<RelayFault>()
  readonly #scope = new DisposableStack()
  #secondBeganAt: Millis
  #totalRtpBytes = 0
  #totalRtxBytes = 0

  private constructor(options: ReceiverOptions, signaling: SignalingClient, publication: Publication, media: Media) {
    this.#options = options
    this.#signaling = signaling
    this.#publication = publication
    this.#peer = media.peer
    this.#receptions = media.receptions
    this.#judge = media.judge
    this.pyramid = publication.pyramid
    this.#secondBeganAt = options.clock.now()
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    this.#every(HOUSEKEEPING_INTERVAL_MILLIS, now => this.#keepHouse(now))
    this.#every(REPORT_INTERVAL_MILLIS, now => {
      this.#sendReports(now)
      this.#tellSecond(now, delay.max / 1e6)
      delay.reset()
    })
    void signaling.closed.then(fault => this.close(fault))
  }

  /** Joins, waits for a publication and connects to it. @throws {RelayFault} When any of that fails. */
  static async open(options: ReceiverOptions): Promise<Receiver> {
    const published = Promise.withResolvers<Publication>()
    let receiver: Receiver | undefined
    const signaling = await connectSignaling(options.address, publication => {
      if (publication !== null) published.resolve(publication)
      receiver?.close(new RelayFault('unavailable', 'the microscope went away or publishes anew'))
    })
    try {
      const joined = await signaling.request('join', { protocol: PROTOCOL_VERSION, invitation: options.address.invitation })
      const publication = joined.publication ?? (await within(published.promise, PUBLICATION_DEADLINE_MILLIS, 'no microscope publishes'))
      const media = await openMedia(options, signaling, publication)
      receiver = new Receiver(options, signaling, publication, media)
      return receiver
    } catch (error) {
      signaling.close()
      throw error
    }
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  /** Watches exactly these renditions; settles when the node has agreed. */
  async watch(renditions: readonly RenditionId[]): Promise<void> {
    const wanted = new Set(renditions)
    // What leaves is cut off in the middle of a frame, so it stops counting first.
    this.#judge.expect([...this.#judge.expected].filter(id => wanted.has(id)))
    await this.#signaling.request('watch', { publicationId: this.#publication.publicationId, renditions: [...wanted], prefetch: [] })
    this.#judge.expect([...wanted])
  }

  /** Leaves the consultation. Idempotent; the first reason wins. */
  close(reason: RelayFault): void {
    this.#scope.dispose()
    this.#signaling.close()
    this.#peer.close()
    this.#closed.resolve(reason)
  }

  #every(intervalMillis: number, action: (now: Millis) => void): void {
    const timer = setInterval(() => action(this.#options.clock.now()), intervalMillis)
    this.#scope.defer(() => clearInterval(timer))
  }

  #keepHouse(now: Millis): void {
    this.#judge.judge(now)
    for (const [mid, reception] of this.#receptions) {
      const nack = reception.nack(now)
      if (nack !== undefined) this.#peer.sendRtcp(mid, nack)
    }
  }

  #sendReports(now: Millis): void {
    const blocks = [...this.#receptions.values()].map(reception => reception.report(now)).filter(block => block !== undefined)
    const [mid] = this.#receptions.keys()
    if (mid === undefined) return
    for (const packet of writeReceiverReports(RECEIVER_SSRC, blocks)) this.#peer.sendRtcp(mid, packet)
  }

  #tellSecond(now: Millis, longestDelayMillis: number): void {
    const tallies = this.#judge.take()
    const renditions: Record<RenditionId, RenditionSecond> = {}
    const repair = { asked: 0, recovered: 0, lost: 0 }
    for (const reception of this.#receptions.values()) {
      const { packets, rtpBytes, rtxBytes, asked, recovered, lost } = reception.takeCounts()
      const tally = tallies.get(reception.id)
      if (tally !== undefined || packets > 0) {
        renditions[reception.id] = { ...(tally ?? { intact: 0, damaged: 0, missing: 0 }), packets, rtpBytes, rtxBytes }
      }
      this.#totalRtpBytes += rtpBytes
      this.#totalRtxBytes += rtxBytes
      repair.asked += asked
      repair.recovered += recovered
      repair.lost += lost
    }
    const durationSeconds = (now - this.#secondBeganAt) / 1000
    this.#secondBeganAt = now
    const totals = { totalRtpBytes: this.#totalRtpBytes, totalRtxBytes: this.#totalRtxBytes }
    const instants = this.#judge.takeInstants()
    this.#options.onSecond({ type: 'second', durationSeconds, instants, renditions, ...totals, ...repair, longestDelayMillis })
  }
}

interface Media {
  readonly peer: MediaPeer
  /** By `mid`. */
  readonly receptions: ReadonlyMap<string, RenditionReception>
  readonly judge: FrameJudge
}

async function connectSignaling(address: NodeAddress, onPublication: (publication: Publication | null) => void): Promise<SignalingClient> {
  const socket = await openSignalingSocket(address.signalingUrl, AbortSignal.timeout(PUBLICATION_DEADLINE_MILLIS))
  return new SignalingClient(socket, {
    onNotification: notification => {
      if (notification.type === 'publicationChanged') onPublication(notification.publication)
    },
  })
}

/** Makes the transport, one consumer per rendition, and the WebRTC connection for them. Nothing is watched yet. */
async function openMedia(options: ReceiverOptions, signaling: SignalingClient, publication: Publication): Promise<Media> {
  const transport = await signaling.request('createTransport', {})
  const { transportId } = transport
  const { publicationId } = publication
  const { consumers } = await signaling.request('subscribe', { transportId, publicationId, rtpCapabilities: RECEIVER_CAPABILITIES })
  const receptions = new Map(
    consumers.map(consumer => {
      const streams = consumerStreams(consumer)
      return [streams.mid, new RenditionReception(consumer.renditionId, streams)]
    }),
  )
  const judge = new FrameJudge(options.deadline, options.onFrame)
  const onPacket = (mid: string, datagram: Buffer): void => {
    const now = options.clock.now()
    const reception = receptions.get(mid)
    if (reception === undefined) return
    if (isRtcp(datagram)) {
      reception.takeRtcp(datagram, now)
      return
    }
    const packet = reception.takeRtp(datagram, now)
    if (packet !== undefined) judge.push(reception.id, packet, now)
  }
  const peer = await MediaPeer.open({ offer: writeOffer(transport, consumers), onPacket })
  try {
    await signaling.request('connectTransport', { transportId, dtlsParameters: peer.dtlsParameters })
    await within(peer.connected, CONNECT_DEADLINE_MILLIS, 'the media connection does not come up')
  } catch (error) {
    peer.close()
    throw error
  }
  return { peer, receptions, judge }
}

async function within<Value>(promise: Promise<Value>, deadlineMillis: number, complaint: string): Promise<Value> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new RelayFault('timeout', `${complaint} within ${deadlineMillis / 1000} s`)), deadlineMillis)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
