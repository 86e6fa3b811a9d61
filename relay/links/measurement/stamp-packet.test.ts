import { createHmac } from 'node:crypto'
import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { readNtpTimestamp, readPtpTimestamp, writeNtpTimestamp } from './ntp-timestamp.ts'
import { decodeReflectedPacket, decodeSenderPacket, encodeReflectedPacket, encodeSenderPacket, MAX_STAMP_BYTES, stampBaseSize, stampKey } from './stamp-packet.ts'
import type { KeyObject } from 'node:crypto'

const SECRET = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')
const KEY = stampKey(SECRET)
const MODES: readonly (readonly [string, KeyObject | undefined])[] = [['unauthenticated', undefined], ['authenticated', KEY]]
/** 200 × 2^(16−32) s. */
const ERROR = millis((200 / 2 ** 16) * 1000)
/** 192 × 2^(14−32) s. */
const REFLECTOR_ERROR = millis((192 / 2 ** 18) * 1000)
const SENT = millis(1_795_500_513_250)
const request = { sequenceNumber: 0x01020304, timestamp: SENT, errorEstimate: { isSynchronized: true, error: ERROR } }
const reflection = { sequenceNumber: 7, receivedAt: millis(SENT + 250), sentAt: millis(SENT + 500), errorEstimate: { isSynchronized: false, error: REFLECTOR_ERROR }, ttl: 61 }

const zeros = (count: number): string => '00'.repeat(count)
/** NTP seconds and fractions of the three instants above. */
const STAMPS = { sent: 'eeafa861' + '40000000', received: 'eeafa861' + '80000000', reflected: 'eeafa861' + 'c0000000' }
const hmac = (covered: string): string => createHmac('sha256', SECRET).update(Buffer.from(covered, 'hex')).digest('hex').slice(0, 32)
const hex = (datagram: Uint8Array): string => Buffer.from(datagram).toString('hex')
const generator = (seed: number): (() => number) => () => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff

/** Section by section, what RFC 8762 draws. */
const SENDER = {
  unauthenticated: '01020304' + STAMPS.sent + '90c8' + zeros(30),
  authenticated: '01020304' + zeros(12) + STAMPS.sent + '90c8' + zeros(70),
}
const REFLECTED = {
  unauthenticated: '00000007' + STAMPS.reflected + '0ec0' + zeros(2) + STAMPS.received + '01020304' + STAMPS.sent + '90c8' + zeros(2) + '3d' + zeros(3),
  authenticated:
    '00000007' + zeros(12) + STAMPS.reflected + '0ec0' + zeros(6) + STAMPS.received + zeros(8) + '01020304' + zeros(12) + STAMPS.sent + '90c8' + zeros(6) + '3d' + zeros(15),
}

t.test('lays out a sender packet as sections 4.2.1 and 4.2.2 draw it', async t => {
  t.equal(hex(encodeSenderPacket(request, 44, undefined)), SENDER.unauthenticated)
  t.equal(hex(encodeSenderPacket(request, 112, KEY)), SENDER.authenticated + hmac(SENDER.authenticated))
  t.same([SENDER.unauthenticated.length / 2, SENDER.authenticated.length / 2], [44, 96])
})

t.test('lays out a reflected packet as sections 4.3.1 and 4.3.2 draw it', async t => {
  t.equal(hex(encodeReflectedPacket(encodeSenderPacket(request, 44, undefined), reflection, undefined)), REFLECTED.unauthenticated)
  t.equal(hex(encodeReflectedPacket(encodeSenderPacket(request, 112, KEY), reflection, KEY)), REFLECTED.authenticated + hmac(REFLECTED.authenticated))
  t.same([REFLECTED.unauthenticated.length / 2, REFLECTED.authenticated.length / 2], [44, 96])
})

t.test('agrees with what another implementation makes of the same fields', async t => {
  // Written by scapy.contrib.stamp 2.7, which knows unauthenticated mode only.
  const sender = '01020304eeafa8614000000090c8000000000000000000000000000000000000000000000000000000000000'
  const reflected = '00000007eeafa861c00000000ec00000eeafa8618000000001020304eeafa8614000000090c800003d000000'
  t.equal(hex(encodeSenderPacket(request, 44, undefined)), sender)
  t.equal(hex(encodeReflectedPacket(Buffer.from(sender, 'hex'), reflection, undefined)), reflected)
})

