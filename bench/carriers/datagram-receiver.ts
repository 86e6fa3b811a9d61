/** The program of a receiver of RTP datagrams on 127.0.0.1, which judges frames as every receiver of the bench does. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseRtp } from '../../relay/recordings/rtp-packet.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RenditionId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { ArrivalLog } from '../receiver/arrival-log.ts'
import { FrameJudge } from '../receiver/frame-judge.ts'
import { FRAME_DEADLINE } from './carrier.ts'
import { DatagramEnvironment } from './datagram-messages.ts'
import type { DatagramMessage } from './datagram-messages.ts'

const RECEIVE_BUFFER_BYTES = 4 * 2 ** 20
const HOUSEKEEPING_INTERVAL_MILLIS = 10
const REPORT_INTERVAL_MILLIS = 1000

const say = (message: DatagramMessage): void => void process.send?.(message)

const environment = DatagramEnvironment.parse(process.env)
process.once('disconnect', () => process.exit(0))
const renditions = environment.KENKYO_DATAGRAM_RENDITIONS.split(',').map(id => RenditionId.parse(id))
const log = ArrivalLog.open(environment.KENKYO_DATAGRAM_LOG)
const judge = new FrameJudge(millis(FRAME_DEADLINE), frame => log.note(frame))
judge.expect(renditions)

const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES })
socket.on('message', datagram => {
  const packet = parseRtp(datagram)
  const renditionId = packet === undefined ? undefined : renditions[packet.ssrc - 1]
  if (packet !== undefined && renditionId !== undefined) judge.push(renditionId, packet, systemClock.now())
})
socket.bind(environment.KENKYO_DATAGRAM_PORT, '127.0.0.1')
await once(socket, 'listening')

setInterval(() => {
  judge.judge(systemClock.now())
  judge.take()
}, HOUSEKEEPING_INTERVAL_MILLIS)
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
setInterval(() => {
  say({ type: 'second', longestDelayMillis: delay.max / 1e6 })
  delay.reset()
}, REPORT_INTERVAL_MILLIS)
say({ type: 'ready' })
