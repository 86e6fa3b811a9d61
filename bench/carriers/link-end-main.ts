/** The program of one end of a link, for measuring: plays frames and bulk into it, or counts what comes out. */
import { performance } from 'node:perf_hooks'
import { FramePump } from '../../clients/capture/frame-pump.ts'
import { SourceSettings } from '../../clients/capture/settings.ts'
import { planSource } from '../../clients/capture/source-plan.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { RenditionId } from '../../relay/wire/ids.ts'
import { millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { LinkDialer, LinkPort } from '../../relay/links/link-sockets.ts'
import { ChunkFeed, openChunkStore } from './chunk-ends.ts'
import { FrameContinuity, STAMP_BYTES, writeStamp } from './frame-continuity.ts'
import { LinkEndCommand, LinkEndEnvironment } from './link-end-messages.ts'
import type { LinkTransport } from '../../relay/links/link-transport.ts'
import type { LinkEndMessage, LinkEndTotals } from './link-end-messages.ts'

const BULK_MESSAGE = Buffer.alloc(256 * 1024, 0x5a)
const TELL_INTERVAL_MILLIS = 200
const LOAD_PACKET_BYTES = 1200
const MOST_LATE_MILLIS = 5

const { KENKYO_LINK_END: options } = LinkEndEnvironment.parse(process.env)
const epochNow = (): number => performance.timeOrigin + performance.now()
const say = (message: LinkEndMessage): void => void process.send?.(message)
process.once('disconnect', () => process.exit(0))
process.once('SIGTERM', () => process.exit(0))

const association = { association: options.association, secret: Buffer.from(options.secretHex, 'hex'), contract: options.contract }
let transport: LinkTransport
if (options.role === 'responder') {
  const port = await LinkPort.open({ address: options.host, port: options.port, clock: systemClock })
  transport = port.accept(association)
  say({ type: 'ready', port: port.port })
} else {
  const dialer = await LinkDialer.open(association, { host: options.host, port: options.port }, systemClock)
  transport = dialer.transport
  say({ type: 'ready', port: 0 })
}

let chunkFeed: ChunkFeed | undefined
const chunkStore = options.chunkFile === undefined ? undefined : await openChunkStore(options.chunkFile, message => transport.sendMessage('control', message) !== undefined, stored => (totals.bulkBytes += stored))
const totals = { frames: 0, lateFrames: 0, livePackets: 0, livePayloadBytes: 0, bulkBytes: 0 }
const continuity = new FrameContinuity()
let arrived: { sentAt: number[]; completedAt: number[] } = { sentAt: [], completedAt: [] }
transport.listen({
  onLive: (flow, packet) => {
    totals.livePackets++
    totals.livePayloadBytes += packet.length
    const sentAt = continuity.push(flow, packet)
    if (sentAt === undefined) return
    const now = epochNow()
    if (now - sentAt > options.budgetMillis) totals.lateFrames++
    else totals.frames++
    arrived.sentAt.push(sentAt)
    arrived.completedAt.push(now)
  },
  onMessage: (id, body) => {
    if (id === 'control') chunkFeed?.control(body)
    else if (chunkStore === undefined) totals.bulkBytes += body.length
    else chunkStore.take(body)
  },
  onArrived: (id, ticket) => {
    if (id === 'bulk') chunkFeed?.arrived(ticket)
    feedBulk()
  },
})

function tell(): LinkEndTotals {
  const { user, system } = process.cpuUsage()
  const { paths, classes } = transport.snapshot()
  const up = paths.filter(({ state }) => state === 'up')
  return {
    at: epochNow(),
    cpuSeconds: (user + system) / 1e6,
    ...totals,
    pace: transport.endpoint.paths.filter(({ state }) => state === 'up').reduce((sum, { out }) => sum + out.capacity, 0),
    queueingMillis: Math.max(0, ...up.map(({ queueingDelay }) => queueingDelay)),
    roundTripMillis: Math.max(0, ...up.map(({ roundTrip = millis(0) }) => roundTrip)),
    deadlineMisses: classes[0]?.totals.in.deadlineMisses ?? 0,
    switches: classes[0]?.switches ?? 0,
    outages: paths.reduce((sum, { outages }) => sum + outages, 0),
    lostDatagrams: paths.reduce((sum, path) => sum + path.totals.in.lostPackets, 0),
  }
}

let isBulkOn = false
function feedBulk(): void {
  while (isBulkOn && transport.endpoint.hasRoom('bulk')) transport.sendMessage('bulk', BULK_MESSAGE)
}

const { recording } = options
const play = recording === undefined ? undefined : await preparePlay(recording)

/** Loads the recording, and returns what switches it on and off. */
async function preparePlay(directory: string): Promise<(isOn: boolean) => void> {
  const renditions = options.renditions.map(id => RenditionId.parse(id))
  const settings = SourceSettings.parse({ source: 'recording', input: directory, loop: true })
  const plan = await planSource(settings, { clock: systemClock, log: createLogger({ level: 'warn', program: 'link end' }) })
  const pump = new FramePump({ pyramid: plan.pyramid, clock: systemClock, origin: rtpTimestamp(0), followsDemand: false })
  const flows = new Map(renditions.map((id, flow) => [id, { flow, frame: 0, place: 0 }]))
  let isPlaying = false
  pump.attach({
    send: ({ renditionId, marker, payload }) => {
      const state = flows.get(renditionId)
      // Frames begun are finished; none is begun when it is off.
      if (state === undefined || (!isPlaying && state.place === 0)) return
      const packet = Buffer.allocUnsafe(STAMP_BYTES + payload.length)
      writeStamp(packet, epochNow(), state.frame, state.place, marker)
      payload.copy(packet, STAMP_BYTES)
      totals.livePackets++
      totals.livePayloadBytes += packet.length
      transport.sendLive(state.flow, packet)
      state.place++
      if (!marker) return
      totals.frames++
      state.frame++
      state.place = 0
    },
  })
  pump.demand({ serial: 1, renditions: renditions.map(renditionId => ({ renditionId, cadence: 'full' })), woken: [] })
  pump.sourceStarted()
  await plan.open(frame => pump.push(frame), new AbortController().signal)
  return isOn => (isPlaying = isOn)
}

let load: { readonly packetsPerMilli: number; readonly since: number; sent: number } | undefined
let loadFrame = 0
function sendLoad(): void {
  if (load === undefined) return
  const due = (systemClock.now() - load.since) * load.packetsPerMilli
  // What a busy machine made late is not made up for all at once: the process has to hear its feedback, too.
  load.sent = Math.max(load.sent, due - MOST_LATE_MILLIS * load.packetsPerMilli)
  for (; load.sent < due; load.sent++) {
    const packet = Buffer.allocUnsafe(LOAD_PACKET_BYTES)
    writeStamp(packet, epochNow(), loadFrame++, 0, true)
    totals.livePackets++
    totals.livePayloadBytes += packet.length
    totals.frames++
    transport.sendLive(0, packet)
  }
  setTimeout(sendLoad, 1)
}

process.on('message', raw => {
  const command = LinkEndCommand.parse(raw)
  switch (command.type) {
    case 'play':
      play?.(command.isOn)
      return
    case 'bulk':
      isBulkOn = command.isOn
      feedBulk()
      return
    case 'chunks':
      if (command.isOn) chunkFeed ??= new ChunkFeed({ endpoint: transport.endpoint, send: message => transport.sendMessage('bulk', message) }, systemClock)
      else {
        void chunkFeed?.stop()
        chunkFeed = undefined
      }
      return
    case 'load':
      load = command.bitsPerSecond === 0 ? undefined : { packetsPerMilli: command.bitsPerSecond / 8000 / LOAD_PACKET_BYTES, since: systemClock.now(), sent: 0 }
      sendLoad()
      return
    case 'tell':
      say({ type: 'told', id: command.id, totals: tell() })
      return
    default:
      command satisfies never
  }
})

setInterval(() => {
  const rates = transport.endpoint.paths.map(({ in: incoming }) => incoming.statistics.gauges(systemClock.now()).throughput)
  if (options.role === 'responder') say({ type: 'frames', ...arrived, rates })
  arrived = { sentAt: [], completedAt: [] }
  feedBulk()
}, TELL_INTERVAL_MILLIS)

while (!transport.endpoint.isUp) await systemClock.sleep(millis(10))
say({ type: 'up' })
