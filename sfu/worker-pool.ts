import { createWorker } from 'mediasoup'
import { systemClock } from '../relay/runtime/clock.ts'
import { Backoff } from '../relay/wire/backoff.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { millis } from '../relay/wire/units.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { WebRtcServer, Worker } from 'mediasoup/types'

/** Kernel buffers of a media socket. A pyramid's keyframes come in bursts of megabits. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024

/** Where workers listen for media. */
export interface MediaAddress {
  readonly ip: string
  /** Port of the first worker, UDP and TCP; each next worker takes the next one. */
  readonly basePort: number
  readonly announcedAddress?: string | undefined
}

/** What lives on a worker and ends with it. */
export interface WorkerTenant {
  /** The worker is gone: with the fault if its process died, undefined if it was closed. */
  workerClosed(fault: RelayFault | undefined): void
}

/** One running mediasoup worker with the one WebRtcServer that all its transports share. */
export class MediaWorker {
  readonly worker: Worker
  readonly webRtcServer: WebRtcServer
  /** Its place in the pool, from 0; stays the same when the process is replaced. */
  readonly index: number
  // Tenants come and go by the thousand on one worker; a promise would hold on to every one of them.
  readonly #tenants = new Set<WorkerTenant>()
  readonly #closed = Promise.withResolvers<RelayFault | undefined>()

  private constructor(worker: Worker, webRtcServer: WebRtcServer, index: number) {
    this.worker = worker
    this.webRtcServer = webRtcServer
    this.index = index
    worker.once('died', cause => {
      this.#settle(new RelayFault('worker_died', `media worker ${index} died`, { cause }))
    })
  }

  /**
   * @throws {RelayFault} `address_in_use` when its media port is taken; `unavailable` when the worker
   *   program cannot be started.
   */
  static async open(index: number, address: MediaAddress): Promise<MediaWorker> {
    const worker = await createWorker({ logLevel: 'warn' }).catch((cause: unknown) => {
      throw new RelayFault('unavailable', 'the mediasoup worker cannot be started', { cause })
    })
    const port = address.basePort + index
    const shared = {
      ip: address.ip,
      port,
      ...(address.announcedAddress === undefined ? {} : { announcedAddress: address.announcedAddress }),
      recvBufferSize: SOCKET_BUFFER_BYTES,
      sendBufferSize: SOCKET_BUFFER_BYTES,
    }
    try {
      const webRtcServer = await worker.createWebRtcServer({
        listenInfos: [
          { protocol: 'udp', ...shared },
          { protocol: 'tcp', ...shared },
        ],
      })
      return new MediaWorker(worker, webRtcServer, index)
    } catch (cause) {
      worker.close()
      throw new RelayFault('address_in_use', `cannot take media port ${port} (UDP and TCP) on ${address.ip}`, { cause })
    }
  }

  /** Settles when it is gone: with the fault if the process died, undefined if it was closed. Never rejects. */
  get closed(): Promise<RelayFault | undefined> {
    return this.#closed.promise
  }

  /** How many tenants it has. */
  get load(): number {
    return this.#tenants.size
  }

  /** Tells the tenant when this worker is gone, until it {@link evict moves out}. */
  lodge(tenant: WorkerTenant): void {
    this.#tenants.add(tenant)
  }

  evict(tenant: WorkerTenant): void {
    this.#tenants.delete(tenant)
  }

  /** Idempotent. */
  close(): void {
    this.worker.close()
    this.#settle(undefined)
  }

  #settle(fault: RelayFault | undefined): void {
    this.#closed.resolve(fault)
    for (const tenant of [...this.#tenants]) tenant.workerClosed(fault)
    this.#tenants.clear()
  }
}

/** One worker per core. Replaces workers that die, on the same port. */
export class WorkerPool {
  readonly #address: MediaAddress
  readonly #log: Logger
  readonly #onDeath: () => void
  readonly #slots: (MediaWorker | undefined)[] = []
  readonly #stop = new AbortController()

  private constructor(address: MediaAddress, log: Logger, onDeath: () => void) {
    this.#address = address
    this.#log = log
    this.#onDeath = onDeath
  }

  /** @throws {RelayFault} `address_in_use` or `unavailable`; then nothing stays open. */
  static async open(count: number, address: MediaAddress, log: Logger, onDeath: () => void): Promise<WorkerPool> {
    const pool = new WorkerPool(address, log, onDeath)
    try {
      for (let index = 0; index < count; index++) pool.#adopt(await MediaWorker.open(index, address))
    } catch (error) {
      pool.close()
      throw error
    }
    return pool
  }

  /** Workers that run now. */
  get running(): readonly MediaWorker[] {
    return this.#slots.filter(slot => slot !== undefined)
  }

  /** How many there should be. */
  get size(): number {
    return this.#slots.length
  }

  /**
   * The running worker with the fewest tenants.
   *
   * @throws {RelayFault} `unavailable` while none runs.
   */
  leastLoaded(): MediaWorker {
    const [first, ...rest] = this.running
    if (first === undefined) throw new RelayFault('unavailable', 'no media worker is running')
    return rest.reduce((best, worker) => (worker.load < best.load ? worker : best), first)
  }

  /** Closes every worker and stops replacing them. Idempotent. */
  close(): void {
    this.#stop.abort(new RelayFault('unavailable', 'the node is stopping'))
    for (const worker of this.running) worker.close()
    this.#slots.fill(undefined)
  }

  #adopt(worker: MediaWorker): void {
    this.#slots[worker.index] = worker
    void worker.closed.then(fault => {
      if (fault === undefined || this.#stop.signal.aborted) return
      this.#slots[worker.index] = undefined
      this.#onDeath()
      this.#log.error({ err: fault, worker: worker.index }, 'media worker died')
      return this.#replace(worker.index)
    })
  }

  async #replace(index: number): Promise<void> {
    const backoff = new Backoff({ first: millis(100), cap: millis(10_000) })
    while (!this.#stop.signal.aborted) {
      try {
        const worker = await MediaWorker.open(index, this.#address)
        // close() may have come while the process was starting.
        if (this.#stop.signal.aborted as boolean) worker.close()
        else this.#adopt(worker)
        this.#log.info({ worker: index, attempts: backoff.attempts + 1 }, 'media worker replaced')
        return
      } catch (error) {
        this.#log.error({ err: error, worker: index }, 'media worker cannot be replaced yet')
        await systemClock.sleep(backoff.next(), this.#stop.signal).catch(() => undefined)
      }
    }
  }
}
