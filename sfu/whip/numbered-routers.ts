import { numberingKey } from './client-numbering.ts'
import type { ClientNumbering } from './client-numbering.ts'
import type { Router } from 'mediasoup/types'

/** Kernel buffers of the loopback sockets between two routers. Keyframes come in bursts. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024

/** A router that is held until it is released. */
export interface RouterLease {
  readonly router: Router
  /** The producer's id there. */
  readonly producerId: string
  /** Idempotent. */
  readonly release: () => void
}

interface SharedRouter {
  readonly router: Promise<Router>
  /** Producers that were brought into it: their ids there, by their own. */
  readonly brought: Map<string, Promise<string>>
  users: number
}

/**
 * Routers beside the one of a consultation, on the same worker, one for each way in which clients number
 * their payload types. A producer is brought into each at most once, however many clients watch there.
 */
export class NumberedRouters {
  readonly #source: Router
  readonly #create: (numbering: ClientNumbering) => Promise<Router>
  readonly #shared = new Map<string, SharedRouter>()

  constructor(source: Router, create: (numbering: ClientNumbering) => Promise<Router>) {
    this.#source = source
    this.#create = create
  }

  /** A router that has the producer, under the client's numbers. */
  async lease(numbering: ClientNumbering, producerId: string): Promise<RouterLease> {
    const key = numberingKey(numbering)
    const shared = this.#shared.get(key) ?? { router: this.#create(numbering), brought: new Map<string, Promise<string>>(), users: 0 }
    this.#shared.set(key, shared)
    shared.users++
    let isReleased = false
    const release = (): void => {
      if (isReleased) return
      isReleased = true
      shared.users--
      if (shared.users === 0) this.#drop(key, shared)
    }
    try {
      const router = await shared.router
      return { router, producerId: await this.#bring(producerId, router, shared.brought), release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Closes all of them. */
  close(): void {
    for (const [key, shared] of [...this.#shared]) this.#drop(key, shared)
  }

  #drop(key: string, shared: SharedRouter): void {
    if (this.#shared.get(key) === shared) this.#shared.delete(key)
    void shared.router.then(
      router => router.close(),
      () => undefined,
    )
  }

  #bring(producerId: string, router: Router, brought: Map<string, Promise<string>>): Promise<string> {
    const known = brought.get(producerId)
    if (known !== undefined) return known
    const forget = (): void => void brought.delete(producerId)
    const bringing = this.#pipe(producerId, router, forget)
    brought.set(producerId, bringing)
    bringing.catch(forget)
    return bringing
  }

  async #pipe(producerId: string, router: Router, onClosed: () => void): Promise<string> {
    const listenInfo = { protocol: 'udp', ip: '127.0.0.1', recvBufferSize: SOCKET_BUFFER_BYTES, sendBufferSize: SOCKET_BUFFER_BYTES } as const
    // Both routers are on one worker, where an id means one producer.
    const { pipeProducer } = await this.#source.pipeToRouter({ producerId, router, listenInfo, enableSctp: false, keepId: false })
    if (pipeProducer === undefined) throw new Error('a pipe of media has a producer')
    pipeProducer.observer.once('close', onClosed)
    return pipeProducer.id
  }
}
