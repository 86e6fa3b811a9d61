import { t } from 'tap'
import { parseIperf } from './iperf.ts'
import { parsePing } from './ping.ts'

t.test('reads the round trips that ping prints', async t => {
  const output = [
    'PING 198.18.0.1 (198.18.0.1) 56(84) bytes of data.',
    '64 bytes from 198.18.0.1: icmp_seq=1 ttl=64 time=4.21 ms',
    '64 bytes from 198.18.0.1: icmp_seq=3 ttl=64 time=40.3 ms',
    '--- 198.18.0.1 ping statistics ---',
    '3 packets transmitted, 2 received, 33.3333% packet loss, time 8ms',
    'rtt min/avg/max/mdev = 4.210/22.255/40.300/0.049 ms, pipe 4',
  ].join('\n')
  t.same(parsePing(output), [4.21, 40.3])
})

t.test('reads what iperf3 received, and refuses what is something else', async t => {
  const sum = { start: 1, end: 1.5, seconds: 0.5, bytes: 2_990_400, bits_per_second: 47_846_400, jitter_ms: 0.3, lost_packets: 1358, packets: 3850, omitted: false, sender: false }
  t.same(parseIperf(JSON.stringify({ start: {}, intervals: [{ streams: [], sum }], end: {} })), [{ seconds: 0.5, bytes: 2_990_400, lost: 1358, packets: 3850 }])
  t.throws(() => parseIperf('{"start":{},"intervals":[],"error":"unable to connect to server"}'), { code: 'unavailable', message: /unable to connect/ })
  t.throws(() => parseIperf('{}'), { code: 'unavailable' })
})
