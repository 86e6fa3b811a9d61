import { createHmac } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { t } from 'tap'
import { RelayFault } from '../../wire/fault.ts'
import { bytes, millis } from '../../wire/units.ts'
import { stampKey } from './stamp-packet.ts'
import { StampReflector } from './stamp-reflector.ts'
import { StampSender } from './stamp-sender.ts'
import { runStampReflector, runStampSender } from './stamp-main.ts'
import type { AddressInfo } from 'node:net'
import type { Socket } from 'node:dgram'
import type { StampReflectorOptions } from './stamp-reflector.ts'
import type { StampSenderOptions } from './stamp-sender.ts'
import type { StampSample } from './stamp-session.ts'

const SECRET = Buffer.from('a secret of both ends, 32 bytes.')
const LOOPBACK = '127.0.0.1'
/** No test waits for ever. */
const deadline = (): AbortSignal => AbortSignal.timeout(20_000)

/** A UDP socket of a peer that knows nothing of the code under test. */
class RawPeer implements AsyncDisposable {
  readonly socket: Socket
  private constructor(socket: Socket) {
    this.socket = socket
  }

  static async open(): Promise<RawPeer> {
    const socket = createSocket('udp4')
    socket.bind(0, LOOPBACK)
    await once(socket, 'listening')
    return new RawPeer(socket)
  }

  get port(): number {
    return this.socket.address().port
  }

