import { WebSocket } from 'ws'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION, SIGNALING_PATH } from '../../relay/wire/signaling.ts'
import { Arrivals } from './arrivals.ts'
import type { Notification, Publication } from '../../relay/wire/signaling.ts'
import type { GrantedPerson, PlatformNode } from './withdrawal-world.ts'

/** A pointer and the stage in turns: so often, as long as the node lets. */
const INSTRUMENT_INTERVAL_MILLIS = 50

/** A person in a consultation, who points and steers, and counts what the node accepts of it and passes on of others. */
export class LiveMember implements Disposable {
  /** Requests that were accepted, pointers of others that came. */
  readonly arrivals = new Arrivals()
  readonly signaling: SignalingClient
  readonly notifications: Notification[] = []
  #publication: Publication | null = null
  #rtpTimestamp: number | undefined

  private constructor(socket: WebSocket) {
    this.signaling = new SignalingClient(socket, { onNotification: notification => this.#hear(notification) })
  }

  /** @throws {RelayFault} what the node refuses with. */
  static async join(node: PlatformNode, { person, token }: GrantedPerson): Promise<LiveMember> {
    const url = `${node.origin}${SIGNALING_PATH}`
    const socket = new WebSocket(url.replace('http', 'ws'))
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.on('error', reject)
    })
    const member = new LiveMember(socket)
    const { dpop } = await person.headers('GET', url, token)
    const { publication } = await member.signaling.request('join', { protocol: PROTOCOL_VERSION, invitation: token, proof: dpop })
    member.#publication = publication
    return member
  }

  /** What is published. @throws {RelayFault} `wrong_state` when nothing is. */
  get publication(): Publication {
    if (this.#publication === null) throw new RelayFault('wrong_state', 'nothing is published')
    return this.#publication
  }

  /** Points and steers until the session ends, or the signal aborts. */
  async operate(signal: AbortSignal): Promise<void> {
    const { publicationId } = this.publication
    await this.signaling.request('claimStage', {})
    for (let turn = 0; !signal.aborted && !this.signaling.isClosed; turn++) {
      const at = { x: turn % 7680, y: turn % 4320 }
      await this.#accepted(() => (turn % 2 === 0 && this.#rtpTimestamp !== undefined
        ? this.signaling.request('pointAtImage', { publicationId, rtpTimestamp: this.#rtpTimestamp, at })
        : this.signaling.request('moveStage', { publicationId, target: { x: turn % 10_000 }, rtpTimestamp: null })))
      await new Promise(resolve => setTimeout(resolve, INSTRUMENT_INTERVAL_MILLIS))
    }
  }

  [Symbol.dispose](): void {
    this.signaling.close()
  }

  async #accepted(request: () => Promise<unknown>): Promise<void> {
    try {
      await request()
    } catch {
      // Refused, or the session is over: what counts is what is accepted.
      return
    }
    this.arrivals.note()
  }

  #hear(notification: Notification): void {
    this.notifications.push(notification)
    if (this.notifications.length > 100) this.notifications.shift()
    if (notification.type === 'captureClock') this.#rtpTimestamp = notification.rtpTimestamp
    if (notification.type === 'imagePointed') this.arrivals.note()
  }
}
