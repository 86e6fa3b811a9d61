import { Backoff } from '../../../relay/wire/backoff.ts'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault as Fault } from '../../../relay/wire/fault.ts'
import type { RequestParameters } from '../../../relay/wire/signaling-client.ts'
import type { ReplyData, RequestType } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { GrantSession } from '../access/grant-session.ts'
import { NO_DEMAND } from '../view/tile-demand.ts'
import type { Demand } from '../view/tile-demand.ts'
import type { NodeVoice, PublicationParameters } from './connection-part.ts'
import { ViewerSession } from './viewer-session.ts'
import type { LineClaim, SessionListener } from './viewer-session.ts'

/** How the viewer stands with its node. `refused` lasts until something else is asked for. */
export type ConnectionState = 'connecting' | 'joined' | 'reconnecting' | 'refused'

/** What a viewer hears of its connection, beside its sessions. */
export interface ConnectionListener extends SessionListener {
  connectionChanged(state: ConnectionState): void
  /** There is no access any more, or none of what there was: nothing of it is to be seen from here on. */
  accessEnded(fault: Fault): void
}

/** What a {@link StandingSession} stands on. */
export interface StandingSessionOptions {
  readonly signalingUrl: string
  readonly access: Pick<GrantSession, 'entry' | 'entered' | 'refused'>
  /** Whether a request may be sent. */
  readonly may: (type: RequestType) => boolean
  readonly listener: ConnectionListener
  readonly line?: LineClaim
}

/** Between attempts to join. */
const RETRY = { first: millis(300), cap: millis(5000) }

/** A socket that does not open in this time is given up. */
const OPEN_TIMEOUT_MS = 5000

/** Session after session by the same link, for as long as the page is open. */
export class StandingSession implements NodeVoice {
  readonly #options: StandingSessionOptions
  readonly #listener: ConnectionListener
  #session: ViewerSession | undefined
  #wanted = NO_DEMAND
  #again = Promise.withResolvers<undefined>()

  constructor(options: StandingSessionOptions) {
    this.#options = options
    this.#listener = options.listener
  }

  may(type: RequestType): boolean {
    return this.#options.may(type)
  }

  /** Joins anew, with what there is to join with by now. */
  rejoin(): void {
    this.#again.resolve(undefined)
    this.#session?.close()
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

  /** Joins, and joins again whenever the connection is lost, until `signal` aborts. Refused for good, it waits for {@link rejoin}. */
  async run(signal: AbortSignal): Promise<void> {
    this.#listener.connectionChanged('connecting')
    const backoff = new Backoff(RETRY)
    for (;;) {
      const fault = await this.#stay(signal, () => backoff.succeeded())
      if (signal.aborted) return
      this.#listener.faulted(fault)
      const recovery = this.#options.access.refused(fault)
      if (recovery !== 'try_again') this.#listener.accessEnded(fault)
      this.#listener.connectionChanged(recovery === 'give_up' ? 'refused' : 'reconnecting')
      if (recovery === 'give_up') await this.#revived(signal)
      else await pause(backoff.next(), signal)
    }
  }

  async #revived(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#again.resolve(undefined)
    this.#again = Promise.withResolvers()
    signal.addEventListener('abort', stop, { once: true })
    await this.#again.promise
    signal.removeEventListener('abort', stop)
    if (!signal.aborted) this.#listener.connectionChanged('connecting')
  }

  /** One session from join to its end. */
  async #stay(signal: AbortSignal, onJoined: () => void): Promise<Fault> {
    let session: ViewerSession | undefined
    const close = (): void => session?.close()
    signal.addEventListener('abort', close)
    try {
      const { access, signalingUrl, may, line = {} } = this.#options
      const entry = await access.entry()
      signal.throwIfAborted()
      const socket = await openSocket(signalingUrl)
      session = await ViewerSession.join(socket, entry, { listener: this.#listener, line, may })
      access.entered()
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
