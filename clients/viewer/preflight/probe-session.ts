import { RelayFault } from '../../../relay/wire/fault.ts'
import { SignalingClient } from '../../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION } from '../../../relay/wire/signaling.ts'
import type { Notification, Publication } from '../../../relay/wire/signaling.ts'
import type { Entry } from '../access/grant-session.ts'

const OPEN_TIMEOUT_MS = 5000

/** Where to go, and what lets the page in there. */
export interface NodeDoor {
  readonly signalingUrl: string
  readonly entry: () => Promise<Entry>
}

/** A session of its own with the node, beside the one that shows the image: what is tried on it disturbs nothing. */
export class ProbeSession implements Disposable {
  readonly client: SignalingClient
  /** What the microscope publishes; null while there is none. */
  readonly publication: Publication | null
  readonly #heard: Set<(notification: Notification) => void>

  private constructor(client: SignalingClient, publication: Publication | null, heard: Set<(notification: Notification) => void>) {
    this.client = client
    this.publication = publication
    this.#heard = heard
  }

  /** @throws {RelayFault} The node's code; `unavailable`. */
  static async open({ signalingUrl, entry }: NodeDoor): Promise<ProbeSession> {
    const entering = await entry()
    const socket = new WebSocket(signalingUrl)
    const opened = Promise.withResolvers<undefined>()
    const fail = (): void => opened.reject(new RelayFault('unavailable', 'the node cannot be reached'))
    const timer = setTimeout(fail, OPEN_TIMEOUT_MS)
    socket.addEventListener('open', () => opened.resolve(undefined), { once: true })
    socket.addEventListener('error', fail, { once: true })
    const heard = new Set<(notification: Notification) => void>()
    try {
      await opened.promise
      const client = new SignalingClient(socket, { onNotification: notification => heard.forEach(hear => hear(notification)) })
      const { publication } = await client.request('join', { protocol: PROTOCOL_VERSION, ...entering })
      return new ProbeSession(client, publication, heard)
    } catch (error) {
      socket.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Does something and waits for a notification that it brings about. @returns false when none came in time. */
  async provokes(act: () => Promise<unknown>, isIt: (notification: Notification) => boolean, patienceMs: number): Promise<boolean> {
    const came = Promise.withResolvers<boolean>()
    const hear = (notification: Notification): void => {
      if (isIt(notification)) came.resolve(true)
    }
    const timer = setTimeout(() => came.resolve(false), patienceMs)
    this.#heard.add(hear)
    try {
      await act()
      return await came.promise
    } finally {
      clearTimeout(timer)
      this.#heard.delete(hear)
    }
  }

  [Symbol.dispose](): void {
    this.client.close()
  }
}
