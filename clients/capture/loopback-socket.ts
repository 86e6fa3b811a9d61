import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { Socket } from 'node:dgram'

/** Room for about ten 8K images of 100 Mbit/s; the kernel grants as much of it as it may. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024

/** A UDP socket on a free port of 127.0.0.1. */
export class LoopbackSocket implements AsyncDisposable {
  readonly #socket: Socket
  /** Called with every datagram. */
  onDatagram: ((datagram: Buffer) => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', datagram => this.onDatagram?.(datagram))
  }

  /** @throws {RelayFault} `address_in_use` when no port can be had. */
  static async open(): Promise<LoopbackSocket> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES })
    try {
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
    } catch (cause) {
      throw new RelayFault('address_in_use', 'no UDP port on 127.0.0.1 can be had for the encoder', { cause })
    }
    return new LoopbackSocket(socket)
  }

  get port(): number {
    return this.#socket.address().port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }
}
