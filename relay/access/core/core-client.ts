import { once } from 'node:events'
import { request } from 'node:https'
import { createInterface } from 'node:readline'
import { Backoff } from '../../wire/backoff.ts'
import { RelayFault, toFault } from '../../wire/fault.ts'
import { millis } from '../../wire/units.ts'
import { CORE_PATIENCE_MILLIS, decodeCoreMessage, MAX_LINE_CHARACTERS } from './core-stream.ts'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import type { CoreMessage } from './core-stream.ts'

/** What a node shows the core, and whom it trusts to be it. PEM. */
export interface CoreCredentials {
  readonly cert: string | Buffer
  readonly key: string | Buffer
  readonly ca: string | Buffer
}

/** How a node reaches the core. */
export interface CoreClientOptions {
  /** Origin of the core: `https://` host and port. */
  readonly url: string
  /** Asked before each attempt: a certificate may have been renewed. */
  readonly credentials: () => CoreCredentials
  /** @throws {RelayFault} for a message that cannot be taken; the stream is then begun anew. */
  readonly take: (message: CoreMessage) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** Hears the core over one long answer, and connects again whenever that ends or falls silent. Owns the connection. */
export class CoreClient implements AsyncDisposable {
  readonly #options: CoreClientOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  constructor(options: CoreClientOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new RelayFault('unavailable', 'the node is stopping'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options
    const backoff = new Backoff({ first: millis(200), cap: millis(3000) })
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#hear(() => backoff.succeeded())
        log.warn('the core ended its stream')
      } catch (error) {
        if (this.#stop.signal.aborted) return
        log.warn({ code: toFault(error).code, reason: (error as Error).message }, 'the core cannot be heard')
      }
      await clock.sleep(backoff.next(), signal).catch(() => undefined)
    }
  }

  async #hear(heard: () => void): Promise<void> {
    const silence = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, silence.signal])
    let timer: NodeJS.Timeout | undefined
    const expect = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(new RelayFault('timeout', 'the core has gone silent')), CORE_PATIENCE_MILLIS)
    }
    expect()
    try {
      for await (const line of linesOf(await this.#open(signal), signal)) {
        if (line.length > MAX_LINE_CHARACTERS) throw new RelayFault('bad_message', 'the core sent too long a line')
        await this.#options.take(decodeCoreMessage(line))
        expect()
        heard()
      }
      signal.throwIfAborted()
    } finally {
      clearTimeout(timer)
    }
  }

  async #open(signal: AbortSignal): Promise<IncomingMessage> {
    const { url, credentials } = this.#options
    const asking = request(new URL('/core/stream', url), { ...credentials(), minVersion: 'TLSv1.3', signal, agent: false })
    asking.end()
    try {
      const [response] = (await once(asking, 'response', { signal })) as [IncomingMessage]
      if (response.statusCode !== 200) throw new RelayFault('access_revoked', `the core answers ${response.statusCode}`)
      return response
    } catch (cause) {
      signal.throwIfAborted()
      throw cause instanceof RelayFault ? cause : new RelayFault('unavailable', 'the core cannot be reached', { cause })
    }
  }
}

async function* linesOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<string> {
  const lines = createInterface({ input: response, signal })
  try {
    yield* lines
  } finally {
    lines.close()
    response.destroy()
  }
}