for (const [mode, key] of MODES) {
  t.test(`reads back what it wrote, ${mode}`, async t => {
    const datagram = encodeSenderPacket(request, stampBaseSize(key), key)
    t.same(decodeSenderPacket(datagram, key), { ...request, errorEstimate: { ...request.errorEstimate, isPtp: false } })
    t.same(decodeReflectedPacket(encodeReflectedPacket(datagram, reflection, key), key), {
      sequenceNumber: 7,
      timestamp: reflection.sentAt,
      errorEstimate: { isSynchronized: false, isPtp: false, error: REFLECTOR_ERROR },
      receiveTimestamp: reflection.receivedAt,
      senderSequenceNumber: 0x01020304,
      senderTimestamp: SENT,
      senderErrorEstimate: { isSynchronized: true, isPtp: false, error: ERROR },
      senderTtl: 61,
    })
  })

  t.test(`repeats the sender's number when stateless, ${mode}`, async t => {
    const reply = encodeReflectedPacket(encodeSenderPacket(request, stampBaseSize(key), key), { ...reflection, sequenceNumber: undefined }, key)
    t.match(decodeReflectedPacket(reply, key), { sequenceNumber: 0x01020304, senderSequenceNumber: 0x01020304 })
  })

  t.test(`answers a longer packet in its own length, what follows the base untouched, ${mode}`, async t => {
    const base = stampBaseSize(key)
    for (const extra of [1, 12, 1000, MAX_STAMP_BYTES - base]) {
      const datagram = encodeSenderPacket(request, base + extra, key)
      // A TLV with its U flag set.
      datagram.set(Buffer.from('80010008', 'hex').subarray(0, extra), base)
      const reply = encodeReflectedPacket(datagram, reflection, key)
      t.equal(reply.length, datagram.length)
      t.equal(hex(reply.subarray(base)), hex(datagram.subarray(base)))
      t.type(decodeReflectedPacket(reply, key), 'object')
    }
  })

  t.test(`refuses every shorter and every longer packet, ${mode}`, async t => {
    const whole = encodeSenderPacket(request, MAX_STAMP_BYTES, key)
    const refused = new Set<unknown>()
    for (let size = 0; size < stampBaseSize(key); size++) {
      refused.add(decodeSenderPacket(whole.subarray(0, size), key))
      refused.add(decodeReflectedPacket(whole.subarray(0, size), key))
    }
    t.same([...refused], ['truncated'])
    t.equal(decodeSenderPacket(new Uint8Array(MAX_STAMP_BYTES + 1), key), 'oversize')
    t.throws(() => encodeSenderPacket(request, stampBaseSize(key) - 1, key))
    t.throws(() => encodeSenderPacket(request, MAX_STAMP_BYTES + 1, key))
  })

  t.test(`never throws on noise, ${mode}`, async t => {
    const random = generator(7)
    for (let run = 0; run < 5000; run++) {
      const noise = Uint8Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256))
      const decoded = [decodeSenderPacket(noise, key), decodeReflectedPacket(noise, key)]
      if (key !== undefined && decoded.some(result => typeof result !== 'string')) t.fail(`noise passed as authentic: ${hex(noise)}`)
    }
  })
}

t.test('notices a change of any bit that the HMAC covers, and of the HMAC', async t => {
  const genuine = encodeReflectedPacket(encodeSenderPacket(request, 120, KEY), reflection, KEY)
  for (let bit = 0; bit < 112 * 8; bit++) {
    const forged = genuine.slice()
    forged[bit >> 3]! ^= 1 << (bit & 7)
    if (decodeReflectedPacket(forged, KEY) !== 'forged') t.fail(`bit ${bit}`)
  }
  const padded = genuine.slice()
  padded[115]! ^= 1
  t.type(decodeReflectedPacket(padded, KEY), 'object', 'but not of what follows the base packet')
  t.equal(decodeReflectedPacket(genuine, stampKey(Buffer.alloc(32))), 'forged')
  t.throws(() => stampKey(Buffer.alloc(15)))
})

t.test('refuses an error estimate of zero', async t => {
  const datagram = encodeSenderPacket(request, 44, undefined)
  datagram[13] = 0
  t.equal(decodeSenderPacket(datagram, undefined), 'corrupt')
  const reply = encodeReflectedPacket(encodeSenderPacket(request, 44, undefined), reflection, undefined)
  for (const offset of [13, 37]) {
    const corrupt = reply.slice()
    corrupt[offset] = 0
    t.equal(decodeReflectedPacket(corrupt, undefined), 'corrupt')
  }
})

t.test('writes an error estimate that is never too small, nor a hundredth too large', async t => {
  for (let error = 1e-6; error < 1e6; error *= 1.37) {
    const packet = decodeSenderPacket(encodeSenderPacket({ ...request, errorEstimate: { isSynchronized: false, error: millis(error) } }, 44, undefined), undefined)
    const written = typeof packet === 'string' ? NaN : packet.errorEstimate.error
    if (!(written >= error * (1 - 1e-12) && written <= error * 1.01 + 2.4e-7)) t.fail(`${error} became ${written}`)
  }
  const wild = decodeSenderPacket(encodeSenderPacket({ ...request, errorEstimate: { isSynchronized: false, error: millis(Infinity) } }, 44, undefined), undefined)
  t.match(wild, { errorEstimate: { error: 255 * 2 ** 31 * 1000 } })
})

t.test('reads stamps of a peer that uses PTP', async t => {
  const datagram = encodeSenderPacket(request, 44, undefined)
  const view = new DataView(datagram.buffer)
  view.setUint8(12, 0x40)
  view.setUint32(4, 1_795_500_513)
  view.setUint32(8, 250_000_000)
  t.match(decodeSenderPacket(datagram, undefined), { timestamp: SENT, errorEstimate: { isPtp: true } })
  t.equal(readPtpTimestamp(view, 4), SENT)
})

t.test('writes NTP time, across the eras', async t => {
  const view = new DataView(new ArrayBuffer(8))
  const written = (instant: number): string => {
    writeNtpTimestamp(view, 0, millis(instant))
    return hex(new Uint8Array(view.buffer))
  }
  t.equal(written(0), '83aa7e8000000000', 'Unix began then')
  t.equal(written(0.5), '83aa7e80' + '0020c49c', 'half a millisecond is 2^32 / 2000')
  t.equal(written(Date.UTC(2036, 1, 7, 6, 28, 15)), 'ffffffff00000000')
  t.equal(written(Date.UTC(2036, 1, 7, 6, 28, 16)), '0000000000000000')
  for (const instant of [0, 0.5, 999.999_999_99, SENT + 0.000_244_140_625, Date.UTC(2036, 1, 7, 6, 28, 15) + 999.9, Date.UTC(2050, 0, 1) + 0.25]) {
    writeNtpTimestamp(view, 0, millis(instant))
    t.ok(Math.abs(readNtpTimestamp(view, 0) - instant) < 2e-7, String(instant))
  }
})
