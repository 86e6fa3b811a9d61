import { t } from 'tap'
import { forEachPacket } from './pcap.ts'

/** Ethernet, IPv4 and UDP around a payload; `total` is what the IP header says. */
function udpFrame(payload: Buffer, total = 28 + payload.length, protocol = 17): Buffer {
  const frame = Buffer.alloc(14 + 28)
  frame.writeUInt16BE(0x0800, 12)
  frame[14] = 0x45
  frame.writeUInt16BE(total, 16)
  frame[23] = protocol
  frame.writeUInt32BE(0xc612_0010, 26)
  frame.writeUInt32BE(0xc612_0001, 30)
  frame.writeUInt16BE(40_000, 34)
  frame.writeUInt16BE(8443, 36)
  return Buffer.concat([frame, payload])
}

function pcap(frames: readonly Buffer[], { isLittle = true, magic = 0xa1b2_c3d4, linkType = 1 } = {}): Buffer {
  const words = (...values: number[]): Buffer => {
    const buffer = Buffer.alloc(values.length * 4)
    values.forEach((value, index) => (isLittle ? buffer.writeUInt32LE(value, index * 4) : buffer.writeUInt32BE(value, index * 4)))
    return buffer
  }
  return Buffer.concat([words(magic, 0, 0, 0, 65_535, linkType), ...frames.flatMap(frame => [words(1_700_000_000, 500_000, frame.length, frame.length), frame])])
}

function packetsOf(file: Buffer) {
  const packets: object[] = []
  forEachPacket(file, packet => packets.push({ ...packet, payload: packet.payload.toString('latin1') }))
  return packets
}

const PACKET = { at: 1_700_000_000_500, bytes: 1428, protocol: 17, source: 0xc612_0010, destination: 0xc612_0001, sourcePort: 40_000, destinationPort: 8443, payload: 'kenk' }

t.test('a packet has the length that it had on the line, not the captured one', async t => {
  t.same(packetsOf(pcap([udpFrame(Buffer.from('kenk'), 1428)])), [PACKET])
})

t.test('both byte orders and both kinds of time stamps are read', async t => {
  t.same(packetsOf(pcap([udpFrame(Buffer.from('kenk'), 1428)], { isLittle: false })), [PACKET])
  t.match(packetsOf(pcap([udpFrame(Buffer.from('kenk'), 1428)], { magic: 0xa1b2_3c4d })), [{ at: 1_700_000_000_000.5 }])
})

t.test('what is not IPv4 is left out, and other protocols have no UDP payload', async t => {
  const arp = Buffer.alloc(60)
  arp.writeUInt16BE(0x0806, 12)
  t.match(packetsOf(pcap([arp, udpFrame(Buffer.alloc(20), 84, 1)])), [{ protocol: 1, bytes: 84, sourcePort: 0, payload: '' }])
})

t.test('a record that is cut short ends the file', async t => {
  const whole = pcap([udpFrame(Buffer.from('kenk'), 1428), udpFrame(Buffer.from('kenk'))])
  for (let cut = 1; cut < 16 + 46; cut++) t.equal(packetsOf(whole.subarray(0, whole.length - cut)).length, 1)
})

t.test('what is no capture of Ethernet is refused', async t => {
  for (const file of [Buffer.alloc(0), Buffer.alloc(64), pcap([], { linkType: 113 })]) t.throws(() => packetsOf(file), { code: 'bad_message' })
})
