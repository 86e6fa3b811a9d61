import { Pool } from 'undici'
import { checkedLookup, checkLiteral } from './service-address.ts'
import type { RegisteredService } from '../../relay/access/registry/registry.ts'
import type { ServiceId } from '../../relay/wire/access.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ResolveName } from './service-address.ts'

/** With which a node shows itself to services, and knows them by: PEM. */
export interface ServiceTls {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** How connections to services are made. */
export interface ServicePoolsOptions {
  readonly tls?: ServiceTls | undefined
  /** Without it the system's resolver. */
  readonly resolve?: ResolveName | undefined
  /** To one service at once. */
  readonly connections: number
  readonly connect: Millis
  /** Until the first byte of an answer, and from one part of it to the next. */
  readonly silence: Millis
}

/** An idle connection is kept for so long; a service that closes sooner says so itself. */
const IDLE_MILLIS = 4000

/** The connections to services: a pool for each, so that one that hangs has none of another's. */
export class ServicePools {
  readonly #options: ServicePoolsOptions
  readonly #pools = new Map<ServiceId, { readonly place: string; readonly pool: Pool }>()

  constructor(options: ServicePoolsOptions) {
    this.#options = options
  }

  /** @throws {RelayFault} `unavailable` for an origin that names an address where no service may be. */
  poolOf({ id, origin, addresses = 'routable' }: RegisteredService): Pool {
    const place = `${origin} ${addresses}`
    const known = this.#pools.get(id)
    if (known?.place === place) return known.pool
    checkLiteral(new URL(origin).hostname, addresses)
    const { tls, resolve, connections, connect, silence } = this.#options
    const pool = new Pool(origin, {
      connections, pipelining: 1, allowH2: false, keepAliveTimeout: IDLE_MILLIS, headersTimeout: silence, bodyTimeout: silence,
      connect: { ...tls, minVersion: 'TLSv1.3', timeout: connect, autoSelectFamily: false, lookup: checkedLookup(addresses, resolve) },
    })
    this.#drop(id)
    this.#pools.set(id, { place, pool })
    return pool
  }

  /** Forgets the connections to services that are not among these any more. */
  keep(isKept: (id: ServiceId) => boolean): void {
    for (const id of this.#pools.keys()) if (!isKept(id)) this.#drop(id)
  }

  /** Cuts all. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(pools.map(({ pool }) => pool.destroy()))
  }

  #drop(id: ServiceId): void {
    // It settles when all its sockets are gone, and has nobody to tell.
    void this.#pools.get(id)?.pool.destroy()
    this.#pools.delete(id)
  }
}