  async ask(port: number, datagram: Uint8Array): Promise<Buffer> {
    const answered = once(this.socket, 'message', { signal: deadline() })
    this.socket.send(datagram, port, LOOPBACK)
    return ((await answered) as [Buffer])[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
  }
}

/** Seconds since 1900 and their fraction, by big integers rather than the way the code under test does it. */
function ntpNow(shift = 0): Buffer {
  const nanoseconds = BigInt(Math.round((performance.timeOrigin + performance.now() + shift) * 1e6)) + 2_208_988_800_000_000_000n
  const stamp = Buffer.alloc(8)
  stamp.writeBigUInt64BE((nanoseconds << 32n) / 1_000_000_000n)
  return stamp
}

const hmac = (covered: Buffer): Buffer => createHmac('sha256', SECRET).update(covered).digest().subarray(0, 16)

function rawRequest(number: number, size: number, isAuthenticated: boolean): Buffer {
  const datagram = Buffer.alloc(size)
  datagram.writeUInt32BE(number, 0)
  ntpNow().copy(datagram, isAuthenticated ? 16 : 4)
  datagram.writeUInt16BE(0x0001, isAuthenticated ? 24 : 12)
  if (isAuthenticated) hmac(datagram.subarray(0, 96)).copy(datagram, 96)
  return datagram
}

/** A Session-Reflector written from the figures of RFC 8762, whose clock is some other one. */
function rawReply(request: Buffer, number: number, isAuthenticated: boolean, clockOffset: number): Buffer {
  const received = ntpNow(clockOffset)
  const word = Buffer.alloc(4)
  word.writeUInt32BE(number)
  const quality = Buffer.from([0x8a, 0x10])
  if (!isAuthenticated) {
    return Buffer.concat([word, ntpNow(clockOffset), quality, Buffer.alloc(2), received, request.subarray(0, 14), Buffer.alloc(2), Buffer.from([64, 0, 0, 0])])
  }
  const covered = Buffer.concat([
    word, Buffer.alloc(12), ntpNow(clockOffset), quality, Buffer.alloc(6), received, Buffer.alloc(8),
    request.subarray(0, 4), Buffer.alloc(12), request.subarray(16, 26), Buffer.alloc(6), Buffer.from([64]), Buffer.alloc(15),
  ])
  return Buffer.concat([covered, hmac(covered)])
}

const openReflector = (options: Partial<StampReflectorOptions> = {}): Promise<StampReflector> => StampReflector.open({ port: 0, address: LOOPBACK, isStateful: true, ...options })
const openSender = (port: number, options: Partial<StampSenderOptions> = {}): Promise<StampSender> =>
  StampSender.open({ host: LOOPBACK, port, count: 20, interval: millis(1), replyTimeout: millis(200), reflector: 'unknown', ...options })

for (const isAuthenticated of [false, true]) {
  const mode = isAuthenticated ? 'authenticated' : 'unauthenticated'
  const key = isAuthenticated ? stampKey(SECRET) : undefined

  t.test(`a sender and a reflector of ours measure the loopback, ${mode}`, async t => {
    await using reflector = await openReflector({ key })
    const samples: StampSample[] = []
    await using sender = await openSender(reflector.address.port, { key, reflector: 'stateful', size: bytes(200), onSample: sample => samples.push(sample) })
    const summary = await sender.run(deadline())
    t.match(summary, { sent: 20, received: 20, pending: 0, lossRatio: 0, lossRatios: { out: 0, in: 0 }, duplicates: { in: 0, out: 0 }, reordered: { out: 0, in: 0, roundTrip: 0 } })
    t.ok(summary.roundTrip !== undefined && summary.roundTrip.p50 > 0 && summary.roundTrip.p50 <= summary.roundTrip.p95 && summary.roundTrip.p95 <= summary.roundTrip.max)
    t.ok(summary.delayVariation.out !== undefined && summary.delayVariation.in !== undefined)
    t.ok(Math.abs(summary.clockOffset!) < 50, 'one clock stamps both')
    t.equal(samples.length, 20)
    for (const { sentAt, reflectorReceivedAt, reflectorSentAt, receivedAt } of samples) t.ok(sentAt < reflectorReceivedAt && reflectorReceivedAt <= reflectorSentAt && reflectorSentAt < receivedAt)
    t.match(reflector.totals, { received: 20, reflected: 20, unsent: 0 })
  })

  t.test(`a sender of ours understands a reflector written from the figures, ${mode}`, async t => {
    await using peer = await RawPeer.open()
    let reflected = 0
    peer.socket.on('message', (request, from) => {
      const number = request.readUInt32BE(0)
      if (number === 3 || number === 7) return
      const reply = rawReply(request, reflected++, isAuthenticated, 3_600_000)
      if (number === 5) return
      peer.socket.send(reply, from.port, from.address)
      if (number === 9) peer.socket.send(reply, from.port, from.address)
    })
    await using sender = await openSender(peer.port, { key })
    const summary = await sender.run(deadline())
    t.match(summary, { sent: 20, received: 17, lossRatio: 0.15, lossRatios: { out: 0.1, in: 1 / 18 }, duplicates: { in: 1, out: 0 }, refused: { forged: 0, unsolicited: 0 } })
    t.ok(Math.abs(summary.clockOffset! - 3_600_000) < 50, 'and finds how far its clock is off')
  })

  t.test(`a reflector of ours answers a sender written from the figures, ${mode}`, async t => {
    await using reflector = await openReflector({ key })
    await using peer = await RawPeer.open()
    for (const [index, size] of [isAuthenticated ? 112 : 44, 500, 1472].entries()) {
      const request = rawRequest(40 + index, size, isAuthenticated)
      const reply = await peer.ask(reflector.address.port, request)
      t.equal(reply.length, size)
      t.equal(reply.readUInt32BE(0), index, 'it counts the session')
      const [stamp, received, number, senderStamp, ttl] = isAuthenticated ? [16, 32, 48, 64, 80] : [4, 16, 24, 28, 40]
      t.equal(reply.readUInt32BE(number), 40 + index)
      t.same(reply.subarray(senderStamp, senderStamp + 8), request.subarray(stamp, stamp + 8))
      t.ok(reply.readBigUInt64BE(stamp) >= reply.readBigUInt64BE(received))
      t.ok(Number(reply.readBigUInt64BE(received) - request.readBigUInt64BE(stamp)) / 2 ** 32 < 5, 'within seconds')
      t.equal(reply.readUInt8(ttl), 0, 'a TTL that Node does not tell')
      if (isAuthenticated) t.same(reply.subarray(96, 112), hmac(reply.subarray(0, 96)))
    }
  })
}

t.test('a stateless reflector repeats the number it got', async t => {
  await using reflector = await openReflector({ isStateful: false })
  await using peer = await RawPeer.open()
  t.equal((await peer.ask(reflector.address.port, rawRequest(77, 44, false))).readUInt32BE(0), 77)
})

t.test('a reflector stays silent to junk, counts it, and answers the next honest packet', async t => {
  await using reflector = await openReflector({ key: stampKey(SECRET) })
  await using peer = await RawPeer.open()
  const { port } = reflector.address
  const forged = rawRequest(1, 112, true)
  forged[100]! ^= 1
  const junk = [Buffer.alloc(0), Buffer.alloc(111), rawRequest(1, 44, false), forged, rawRequest(1, 9001, true), Buffer.alloc(112, 0xff)]
  let heard = 0
  peer.socket.on('message', () => heard++)
  for (const datagram of junk) peer.socket.send(datagram, port, LOOPBACK)
  const reply = await peer.ask(port, rawRequest(2, 112, true))
  t.equal(reply.readUInt32BE(48), 2)
  t.equal(heard, 1)
  t.match(reflector.totals, { received: 7, reflected: 1, refused: { truncated: 3, forged: 2, oversize: 1 } })
})

t.test('a reflector under a flood answers within its limit, never with more than it got, and others still', async t => {
  await using reflector = await openReflector({ limits: { sourcePacketsPerSecond: 50, totalPacketsPerSecond: 1000, maxSources: 4 }, clock: () => millis(1_795_500_513_250) })
  await using flood = await RawPeer.open()
  const { port } = reflector.address
  let bytesBack = 0
  flood.socket.on('message', datagram => (bytesBack += datagram.length))
  const FLOOD = 200
  for (let number = 0; number < FLOOD; number++) {
    await new Promise(resolve => flood.socket.send(rawRequest(number, 44, false), port, LOOPBACK, resolve))
  }
  // Another source address than the flood's: the whole of 127/8 is this machine.
  const honest = createSocket('udp4')
  honest.bind(0, '127.0.0.2')
  await once(honest, 'listening')
  const answered = once(honest, 'message', { signal: deadline() })
  honest.send(rawRequest(5, 44, false), port, LOOPBACK)
  const [reply] = (await answered) as [Buffer]
  honest.close()
  t.equal(reply.readUInt32BE(24), 5)
  t.equal(reflector.totals.refused.rate_limited, FLOOD - 10, 'a fifth of a second at 50/s')
  t.ok(bytesBack <= 10 * 44)
})

t.test('a replayed request is answered like any other, and the sender counts what comes of it as copies', async t => {
  await using peer = await RawPeer.open()
  peer.socket.on('message', (request, from) => {
    const number = request.readUInt32BE(0)
    const reply = rawReply(request, number, true, 0)
    const forged = Buffer.from(reply)
    forged[40]! ^= 0x80
    const unsolicited = rawReply(rawRequest(number, 112, true), number, true, 0)
    for (const datagram of [forged, reply.subarray(0, 100), unsolicited, reply, reply, reply]) peer.socket.send(datagram, from.port, from.address)
  })
  await using sender = await openSender(peer.port, { key: stampKey(SECRET), count: 10, interval: millis(5) })
  const summary = await sender.run(deadline())
  t.match(summary, { sent: 10, received: 10, lossRatio: 0 })
  // What comes after the last answer is no longer waited for.
  for (const counted of [summary.refused.forged, summary.refused.truncated, summary.refused.unsolicited]) t.equal(counted, 10)
  t.ok(summary.duplicates.in >= 18 && summary.duplicates.in <= 20)
})

t.test('a sender with nobody there reports loss, and no direction', async t => {
  const peer = await RawPeer.open()
  const { port } = peer
  await peer[Symbol.asyncDispose]()
  await using sender = await openSender(port, { count: 3, replyTimeout: millis(20) })
  t.match(await sender.run(deadline()), { sent: 3, received: 0, pending: 0, lossRatio: 1, lossRatios: { out: undefined, in: undefined }, roundTrip: undefined })
})

t.test('a sender that is stopped tells what it has', async t => {
  await using reflector = await openReflector()
  const stop = new AbortController()
  await using sender = await openSender(reflector.address.port, { count: 100_000, onSample: ({ sequenceNumber }) => (sequenceNumber === 4 ? stop.abort() : undefined) })
  const summary = await sender.run(stop.signal)
  t.ok(summary.received >= 5 && summary.sent < 100)
  t.match(summary, { lossRatio: 0 })
  await using late = await openSender(reflector.address.port)
  t.match(await late.run(AbortSignal.abort()), { sent: 0 })
})

t.test('says what it cannot do', async t => {
  await using reflector = await openReflector()
  const faults = await Promise.allSettled([
    openReflector({ port: reflector.address.port }),
    openSender(reflector.address.port, { size: bytes(111), key: stampKey(SECRET) }),
    openSender(reflector.address.port, { localAddress: '192.0.2.1' }),
  ])
  t.same(faults.map(fault => (fault.status === 'rejected' && fault.reason instanceof RelayFault ? fault.reason.code : fault.status)), ['address_in_use', 'bad_config', 'unavailable'])
})

t.test('runs from settings as a person gives them', async t => {
  const stop = new AbortController()
  const listening = Promise.withResolvers<AddressInfo>()
  const keyHex = SECRET.toString('hex')
  const running = runStampReflector({ port: 0, address: LOOPBACK, keyHex }, stop.signal, listening.resolve)
  const { port } = await listening.promise
  const summary = await runStampSender({ host: LOOPBACK, port, keyHex, count: 5, intervalMillis: 1, reflector: 'stateful' }, deadline())
  t.match(summary, { sent: 5, received: 5, lossRatios: { out: 0, in: 0 } })
  stop.abort()
  t.match(await running, { received: 5, reflected: 5 })
  for (const settings of [{ port: 70_000 }, { keyHex: 'abc' }, { keyHex: '00' }, { address: 'nowhere' }, { isStateful: true, more: 1 }]) {
    await t.rejects(runStampReflector(settings, AbortSignal.abort()), { code: 'bad_config' }, JSON.stringify(settings))
  }
  for (const settings of [{ host: '' }, { host: 'a', count: 0 }, { host: 'a', count: 100_001 }, { host: 'a', intervalMillis: 0 }, { host: 'a', sizeBytes: 43 }, { host: 'a', sizeBytes: 9001 }]) {
    await t.rejects(runStampSender(settings, AbortSignal.abort()), { code: 'bad_config' }, JSON.stringify(settings))
  }
})

t.test('a sender that is late sleeps for no time, and never for less', async t => {
  await using peer = await RawPeer.open()
  let now = 0
  const slept: number[] = []
  const timer = {
    // Every look at the clock finds it 5 ms later: each packet is late when its turn is looked at.
    now: () => millis((now += 5)),
    sleep: async (duration: number): Promise<void> => void slept.push(duration),
  }
  const options = { host: LOOPBACK, port: peer.port, count: 20, interval: millis(1), replyTimeout: millis(0), reflector: 'stateful', timer } as const
  await using sender = await StampSender.open(options)
  await sender.run(deadline())
  t.ok(slept.length >= 20)
  t.ok(slept.every(duration => duration >= 0), slept.join())
})
