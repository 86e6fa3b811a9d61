import { t } from 'tap'
import { parseReceiveBufferErrors } from './kernel-counters.ts'

const SNMP = `Icmp: InMsgs InErrors
Icmp: 3 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 163409 40 7 164000 5 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
UdpLite: 0 0 0 0 99 0
`

t.test('reads the figure by its column name', async t => {
  t.equal(parseReceiveBufferErrors(SNMP), 5)
})

t.test('knows nothing where there is nothing to know', async t => {
  for (const text of ['', 'Udp: InDatagrams\nUdp: 5\n', 'Udp: RcvbufErrors\n', 'Udp: RcvbufErrors\nUdp: x\n']) t.equal(parseReceiveBufferErrors(text), undefined)
})
