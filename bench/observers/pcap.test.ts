import { t } from 'tap'
import { pcapFile as pcap, udpFrame } from '../../test/harness/pcap-file.ts'
import { forEachPacket } from './pcap.ts'

function packetsOf(file: Buffer) {
  const packets: object[] = []
  forEachPacket(file, packet => packets.push({ ...packet, payload: packet.payload.toString('latin1') }))
  return packets
}

const PACKET = { at: 1_700_000_000_500, bytes: 1428, protocol: 17, source: 0xc612_0010, destination: 0xc612_0001, sourcePort: 40_000, destinationPort: 8443, payload: 'kenk' }

t.test('a packet has the length that it had on the line, not the captured one', async t => {
  t.same(packetsOf(pcap([udpFrame(Buffer.from('kenk'), { total: 1428 })])), [PACKET])
})

t.test('both byte orders and both kinds of time stamps are read', async t => {
  t.same(packetsOf(pcap([udpFrame(Buffer.from('kenk'), { total: 1428 })], { isLittle: false })), [PACKET])
  t.match(packetsOf(pcap([udpFrame(Buffer.from('kenk'), { total: 1428 })], { magic: 0xa1b2_3c4d })), [{ at: 1_700_000_000_000.5 }])
})

t.test('what is not IPv4 is left out, and other protocols have no UDP payload', async t => {
  const arp = Buffer.alloc(60)
  arp.writeUInt16BE(0x0806, 12)
  t.match(packetsOf(pcap([{ at: 1_700_000_000_000, bytes: arp }, udpFrame(Buffer.alloc(20), { total: 84, protocol: 1 })])), [{ protocol: 1, bytes: 84, sourcePort: 0, payload: '' }])
})

t.test('a record that is cut short ends the file', async t => {
  const whole = pcap([udpFrame(Buffer.from('kenk'), { total: 1428 }), udpFrame(Buffer.from('kenk'))])
  for (let cut = 1; cut < 16 + 46; cut++) t.equal(packetsOf(whole.subarray(0, whole.length - cut)).length, 1)
})

t.test('what is no capture of Ethernet is refused', async t => {
  for (const file of [Buffer.alloc(0), Buffer.alloc(64), pcap([], { linkType: 113 })]) t.throws(() => packetsOf(file), { code: 'bad_message' })
})
