import { t } from 'tap'
import { pcapFile, udpFrame } from '../../test/harness/pcap-file.ts'
import { addressNumber, observeDirection } from './line-observation.ts'
import type { CapturedFrame, FrameOptions } from '../../test/harness/pcap-file.ts'

const AT = 1_700_000_000_000
const PORT = 20_500
const source = addressNumber('198.18.0.16')

/** A datagram of a link, of 1000 bytes with its headers. */
function datagram(number: number, at: number, options: FrameOptions = {}): CapturedFrame {
  const header = Buffer.alloc(14)
  header[0] = 0x6b
  header.writeUIntBE(number, 8, 6)
  return udpFrame(header, { total: 1000, destinationPort: PORT, at: AT + at, ...options })
}

const observe = (sent: readonly CapturedFrame[], arrived: readonly CapturedFrame[], departures = { from: AT, to: AT + 1000 }) =>
  observeDirection({ sender: pcapFile(sent), receiver: pcapFile(arrived), source, linkPort: PORT, arrivals: { from: AT, to: AT + 1000 }, departures })

t.test('what left and never arrived is lost, wherever it arrived in the window', async t => {
  const sent = [1, 2, 3, 4].map(number => datagram(number, number))
  const arrived = [datagram(1, 20), datagram(4, 1500)]
  t.same(observe(sent, arrived), { packets: 1, bytes: 1000, sent: 4, lost: 2, others: { sent: 0, packets: 0, bytes: 0 } })
})

t.test('departures and arrivals have windows of their own, open at the end', async t => {
  const sent = [datagram(1, -200), datagram(2, 800), datagram(3, 799)]
  t.match(observe(sent, [datagram(9, 0), datagram(10, 1000)], { from: AT - 200, to: AT + 800 }), { packets: 1, sent: 2, lost: 2 })
})

t.test('other traffic and the other direction are told apart', async t => {
  const ping = udpFrame(Buffer.alloc(20), { total: 84, protocol: 1, at: AT + 5 })
  const elsewhere = datagram(7, 5, { destinationPort: 53 })
  const back = datagram(8, 5, { source: addressNumber('198.18.0.1') })
  t.same(observe([ping, ping, elsewhere, back], [ping, elsewhere, back]), { packets: 0, bytes: 0, sent: 0, lost: 0, others: { sent: 3, packets: 2, bytes: 1084 } })
})
