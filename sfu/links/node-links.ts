import { randomBytes, randomInt } from 'node:crypto'
import { LinkPort } from '../../relay/links/link-sockets.ts'
import { REFUSALS } from '../../relay/links/measurement/link-snapshot.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import type { LinkListener, LinkTransport } from '../../relay/links/link-transport.ts'
import type { LinkSnapshot, Refusal } from '../../relay/links/measurement/link-snapshot.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { MemberId } from '../../relay/wire/ids.ts'
import type { LinkContract, LinkName, PathContract } from '../../relay/wire/link.ts'
import type { ReplyData, Role } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { LinkContracts } from './link-contracts.ts'
import type { LinkDirectory } from './link-metrics.ts'

const SECRET_BYTES = 32
/** A link of which no path lived for so long is lost, as a WebRTC connection without ICE consent is. */
const LOST_AFTER = millis(10_000)
const WATCH_INTERVAL = millis(1000)
const MAX_LINKS = 1024
/** Closed links that wait to be read. */
const MAX_CLOSED = 64

/** How a node's links are opened. */
export interface NodeLinksOptions {
  /** Where datagrams are received; undefined: this node has no links. */
  readonly address: string | undefined
  readonly port: number
  /** Told to whoever opens a link; null: the host that it reached this node by. */
  readonly announcedHost: string | null
  readonly contracts: LinkContracts
  readonly clock: Clock
}

/** One member's link at this node. */
export class NodeLink {
  readonly contract: LinkContract
  readonly #transport: LinkTransport
  readonly #clock: Clock
  readonly #lost = Promise.withResolvers<RelayFault>()
  readonly #release: () => void
  #livedAt: Millis

  constructor(transport: LinkTransport, clock: Clock, release: () => void) {
    this.contract = transport.endpoint.contract
    this.#transport = transport
    this.#clock = clock
    this.#release = release
    this.#livedAt = clock.now()
    this.listen({})
  }

  /** Settles once, with the reason, when it has been dead for long, or was closed. Never rejects. */
  get lost(): Promise<RelayFault> {
    return this.#lost.promise
  }

  /** The member's clock less ours; undefined before it is known. */
  get clockOffset(): Millis | undefined {
    return this.#transport.endpoint.clockOffset
  }

  snapshot(): LinkSnapshot {
    return this.#transport.snapshot()
  }

  /** Who hears of what arrives; a later one replaces it. */
  listen(listener: LinkListener): void {
    this.#transport.listen({ ...listener, onClosed: () => this.close(new RelayFault('unavailable', 'the far end closed the link')) })
  }

  /** Sends a message of the class `control`. @returns false when it cannot be taken. */
  sendControl(body: Buffer): boolean {
    return this.#transport.endpoint.isUp && this.#transport.sendMessage('control', body) !== undefined
  }

  /** Looks whether it lives. */
  watch(): void {
    const now = this.#clock.now()
    if (this.#transport.endpoint.isUp) this.#livedAt = now
    else if (now - this.#livedAt > LOST_AFTER) this.close(new RelayFault('unavailable', 'no path of the link lives'))
  }

  /** Idempotent; the first reason wins. */
  close(reason: RelayFault): void {
    this.#lost.resolve(reason)
    this.#release()
  }
}

/** A link just opened, and what its far end has to be told. */
export interface OpenedLink {
  readonly link: NodeLink
  readonly reply: ReplyData<'openLink'>
}

/** All links of a node, on one UDP port. */
export class NodeLinks implements LinkDirectory, AsyncDisposable {
  readonly #options: NodeLinksOptions
  readonly #port: LinkPort | undefined
  readonly #links = new Map<LinkName, NodeLink>()
  readonly #timer: NodeJS.Timeout
  #closed: LinkSnapshot[] = []

  private constructor(options: NodeLinksOptions, port: LinkPort | undefined) {
    this.#options = options
    this.#port = port
    this.#timer = setInterval(() => {
      for (const link of this.#links.values()) link.watch()
    }, WATCH_INTERVAL)
    this.#timer.unref()
  }

  /** @throws {RelayFault} `address_in_use`. */
  static async open(options: NodeLinksOptions): Promise<NodeLinks> {
    const { address, port, clock } = options
    return new NodeLinks(options, address === undefined ? undefined : await LinkPort.open({ address, port, clock }))
  }

  snapshots(): readonly LinkSnapshot[] {
    return [...this.#links.values()].map(link => link.snapshot())
  }

  refusedDatagrams(): Readonly<Record<Refusal, number>> {
    return this.#port?.refused ?? (Object.fromEntries(REFUSALS.map(cause => [cause, 0])) as Record<Refusal, number>)
  }

  takeClosed(): readonly LinkSnapshot[] {
    const closed = this.#closed
    this.#closed = []
    return closed
  }

  /** The UDP port; undefined without links. */
  get port(): number | undefined {
    return this.#port?.port
  }

  /** Opens a link for a member. @throws {RelayFault} `unavailable` without links; `overloaded`; `conflict` when it is in use; `bad_message` for paths of one name. */
  openFor(member: MemberId, role: Role, paths: readonly PathContract[]): OpenedLink {
    const port = this.#port
    if (port === undefined) throw new RelayFault('unavailable', 'this node has no links')
    if (this.#links.size >= MAX_LINKS) throw new RelayFault('overloaded', 'this node has as many links as it may')
    const { contracts, announcedHost, clock } = this.#options
    const contract = contracts.find(member, role, paths, name => this.#links.has(name))
    const secret = randomBytes(SECRET_BYTES)
    const association = freeAssociation(port)
    const transport = port.accept({ association, secret, contract })
    const link = new NodeLink(transport, clock, () => {
      port.release(transport)
      if (this.#links.get(contract.name) !== link) return
      this.#links.delete(contract.name)
      this.#closed.push(transport.snapshot())
      if (this.#closed.length > MAX_CLOSED) this.#closed.shift()
    })
    this.#links.set(contract.name, link)
    return { link, reply: { association, secret: secret.toString('base64url'), host: announcedHost, port: port.port, contract } }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    for (const link of this.#links.values()) link.close(new RelayFault('unavailable', 'the node is stopping'))
    await this.#port?.[Symbol.asyncDispose]()
  }
}

function freeAssociation(port: LinkPort): number {
  for (;;) {
    const association = randomInt(1, 2 ** 32)
    if (!port.has(association)) return association
  }
}
