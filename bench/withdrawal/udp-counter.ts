import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Arrivals } from './arrivals.ts'
import type { RemoteInfo, Socket } from 'node:dgram'

const HOST = '127.0.0.1'
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024

/** The first byte of RTP and RTCP, and the second one of RTCP. @see RFC 7983 section 7, RFC 5761 section 4 */
const isRtp = (datagram: Buffer): boolean => ((datagram[0] ?? 0) & 0xc0) === 0x80 && ((datagram[1] ?? 0) < 192 || (datagram[1] ?? 0) > 223)

/**
 * Stands between a node and a WebRTC library, and counts the RTP that the node sends, whatever the library thinks of its
 * connection: one that was told of its end drops what still comes, and nobody would know. Of RTP only so many packets are
 * passed on; all else is.
 */
export class UdpCounter implements Disposable {
  /** RTP packets, and their UDP payload. */
  readonly arrivals = new Arrivals()
  readonly #outer: Socket
  readonly #inner: Socket
  readonly #node: { ip: string; port: number } = { ip: '', port: 0 }
  #peer: RemoteInfo | undefined
  #sample: number

  private constructor(outer: Socket, inner: Socket, sample: number) {
    this.#outer = outer
    this.#inner = inner
    this.#sample = sample
    outer.on('message', datagram => this.#fromNode(datagram))
    inner.on('message', (datagram, from) => {
      this.#peer = from
      if (this.#node.port !== 0) outer.send(datagram, this.#node.port, this.#node.ip)
    })
  }

  /** @param sample - RTP packets that are passed on, to be decrypted. */
  static async open(sample: number): Promise<UdpCounter> {
    const sockets = await Promise.all([0, 1].map(async () => {
      const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES })
      socket.on('error', () => undefined)
      socket.bind(0, HOST)
      await once(socket, 'listening')
      return socket
    }))
    const [outer, inner] = sockets as [Socket, Socket]
    return new UdpCounter(outer, inner, sample)
  }

  /** What the node sends to, and what the library takes for the node. */
  get ports(): { readonly outer: number; readonly inner: number } {
    return { outer: this.#outer.address().port, inner: this.#inner.address().port }
  }

  /** Says where the node is. */
  setNode(ip: string, port: number): void {
    Object.assign(this.#node, { ip, port })
  }

  [Symbol.dispose](): void {
    this.#outer.close()
    this.#inner.close()
  }

  #fromNode(datagram: Buffer): void {
    if (isRtp(datagram)) {
      this.arrivals.note(datagram.length)
      if (this.#sample <= 0) return
      this.#sample--
    }
    if (this.#peer !== undefined) this.#inner.send(datagram, this.#peer.port, this.#peer.address)
  }
}
