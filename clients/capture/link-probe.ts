import { z } from 'zod'
import { LinkDialer } from '../../relay/links/link-sockets.ts'
import { openSignalingSocket } from '../../relay/runtime/signaling-socket.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SignalingClient } from '../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION, ROLES } from '../../relay/wire/signaling.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { LineRecorder } from './line-measurement.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { RequestParameters } from '../../relay/wire/signaling-client.ts'
import type { ReplyData, RequestType } from '../../relay/wire/signaling.ts'
import type { PathContract } from '../../relay/wire/link.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'
import type { NodeAddress } from '../../relay/runtime/invitation-link.ts'
import type { LineMeasurement, LineReading } from './line-measurement.ts'

/** A path that has not answered by then does not. */
export const PATIENCE = millis(4000)
const POLL_INTERVAL = millis(10)
const READING_INTERVAL = millis(100)
/** After the load, until the far end's last report of it is here. */
const REPORTS_AFTER = millis(1200)
/** The load comes as live video does. */
const FRAMES_PER_SECOND = 30
const FRAME_INTERVAL = millis(1000 / FRAMES_PER_SECOND)
const PACKET_BYTES = 1100
/** Of a datagram that carries {@link PACKET_BYTES}, with IP and UDP headers. */
const DATAGRAM_BYTES = PACKET_BYTES + 76
const FLOW = 0
/** A process that was not run for long makes up for no more than this. */
const MOST_FRAMES_AT_ONCE = 2

/** What is about to be done, for whoever waits. */
export interface ProbeStep {
  readonly kind: 'idle' | 'load'
  readonly path: string
  readonly duration: Millis
}

/** What {@link LinkProbe} needs. */
export interface LinkProbeOptions {
  readonly address: NodeAddress
  readonly clock: Clock
  /** From the first answer of a path to the end of its load. */
  readonly duration: Millis
  /** With IP and UDP headers. */
  readonly load: BitsPerSecond
  readonly onStep: (step: ProbeStep) => void
}

/**
 * Refuses an invitation that must not be used to measure a line. Nobody but the node can verify it; this is for whoever
 * holds the wrong one.
 *
 * @throws {RelayFault} `wrong_role` for a microscope's or a scanner's, `bad_config` for what cannot be read.
 */
export function requireViewer(token: string): void {
  const Claims = z.looseObject({ role: z.enum(ROLES) })
  let role: z.infer<typeof Claims>['role']
  try {
    role = Claims.parse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))).role
  } catch (cause) {
    throw new RelayFault('bad_config', 'the invitation cannot be read', { cause })
  }
  if (role === 'viewer' || role === 'technician') return
  throw new RelayFault('wrong_role', "this is a microscope's invitation: joining with it would end what that microscope publishes. Ask for a viewer's (kenkyo invite --role viewer)")
}

/** Measures the paths to a node, one after the other, by a link of a viewer's session. What is sent on it goes nowhere. */
export class LinkProbe implements AsyncDisposable {
  readonly #options: LinkProbeOptions
  readonly #signaling: SignalingClient
  readonly #scope: AsyncDisposableStack
  readonly #lost = new AbortController()

  private constructor(options: LinkProbeOptions, signaling: SignalingClient, scope: AsyncDisposableStack) {
    this.#options = options
    this.#signaling = signaling
    this.#scope = scope
    void signaling.closed.then(fault => this.#lost.abort(fault))
  }

  /** Joins. @throws {RelayFault} The node's refusal; `wrong_role`; `unavailable` or `timeout` when it cannot be reached. */
  static async open(options: LinkProbeOptions, signal: AbortSignal): Promise<LinkProbe> {
    const { signalingUrl, invitation } = options.address
    requireViewer(invitation)
    await using scope = new AsyncDisposableStack()
    const socket = scope.adopt(await openSignalingSocket(signalingUrl, signal), it => it.terminate())
    const signaling = scope.adopt(new SignalingClient(socket, { onNotification: () => undefined }), it => it.close())
    await signaling.request('join', { protocol: PROTOCOL_VERSION, invitation })
    return new LinkProbe(options, signaling, scope.move())
  }

  /** Asks the node something else, as the viewer that this session is. @throws {RelayFault} The node's code. */
  ask<Type extends RequestType>(type: Type, parameters: RequestParameters<Type>): Promise<ReplyData<Type>> {
    return this.#signaling.request(type, parameters)
  }

  /** Measures one path. @throws {RelayFault} When the node has no links, or the session ends; the signal's reason. */
  async measure(path: PathContract, signal: AbortSignal): Promise<LineMeasurement> {
    const { address, clock, duration, load, onStep } = this.#options
    const abort = AbortSignal.any([signal, this.#lost.signal])
    const reply = await this.#signaling.request('openLink', { paths: [path] })
    const { association, secret, contract, host, port } = reply
    await using dialer = await LinkDialer.open({ association, secret: Buffer.from(secret, 'base64url'), contract }, { host: host ?? address.host, port }, clock)
    const { transport } = dialer
    const read = (): LineReading => ({ snapshot: transport.snapshot(), reported: transport.endpoint.live.reported })
    const recorder = new LineRecorder(path.name, load)
    const idle = millis(duration / 3)
    onStep({ kind: 'idle', path: path.name, duration: idle })
    const giveUpAt = clock.now() + PATIENCE
    while (!transport.endpoint.isUp) {
      if (clock.now() > giveUpAt) return recorder.final(read())
      await clock.sleep(POLL_INTERVAL, abort)
    }
    const idleUntil = clock.now() + idle
    while (clock.now() < idleUntil) {
      recorder.idle(read())
      await clock.sleep(READING_INTERVAL, abort)
    }
    const loaded = millis(duration - idle)
    onStep({ kind: 'load', path: path.name, duration: loaded })
    const send = (packet: Buffer): void => {
      transport.sendLive(FLOW, packet)
    }
    const readLoaded = (): void => {
      recorder.loaded(read())
    }
    await this.#send(send, readLoaded, loaded, abort)
    await clock.sleep(REPORTS_AFTER, abort)
    return recorder.final(read(), loaded)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }

  /** Sends bursts as large as frames of so much video are. */
  async #send(send: (packet: Buffer) => void, read: () => void, duration: Millis, signal: AbortSignal): Promise<void> {
    const { clock, load } = this.#options
    const packetsPerFrame = load / FRAMES_PER_SECOND / 8 / DATAGRAM_BYTES
    const packet = Buffer.alloc(PACKET_BYTES)
    const beganAt = clock.now()
    let owed = 0
    let readAt: number = beganAt
    for (let dueAt: number = beganAt; dueAt < beganAt + duration; ) {
      const now = clock.now()
      for (let frames = 0; dueAt <= now && frames < MOST_FRAMES_AT_ONCE; frames++, dueAt += FRAME_INTERVAL) {
        for (owed += packetsPerFrame; owed >= 1; owed--) send(packet)
      }
      if (now - readAt >= READING_INTERVAL) {
        read()
        readAt = now
      }
      dueAt = Math.max(dueAt, now)
      await clock.sleep(millis(Math.max(1, dueAt - clock.now())), signal)
    }
  }
}

/** Megabits per second as a rate. */
export const megabits = (value: number): BitsPerSecond => bitsPerSecond(value * 1e6)
