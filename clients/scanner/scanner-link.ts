import { LinkDialer } from '../../relay/links/link-sockets.ts'
import { openSignalingSocket } from '../../relay/runtime/signaling-socket.ts'
import { LinkCarrier } from '../../relay/slides/transfer/link-carrier.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { PathName } from '../../relay/wire/link.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION } from '../../relay/wire/signaling.ts'
import { millis } from '../../relay/wire/units.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { NodeAccess } from '../../relay/runtime/node-access.ts'
import type { ChunkLink } from '../../relay/slides/transfer/link-carrier.ts'
import type { PathContract } from '../../relay/wire/link.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'

/** A link that has not come up by then does not come up: a firewall drops its datagrams. */
const UP_TIMEOUT = millis(4000)
const POLL_INTERVAL = millis(10)
/** A link of which no path lived for so long is given up, so that another can be made. */
const LOST_AFTER = millis(5000)
const WATCH_INTERVAL_MILLIS = 250

/** How a scanner's link is opened. */
export interface ScannerLinkOptions {
  readonly access: NodeAccess
  /** Interfaces to use; one path over whatever the system chooses by default. */
  readonly paths?: readonly PathContract[] | undefined
  readonly clock: Clock
}

/** A dialled link as a carrier of chunks sees it. */
export class DialledChunkLink implements ChunkLink {
  readonly #dialer: LinkDialer
  readonly #clock: Clock
  readonly #scope: AsyncDisposableStack
  readonly #timer: NodeJS.Timeout
  #closed = (_fault: RelayFault): void => undefined
  #livedAt: Millis

  /** @param scope - Holds the dialer, whose link is up, and what else goes when it goes. */
  constructor(dialer: LinkDialer, clock: Clock, scope: AsyncDisposableStack) {
    this.#dialer = dialer
    this.#clock = clock
    this.#scope = scope
    this.#livedAt = clock.now()
    this.#timer = setInterval(() => this.#watch(), WATCH_INTERVAL_MILLIS)
    this.#timer.unref()
  }

  get rate(): BitsPerSecond {
    return this.#dialer.transport.endpoint.capacityFor('bulk')
  }

  get waitingBytes(): number {
    return this.#dialer.transport.endpoint.messages.bulk.out.queue.waitingBytes
  }

  send(message: Buffer, isUrgent: boolean): number | undefined {
    return this.#dialer.transport.sendMessage('bulk', message, isUrgent)
  }

  listen(listener: Parameters<ChunkLink['listen']>[0]): void {
    this.#closed = fault => listener.closed(fault)
    this.#dialer.transport.listen({
      onArrived: (id, ticket) => {
        if (id === 'bulk') listener.arrived(ticket)
      },
      onMessage: (id, message) => {
        if (id === 'control') listener.control(message)
      },
      onClosed: () => listener.closed(new RelayFault('unavailable', 'the node closed the link')),
    })
  }

  /** Ends it from outside, with a reason. */
  fail(fault: RelayFault): void {
    this.#closed(fault)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#scope.disposeAsync()
  }

  #watch(): void {
    const now = this.#clock.now()
    if (this.#dialer.transport.endpoint.isUp) this.#livedAt = now
    else if (now - this.#livedAt > LOST_AFTER) this.#closed(new RelayFault('unavailable', 'no path of the link lives'))
  }
}

/**
 * Enters the consultation, opens a link and waits until a path of it lives. Signaling stays open as long as the
 * carrier: the node ends the link with it.
 *
 * @throws {RelayFault} `unavailable` when no link comes up, by a node without links or a line that lets no datagrams
 *   through; the node's refusal of the invitation; `timeout` when it does not answer.
 */
export async function openScannerLink({ access, paths = [{ name: PathName.parse('main') }], clock }: ScannerLinkOptions, signal: AbortSignal): Promise<LinkCarrier> {
  await using scope = new AsyncDisposableStack()
  const { address } = access
  const entry = scope.use(await access.enter(signal))
  const socket = await openSignalingSocket(address.signalingUrl, signal, entry.tls)
  scope.defer(() => socket.terminate())
  const signaling = new SignalingClient(socket, { onNotification: () => undefined })
  scope.defer(() => signaling.close())
  signal.throwIfAborted()
  await signaling.request('join', { protocol: PROTOCOL_VERSION, invitation: entry.token }).catch((error: unknown) => {
    // Whoever tries again asks for another grant.
    access.refused(entry, toFault(error))
    throw error
  })
  entry.accepted()
  const { association, secret, contract, host, port } = await signaling.request('openLink', { paths: [...paths] })
  if (!contract.allowedClasses.includes('bulk') || !contract.allowedClasses.includes('control')) throw new RelayFault('unavailable', 'this link may not carry slides')
  const dialer = scope.use(await LinkDialer.open({ association, secret: Buffer.from(secret, 'base64url'), contract }, { host: host ?? address.host, port }, clock))
  await untilUp(dialer, clock, signal)
  const link = new DialledChunkLink(dialer, clock, scope.move())
  const carrier = new LinkCarrier(link, clock)
  void signaling.closed.then(fault => link.fail(fault))
  return carrier
}

/** @throws {RelayFault} `unavailable` when no path lives in time. */
export async function untilUp({ transport }: LinkDialer, clock: Clock, signal: AbortSignal): Promise<void> {
  const deadline = clock.now() + UP_TIMEOUT
  while (!transport.endpoint.isUp) {
    if (clock.now() > deadline) throw new RelayFault('unavailable', 'no path of the link came up in time')
    await clock.sleep(POLL_INTERVAL, signal)
  }
}
