import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createWorker } from 'mediasoup'
import t from 'tap'
import type { Socket } from 'node:dgram'
import type { PlainTransport, Producer, Router, RtpCapabilities } from 'mediasoup/types'

const OPUS = { kind: 'audio' as const, mimeType: 'audio/opus', clockRate: 48_000, channels: 2, preferredPayloadType: 100 }
const CAPABILITIES: RtpCapabilities = { codecs: [OPUS], headerExtensions: [] }
const SSRC = 4711
const BUFFER_BYTES = 4 * 2 ** 20
/** Runs of one size with a shorter one at their end, as frames have it, lone packets, growing ones, and an empty payload's neighbour. */
const SIZES = [...Array.from({ length: 70 }, () => 1180), 300, 1180, 1180, 20, 21, 22, 900, 900, 900, 900, 1, 1180, ...Array.from({ length: 20 }, (_, index) => 100 + index)]

function rtpPacket(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt8(0x80, 0)
  header.writeUInt8(100, 1)
  header.writeUInt16BE(sequence, 2)
  header.writeUInt32BE(sequence * 960, 4)
  header.writeUInt32BE(SSRC, 8)
  return Buffer.concat([header, payload])
}

/** mediasoup adds header extensions. @see RFC 3550 section 5.3.1 */
const payloadOffset = (packet: Buffer): number => 12 + ((packet.readUInt8(0) & 0x10) === 0 ? 0 : 4 + 4 * packet.readUInt16BE(14))

/** A socket that keeps the payloads of RTP that come to it. */
class Listener {
  readonly socket: Socket
  readonly payloads: Buffer[] = []
  #wanted = { count: Infinity, resolve: (): void => undefined }

  constructor(family: 'udp4' | 'udp6') {
    this.socket = createSocket({ type: family, recvBufferSize: BUFFER_BYTES })
    this.socket.on('message', packet => {
      if (packet.readUInt8(1) % 128 !== 100) return
      this.payloads.push(packet.subarray(payloadOffset(packet)))
      if (this.payloads.length >= this.#wanted.count) this.#wanted.resolve()
    })
  }

  async bind(ip: string): Promise<number> {
    this.socket.bind(0, ip)
    await once(this.socket, 'listening')
    return this.socket.address().port
  }

  /** Settles with what came when it is as much as wanted, or by the deadline. */
  async until(count: number): Promise<readonly Buffer[]> {
    if (this.payloads.length >= count) return this.payloads
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#wanted = { count, resolve: () => resolve(undefined) }
    const timer = setTimeout(() => resolve(undefined), 5000)
    await promise
    clearTimeout(timer)
    return this.payloads
  }
}

const openPlain = (router: Router, ip: string): Promise<PlainTransport> =>
  router.createPlainTransport({ listenInfo: { protocol: 'udp', ip, recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES }, rtcpMux: true })

/** One who sends bursts on loopback, and everything that a worker makes of them. */
async function openBench(t: Tap, ip: string) {
  const family = ip.includes(':') ? 'udp6' : 'udp4'
  const worker = await createWorker({ logLevel: 'warn' })
  t.teardown(() => worker.close())
  const router = await worker.createRouter({ mediaCodecs: [OPUS] })
  const ingest = await openPlain(router, ip)
  const source = createSocket({ type: family, sendBufferSize: BUFFER_BYTES })
  t.teardown(() => source.close())
  source.bind(0, ip)
  await once(source, 'listening')
  await ingest.connect({ ip, port: source.address().port })
  const producer = await ingest.produce({ kind: 'audio', rtpParameters: { codecs: [{ ...OPUS, payloadType: 100 }], encodings: [{ ssrc: SSRC }] } })
  let sequence = 0
  const burst = (): Buffer[] => SIZES.map(size => {
    const payload = randomBytes(size)
    source.send(rtpPacket(++sequence, payload), ingest.tuple.localPort, ip)
    return payload
  })
  const listen = async (from: Router, { id: producerId }: Pick<Producer, 'id'>): Promise<{ listener: Listener; transport: PlainTransport }> => {
    const listener = new Listener(family)
    t.teardown(() => listener.socket.close())
    const transport = await openPlain(from, ip)
    await transport.connect({ ip, port: await listener.bind(ip) })
    await transport.consume({ producerId, rtpCapabilities: CAPABILITIES })
    return { listener, transport }
  }
  return { worker, router, producer, burst, listen }
}

type Tap = Pick<typeof t, 'teardown'>

for (const wish of ['on', 'off']) {
  t.test(`with KENKYO_WORKER_GSO=${wish}`, async t => {
    const before = process.env['KENKYO_WORKER_GSO']
    process.env['KENKYO_WORKER_GSO'] = wish
    t.teardown(() => {
      if (before === undefined) delete process.env['KENKYO_WORKER_GSO']
      else process.env['KENKYO_WORKER_GSO'] = before
    })

    for (const ip of ['127.0.0.1', '::1']) {
      t.test(`bursts of packets of all sizes reach every receiver at ${ip}, whole, in order, and as they were`, async t => {
        const { router, producer, burst, listen } = await openBench(t, ip)
        const receivers = [await listen(router, producer), await listen(router, producer), await listen(router, producer)]
        const sent = burst()
        for (const { listener } of receivers) t.ok(Buffer.concat(await listener.until(sent.length)).equals(Buffer.concat(sent)))
        sent.push(...burst())
        for (const { listener, transport } of receivers) {
          const got = await listener.until(sent.length)
          t.same(got.map(({ length }) => length), sent.map(({ length }) => length))
          t.ok(Buffer.concat(got).equals(Buffer.concat(sent)))
          const [stats] = await transport.getStats()
          const rtpBytes = sent.reduce((sum, { length }) => sum + 12 + length, 0)
          t.ok((stats?.bytesSent ?? 0) >= rtpBytes && (stats?.bytesSent ?? 0) < rtpBytes + 40 * sent.length, `${stats?.bytesSent ?? 0} bytes sent, header extensions and RTCP aside ${rtpBytes}`)
        }
      })
    }

    t.test('who closes in the middle of a burst takes nothing from the others, and who comes then gets the rest', async t => {
      const { worker, router, producer, burst, listen } = await openBench(t, '127.0.0.1')
      const [leaving, staying] = [await listen(router, producer), await listen(router, producer)]
      const sent = burst()
      leaving.transport.close()
      sent.push(...burst())
      const got = await staying.listener.until(sent.length)
      t.ok(Buffer.concat(got).equals(Buffer.concat(sent)))
      const coming = await listen(router, producer)
      const rest = burst()
      t.ok(Buffer.concat(await coming.listener.until(rest.length)).equals(Buffer.concat(rest)))
      t.notOk(worker.closed)
    })

    t.test('bursts pass from one worker to another by an encrypted pipe as they were', async t => {
      const { router, producer, burst, listen } = await openBench(t, '127.0.0.1')
      const other = await createWorker({ logLevel: 'warn' })
      t.teardown(() => other.close())
      const far = await other.createRouter({ mediaCodecs: [OPUS] })
      await router.pipeToRouter({ producerId: producer.id, router: far, enableSrtp: true })
      const { listener } = await listen(far, producer)
      const sent = burst()
      t.ok(Buffer.concat(await listener.until(sent.length)).equals(Buffer.concat(sent)))
    })

    t.test('a worker ends by itself when it is told to, with sockets open', async t => {
      const { worker, router, producer, burst, listen } = await openBench(t, '127.0.0.1')
      await listen(router, producer)
      burst()
      const ended = once(worker, 'subprocessclose')
      worker.close()
      await ended
      t.notOk(worker.died)
    })
  })
}
