/** The program of the publishing process: a microscope that sends 8K-shaped RTP, and goes on sending when its session ends. `PublisherProcess` starts it. */
import { PeerConnection, Video } from 'node-datachannel'
import { WebSocket } from 'ws'
import { toFault } from '../../relay/wire/fault.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION } from '../../relay/wire/signaling.ts'
import { loadRecordedShapes } from '../accept/traffic-shape.ts'
import { fanoutPyramid } from '../fanout/fanout-pyramid.ts'
import { fanoutSchedule } from '../fanout/fanout-schedule.ts'
import { PublisherCommand } from './publisher-messages.ts'
import { FIRST_SSRC, PAYLOAD_TYPE, RtpLoop } from './rtp-loop.ts'
import type { Stage } from '../../relay/wire/stage.ts'
import type { Track } from 'node-datachannel'
import type { PublisherMessage } from './publisher-messages.ts'

const STEP_MILLIS = 2
const CAPTURE_REPORT_MILLIS = 500
const PROFILE = 'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1'

const STAGE: Stage = {
  objectives: [{ name: '20x', micrometresPerPixel: 0.5 }],
  travel: { x: { min: 0, max: 10_000 }, y: { min: 0, max: 10_000 }, focus: { min: -100, max: 100 } },
  state: { x: 0, y: 0, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: null, obeyed: null },
}

const tell = (message: PublisherMessage): void => void process.send?.(message)
const epochNow = (): number => performance.timeOrigin + performance.now()

const schedule = fanoutSchedule(await loadRecordedShapes(), 'pyramid')
const pyramid = fanoutPyramid(schedule)

/** One stay in a consultation. */
class Publication {
  packets = 0
  bytes = 0
  commands = 0
  lastCommandAtMillis: number | null = null
  ended: string | null = null
  readonly #connection = new PeerConnection('microscope', { iceServers: [], disableAutoNegotiation: true })
  readonly #timers: NodeJS.Timeout[] = []
  #signaling: SignalingClient | undefined

  async open({ signalingUrl, token, tls }: Extract<PublisherCommand, { type: 'publish' }>): Promise<void> {
    const socket = new WebSocket(signalingUrl, tls)
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.on('error', reject)
    })
    const signaling = new SignalingClient(socket, {
      onNotification: ({ type }) => {
        if (type !== 'stageCommanded') return
        this.commands++
        this.lastCommandAtMillis = epochNow()
      },
    })
    this.#signaling = signaling
    void signaling.closed.then(({ code }) => (this.ended = code))
    await signaling.request('join', { protocol: PROTOCOL_VERSION, invitation: token })
    const tracks = schedule.tracks.map((_, index) => {
      const video = new Video(String(index), 'SendOnly')
      video.addH264Codec(PAYLOAD_TYPE, PROFILE)
      video.addSSRC(FIRST_SSRC + index, 'microscope')
      return this.#connection.addTrack(video)
    })
    const { publicationId, sdp } = await signaling.request('publish', {
      pyramid, stage: STAGE, sdp: await this.#offer(),
      tracks: pyramid.renditions.map(({ id: renditionId }, mid) => ({ mid: String(mid), renditionId })),
    })
    const connected = Promise.withResolvers<undefined>()
    this.#connection.onStateChange(state => {
      if (state === 'connected') connected.resolve(undefined)
    })
    this.#connection.setRemoteDescription(sdp, 'answer')
    await connected.promise
    const loop = this.#send(tracks)
    const report = async (): Promise<void> => {
      if (!signaling.isClosed) await signaling.request('reportCapture', { publicationId, rtpTimestamp: loop(), capturedAtMillis: epochNow() })
    }
    await report()
    this.#timers.push(setInterval(() => void report().catch(() => undefined), CAPTURE_REPORT_MILLIS))
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#signaling?.close()
    this.#connection.close()
  }

  async #offer(): Promise<string> {
    const gathered = Promise.withResolvers<undefined>()
    this.#connection.onGatheringStateChange(state => {
      if (state === 'complete') gathered.resolve(undefined)
    })
    this.#connection.setLocalDescription('offer')
    await gathered.promise
    return this.#connection.localDescription()?.sdp ?? ''
  }

  /** @returns Tells the RTP timestamp of this moment. */
  #send(tracks: readonly Track[]): () => number {
    const loop = new RtpLoop(schedule)
    const began = performance.now()
    this.#timers.push(setInterval(() => {
      for (const { track, packet } of loop.due(performance.now() - began)) {
        if (tracks[track]?.isOpen() !== true) continue
        tracks[track].sendMessageBinary(packet)
        this.packets++
        this.bytes += packet.length
      }
    }, STEP_MILLIS))
    return () => loop.timestampAt(performance.now() - began)
  }
}

let publication: Publication | undefined

async function obey(command: PublisherCommand): Promise<void> {
  switch (command.type) {
    case 'publish':
      publication?.close()
      publication = new Publication()
      await publication.open(command)
      tell({ type: 'publishing' })
      return
    case 'count': {
      const { packets = 0, bytes = 0, commands = 0, lastCommandAtMillis = null, ended = null } = publication ?? {}
      tell({ type: 'counts', packets, bytes, commands, lastCommandAtMillis, ended })
      return
    }
    case 'stop':
      publication?.close()
      publication = undefined
      return
    default:
      return command satisfies never
  }
}

// Whoever started this is gone: nobody is left to send for.
process.once('disconnect', () => process.exit(0))
process.on('message', message => {
  obey(PublisherCommand.parse(message)).catch((error: unknown) => {
    const { code, message: text } = toFault(error)
    tell({ type: 'failed', message: `${code}: ${text}${code === 'internal' ? `: ${String(error)}` : ''}` })
  })
})
tell({ type: 'ready' })
