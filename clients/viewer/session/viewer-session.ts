import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { RenditionId, SessionId } from '../../../relay/wire/ids.ts'
import { SignalingClient } from '../../../relay/wire/signaling-client.ts'
import type { SignalingSocket } from '../../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION } from '../../../relay/wire/signaling.ts'
import type { Notification, Publication, SourceStatus } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import { Reception } from './reception.ts'
import { WatchQueue } from './watch-queue.ts'

/** What a viewer hears of its session. */
export interface SessionListener {
  joined(sessionId: SessionId): void
  /** The microscope's publication changed; null while there is none. All earlier tracks are over. */
  publicationChanged(publication: Publication | null): void
  sourceChanged(source: SourceStatus): void
  /** Its tracks are there; frames come on those that are watched. */
  receiving(reception: Reception): void
  /** Something failed that is tried again. */
  faulted(fault: RelayFault): void
}

/** Between attempts to receive a publication. */
const RECEIVE_RETRY_MS = 500

/** One viewer's stay, on one signaling socket: follows the microscope's publications and what is watched. */
export class ViewerSession {
  readonly #client: SignalingClient
  readonly #listener: SessionListener
  #publication: Publication | null = null
  #reception: Reception | undefined
  #queue = new WatchQueue()
  #wanted: readonly RenditionId[] = []
  #isClosed = false

  private constructor(socket: SignalingSocket, listener: SessionListener) {
    this.#listener = listener
    this.#client = new SignalingClient(socket, { onNotification: notification => this.#notified(notification) })
    void this.#client.closed.then(() => (this.#isClosed = true))
  }

  /**
   * Joins on an open socket.
   *
   * @throws {RelayFault} The node's code; then the socket is closed.
   */
  static async join(socket: SignalingSocket, invitation: string, listener: SessionListener): Promise<ViewerSession> {
    const session = new ViewerSession(socket, listener)
    try {
      const { sessionId, publication } = await session.#client.request('join', { protocol: PROTOCOL_VERSION, invitation })
      listener.joined(sessionId)
      session.#follow(publication)
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#client.closed
  }

  /** These renditions shall flow, as far as they exist and can be decoded. */
  watch(renditions: readonly RenditionId[]): void {
    this.#wanted = renditions
    this.#want()
  }

  getStats(): Promise<RTCStatsReport> | undefined {
    return this.#reception?.getStats()
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true
    this.#client.close()
    this.#reception?.close()
    this.#reception = undefined
  }

  #notified(notification: Notification): void {
    switch (notification.type) {
      case 'publicationChanged':
        this.#follow(notification.publication)
        break
      case 'sourceChanged':
        if (notification.publicationId === this.#publication?.publicationId) this.#listener.sourceChanged(notification.source)
        break
      case 'refused':
        this.#listener.faulted(new RelayFault(notification.fault.code, notification.fault.message))
        break
      case 'flowChanged':
      case 'stageChanged':
      case 'demandChanged':
      case 'stageCommanded':
      case 'heartbeat':
      case 'closing':
        break
      default:
        notification satisfies never
    }
  }

  #follow(publication: Publication | null): void {
    this.#reception?.close()
    this.#reception = undefined
    this.#publication = publication
    this.#listener.publicationChanged(publication)
    if (publication !== null) void this.#receive(publication)
  }

  /** Opens a reception of the publication, as often as needed and as long as it is the current one. */
  async #receive(publication: Publication): Promise<void> {
    while (this.#isCurrent(publication)) {
      try {
        const reception = await Reception.open(this.#client, publication)
        if (!this.#isCurrent(publication)) {
          reception.close()
          return
        }
        this.#adopt(reception)
        this.#listener.faulted(await reception.lost)
        reception.close()
        if (this.#isCurrent(publication)) this.#listener.publicationChanged(publication)
      } catch (error) {
        if (!this.#isCurrent(publication)) return
        this.#listener.faulted(toFault(error))
        await new Promise(resolve => setTimeout(resolve, RECEIVE_RETRY_MS))
      }
    }
  }

  #adopt(reception: Reception): void {
    this.#reception = reception
    this.#queue = new WatchQueue()
    this.#listener.receiving(reception)
    this.#want()
  }

  #isCurrent(publication: Publication): boolean {
    return !this.#isClosed && this.#publication === publication
  }

  #want(): void {
    const reception = this.#reception
    if (reception === undefined) return
    this.#queue.want(this.#wanted.filter(id => reception.has(id)))
    this.#tell(this.#queue, reception)
  }

  #tell(queue: WatchQueue, reception: Reception): void {
    if (queue !== this.#queue || this.#isClosed) return
    const { send: renditions, wakeAt } = queue.step(millis(performance.now()))
    if (wakeAt !== undefined) setTimeout(() => this.#tell(queue, reception), wakeAt - performance.now() + 1)
    if (renditions === undefined) return
    const answered = (isAccepted: boolean): void => {
      queue.answered(isAccepted, millis(performance.now()))
      this.#tell(queue, reception)
    }
    const { publicationId } = reception.publication
    this.#client.request('watch', { publicationId, renditions: [...renditions], prefetch: [] }).then(
      () => answered(true),
      (error: unknown) => {
        const fault = toFault(error)
        this.#listener.faulted(fault)
        // The publication is over, or the socket is: news of that comes by another way.
        if (fault.code !== 'wrong_state' && fault.code !== 'unavailable') answered(false)
      },
    )
  }
}
