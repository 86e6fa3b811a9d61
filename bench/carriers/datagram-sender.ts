/**
 * The program of a sender that knows nothing of kenkyo's connections: replays a recording as the capture agent does,
 * paced by the same `FramePump`, and hands every packet as one RTP datagram to whatever listens on 127.0.0.1.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { FramePump } from '../../clients/capture/frame-pump.ts'
import { serializeRtp } from '../../relay/recordings/rtp-packet.ts'
import { SentLog } from '../../clients/capture/sent-log.ts'
import { SourceSettings } from '../../clients/capture/settings.ts'
import { planSource } from '../../clients/capture/source-plan.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { RenditionId } from '../../relay/wire/ids.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { DatagramEnvironment, SenderCommand } from './datagram-messages.ts'
import type { PacedPacket } from '../../clients/capture/pacer.ts'
import type { DatagramMessage } from './datagram-messages.ts'

const PAYLOAD_TYPE = 96
const SEND_BUFFER_BYTES = 4 * 2 ** 20

const environment = DatagramEnvironment.parse(process.env)
process.once('disconnect', () => process.exit(0))
const renditions = environment.KENKYO_DATAGRAM_RENDITIONS.split(',').map(id => RenditionId.parse(id))
const settings = SourceSettings.parse({ source: 'recording', input: process.argv[2], loop: true })
const plan = await planSource(settings, { clock: systemClock, log: createLogger({ level: 'warn', program: 'sender' }) })

const socket = createSocket({ type: 'udp4', sendBufferSize: SEND_BUFFER_BYTES })
// Refusals come while nobody listens yet.
socket.on('error', () => undefined)
socket.connect(environment.KENKYO_DATAGRAM_PORT, '127.0.0.1')
await once(socket, 'connect')

const streams = new Map(renditions.map((id, index) => [id, { ssrc: index + 1, sequenceNumber: 0 }]))
const log = SentLog.open(environment.KENKYO_DATAGRAM_LOG)
const pump = new FramePump({ pyramid: plan.pyramid, clock: systemClock, origin: rtpTimestamp(0), followsDemand: false, onSent: packet => log.note(packet) })

function send({ renditionId, timestamp, marker, payload }: PacedPacket): void {
  const stream = streams.get(renditionId)
  if (stream === undefined) return
  socket.send(serializeRtp({ payloadType: PAYLOAD_TYPE, marker, sequenceNumber: stream.sequenceNumber, timestamp, ssrc: stream.ssrc, payload }))
  stream.sequenceNumber = (stream.sequenceNumber + 1) & 0xffff
}

async function begin(): Promise<void> {
  pump.attach({ send })
  pump.demand({ serial: 1, renditions: renditions.map(renditionId => ({ renditionId, cadence: 'full' })), woken: [] })
  pump.sourceStarted()
  await plan.open(frame => pump.push(frame), new AbortController().signal)
}

process.on('message', raw => {
  SenderCommand.parse(raw)
  void begin()
})
process.send?.({ type: 'ready' } satisfies DatagramMessage)
