import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { readHeader } from './datagram.ts'
import { Opener, REKEY_PACKETS, Sealer } from './sealing.ts'
import type { DatagramHeader } from './datagram.ts'

const SECRET = Buffer.alloc(32, 5)
const T0 = millis(0)
const VECTOR = '6b00000000000001000000000007e7a290ec425be09bfd212f3ca47ad134aecc2d993693'
const seal = (sealer: Sealer, number: number, text = 'pixels', path = 0): Buffer => Buffer.concat(sealer.seal(1, path, number, Buffer.from(text), T0))
const open = (opener: Opener, datagram: Buffer): string | undefined => opener.open(datagram, readHeader(datagram) as DatagramHeader)?.toString()

t.test('what one end seals the other opens, on any path and with any number', async t => {
  const sealer = new Sealer(SECRET, 'initiator')
  const opener = new Opener(SECRET, 'initiator')
  for (const path of [0, 1, 3]) for (const number of [1, 2, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1]) t.equal(open(opener, seal(sealer, number, `path ${path}, number ${number}`, path)), `path ${path}, number ${number}`)
})

t.test('a datagram is what it was when the format was fixed', async t => {
  // Another implementation that differs in labels, nonce or layout does not get this.
  t.equal(seal(new Sealer(SECRET, 'initiator'), 7).toString('hex'), VECTOR)
})

t.test('each bit counts', async t => {
  const datagram = seal(new Sealer(SECRET, 'responder'), 9)
  const opener = new Opener(SECRET, 'responder')
  for (let bit = 0; bit < 8 * datagram.length; bit++) {
    const forged = Buffer.from(datagram)
    forged[bit >> 3]! ^= 1 << (bit & 7)
    const header = readHeader(forged)
    if (typeof header === 'string') continue
    t.equal(opener.open(forged, header), undefined, `bit ${bit}`)
  }
  t.equal(open(opener, datagram), 'pixels', 'and the opener is as it was')
  t.equal(opener.epoch, 0)
})

t.test('neither direction, nor another secret, opens what is not theirs', async t => {
  const datagram = seal(new Sealer(SECRET, 'initiator'), 1)
  t.equal(open(new Opener(SECRET, 'responder'), datagram), undefined)
  t.equal(open(new Opener(Buffer.alloc(32, 6), 'initiator'), datagram), undefined)
})

t.test('no two datagrams of one key are sealed alike', async t => {
  const sealer = new Sealer(SECRET, 'initiator')
  const streams = new Set<string>()
  // With equal nonces the same plaintext would become the same ciphertext.
  for (const path of [0, 1, 2, 3]) for (const number of [1, 2, 3, 256, 2 ** 16, 2 ** 24, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 47]) streams.add(sealer.seal(1, path, number, Buffer.alloc(32), T0)[1].toString('hex'))
  t.equal(streams.size, 40)
})

t.test('follows the far end to its next key, and takes stragglers of the one before, but no older ones', async t => {
  const sealer = new Sealer(SECRET, 'initiator')
  const opener = new Opener(SECRET, 'initiator')
  const old = [seal(sealer, 1), seal(sealer, 2), seal(sealer, 3)]
  t.equal(open(opener, old[0]!), 'pixels')
  sealer.rekey(T0)
  t.equal(open(opener, seal(sealer, 4)), 'pixels')
  t.equal(opener.epoch, 1)
  t.equal(open(opener, old[1]!), 'pixels', 'one epoch old')
  sealer.rekey(T0)
  t.equal(open(opener, seal(sealer, 5)), 'pixels')
  t.equal(open(opener, old[2]!), undefined, 'two epochs old')
})

t.test('a forged epoch moves nothing', async t => {
  const sealer = new Sealer(SECRET, 'initiator')
  const opener = new Opener(SECRET, 'initiator')
  const datagram = seal(sealer, 1)
  for (const epoch of [1, 2, 255]) {
    const forged = Buffer.from(datagram)
    forged[1] = epoch
    t.equal(open(opener, forged), undefined)
  }
  t.equal(opener.epoch, 0)
  t.equal(open(opener, datagram), 'pixels')
})

t.test('more than 256 epochs later both still understand each other', async t => {
  const sealer = new Sealer(SECRET, 'initiator')
  const opener = new Opener(SECRET, 'initiator')
  for (let number = 1; number <= 300; number++) {
    sealer.rekey(T0)
    if (open(opener, seal(sealer, number)) !== 'pixels') t.fail(`epoch ${number}`)
  }
  t.equal(opener.epoch, 300)
})

t.test('changes the key by itself after half an hour', async t => {
  const sealer = new Sealer(SECRET, 'initiator')
  sealer.seal(1, 0, 1, Buffer.alloc(1), T0)
  sealer.seal(1, 0, 2, Buffer.alloc(1), millis(29 * 60_000))
  t.equal(sealer.epoch, 0)
  sealer.seal(1, 0, 3, Buffer.alloc(1), millis(31 * 60_000))
  t.equal(sealer.epoch, 1)
  t.ok(REKEY_PACKETS < 2 ** 23, 'long before the limit of RFC 9001 section 6.6')
})
