import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'

const HOST = '127.0.0.1'

/** The way from a node to the core, which can be cut as a router cuts it: nobody is told, nothing comes any more. */
export class CoreRelay implements Disposable {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  readonly #port: number
  #isCut = false

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
    server.on('connection', near => this.#relay(near))
  }

  /** @param port - Of the core, on this machine. */
  static async open(port: number): Promise<CoreRelay> {
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, HOST)
    await once(server, 'listening')
    return new CoreRelay(server, port)
  }

  /** Where the core is reached by it. */
  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  /** From here on nothing passes, in either direction. */
  cut(): void {
    this.#isCut = true
    for (const pair of this.#pairs) for (const socket of pair) socket.unpipe().pause()
  }

  /** What connects from here on passes; what was cut is gone. */
  mend(): void {
    this.#isCut = false
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
  }

  [Symbol.dispose](): void {
    this.mend()
    this.#server.close()
  }

  #relay(near: Socket): void {
    const far = connect(this.#port, HOST)
    const pair = [near, far] as const
    this.#pairs.add(pair)
    for (const socket of pair) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#pairs.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
    if (this.#isCut) {
      near.pause()
      return
    }
    near.pipe(far)
    far.pipe(near)
  }
}
