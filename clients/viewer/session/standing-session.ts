import { Backoff } from '../../../relay/wire/backoff.ts'
import { FINAL_ACCESS_FAULTS, RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { FaultCode, RelayFault as Fault } from '../../../relay/wire/fault.ts'
import type { RequestParameters } from '../../../relay/wire/signaling-client.ts'
import type { ReplyData, RequestType } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import { NO_DEMAND } from '../view/tile-demand.ts'
import type { Demand } from '../view/tile-demand.ts'
import type { NodeVoice, PublicationParameters } from './connection-part.ts'
import type { Invitation } from './invitation-link.ts'
import { ViewerSession } from './viewer-session.ts'
import type { LineClaim, SessionListener } from './viewer-session.ts'

/** How the viewer stands with its node. `refused` is final. */
export type ConnectionState = 'connecting' | 'joined' | 'reconnecting' | 'refused'

/** What a viewer hears of its connection, beside its sessions. */
export interface ConnectionListener extends SessionListener {
  connectionChanged(state: ConnectionState): void
}

/** Codes that no repetition cures. */
const FINAL: ReadonlySet<FaultCode> = new Set(FINAL_ACCESS_FAULTS)

/** Between attempts to join. */
const RETRY = { first: millis(300), cap: millis(5000) }

/** A socket that does not open in this time is given up. */
const OPEN_TIMEOUT_MS = 5000

/** Session after session with the same invitation, for as long as the page is open. */
export class StandingSession implements NodeVoice {
  readonly #invitation: Invitation
  readonly #listener: ConnectionListener
  readonly #line: LineClaim
  #session: ViewerSession | undefined
  #wanted = NO_DEMAND

  constructor(invitation: Invitation, listener: ConnectionListener, line: LineClaim = {}) {
    this.#invitation = invitation
    this.#listener = listener
    this.#line = line
  }

  /** This shall flow, in this session and in those to come. */
  watch(demand: Demand): void {
    this.#wanted = demand
    this.#session?.watch(demand)
  }

  ask<Type extends RequestType>(type: Type, parameters: RequestParameters<Type>): Promise<ReplyData<Type>> {
    return this.#session?.ask(type, parameters) ?? Promise.reject(new RelayFault('unavailable', 'the node cannot be reached'))
  }

  askOfPublication<Type extends RequestType>(type: Type, parameters: PublicationParameters<Type>): Promise<ReplyData<Type>> {
    return this.#session?.askOfPublication(type, parameters) ?? Promise.reject(new RelayFault('unavailable', 'the node cannot be reached'))
  }

  getStats(): Promise<RTCStatsReport> | undefined {
    return this.#session?.getStats()
  }

  /** Joins, and joins again whenever the connection is lost, until it is refused for good or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#listener.connectionChanged('connecting')
    const backoff = new Backoff(RETRY)
    for (;;) {
      const fault = await this.#stay(signal, () => backoff.succeeded())
      if (signal.aborted) return
      this.#listener.faulted(fault)
      if (FINAL.has(fault.code)) {
        this.#listener.connectionChanged('refused')
        return
      }
      this.#listener.connectionChanged('reconnecting')
      await pause(backoff.next(), signal)
    }
  }

  /** One session from join to its end. */
  async #stay(signal: AbortSignal, onJoined: () => void): Promise<Fault> {
    let session: ViewerSession | undefined
    const close = (): void => session?.close()
    signal.addEventListener('abort', close)
    try {
      const socket = await openSocket(this.#invitation.signalingUrl)
      session = await ViewerSession.join(socket, this.#invitation.token, this.#listener, this.#line)
      if (signal.aborted) close()
      onJoined()
      this.#session = session
      this.#listener.connectionChanged('joined')
      session.watch(this.#wanted)
      return await session.closed
    } catch (error) {
      return toFault(error)
    } finally {
      signal.removeEventListener('abort', close)
      this.#session = undefined
      close()
    }
  }
}

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url)
  const opened = Promise.withResolvers<undefined>()
  const fail = (): void => opened.reject(new RelayFault('unavailable', 'the node cannot be reached'))
  const timer = setTimeout(fail, OPEN_TIMEOUT_MS)
  socket.addEventListener('open', () => opened.resolve(undefined), { once: true })
  socket.addEventListener('error', fail, { once: true })
  try {
    await opened.promise
    return socket
  } catch (error) {
    socket.close()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Waits; returns early when `signal` aborts or the browser says that the network is back. */
async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      globalThis.removeEventListener('online', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, durationMs)
    globalThis.addEventListener('online', done)
    signal.addEventListener('abort', done)
  })
}
