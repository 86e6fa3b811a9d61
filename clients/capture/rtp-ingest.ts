import { rtpElapsed } from '../../relay/wire/rtp-clock.ts'
import { isKeyFrame, markInterPredicted } from '../../relay/recordings/key-frame.ts'
import { KeyFrameGate } from './key-frame-gate.ts'
import { isRtcp, parseRtp } from '../../relay/recordings/rtp-packet.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { EncodedFrame } from './encoded-frame.ts'
import type { RtpPacket } from '../../relay/recordings/rtp-packet.ts'

/** One RTP stream that is expected. */
export interface IngestTrack {
  readonly ssrc: number
  readonly renditionId: RenditionId
  readonly codec: RenditionCodec
  /** The sequence number its very first packet has. */
  readonly firstSequenceNumber: number
}

/** What was refused or missed since the last look. */
export interface IngestCounts {
  /** Datagrams that are not RTP. */
  readonly notRtp: number
  /** RTP packets of a stream that nobody announced. */
  readonly unknownSsrc: number
  /** Packets missing from the sequence. */
  readonly lost: number
  /** Frames thrown away because they, or one they build on, were incomplete. */
  readonly framesBroken: number
}

/** A frame of more packets than this is refused: browsers assemble no more than 2,048. */
const MAX_PACKETS_PER_FRAME = 4096

interface Assembly {
  readonly timestamp: RtpTimestamp
  readonly payloads: Buffer[]
  isBroken: boolean
}

interface TrackState {
  readonly track: IngestTrack
  readonly gate: KeyFrameGate
  nextSequenceNumber: number
  /** Position of the newest timestamp since the first one; undefined before the first packet. */
  position: { timestamp: RtpTimestamp; ticks: number } | undefined
  assembly: Assembly | undefined
}

/**
 * Turns the RTP packets of several streams of one encoder process into complete frames. Does no I/O.
 *
 * Each stream begins at a random timestamp, but all begin with the same image and share their steps,
 * so each is rebased on its own first packet. That holds only if the first packet was really seen:
 * {@link isAligned} says so.
 */
export class RtpIngest {
  readonly #tracks = new Map<number, TrackState>()
  #isAligned = true
  #notRtp = 0
  #unknownSsrc = 0
  #lost = 0
  #framesBroken = 0

  constructor(tracks: readonly IngestTrack[]) {
    for (const track of tracks) {
      this.#tracks.set(track.ssrc, {
        track,
        gate: new KeyFrameGate(),
        nextSequenceNumber: track.firstSequenceNumber,
        position: undefined,
        assembly: undefined,
      })
    }
  }

  /** False once a stream was joined after its first packet: its frames cannot be placed, and the encoder must start anew. */
  get isAligned(): boolean {
    return this.#isAligned
  }

  /** Takes one datagram, of whatever content; returns a frame when it completes one. */
  push(datagram: Buffer): EncodedFrame | undefined {
    if (isRtcp(datagram)) return undefined
    const packet = parseRtp(datagram)
    if (packet === undefined) {
      this.#notRtp++
      return undefined
    }
    const state = this.#tracks.get(packet.ssrc)
    if (state === undefined) {
      this.#unknownSsrc++
      return undefined
    }
    return this.#accept(state, packet)
  }

  /** What was refused or missed since the last call. */
  takeCounts(): IngestCounts {
    const counts = { notRtp: this.#notRtp, unknownSsrc: this.#unknownSsrc, lost: this.#lost, framesBroken: this.#framesBroken }
    this.#notRtp = this.#unknownSsrc = this.#lost = this.#framesBroken = 0
    return counts
  }

  #accept(state: TrackState, packet: RtpPacket): EncodedFrame | undefined {
    const missing = (packet.sequenceNumber - state.nextSequenceNumber) & 0xffff
    // Behind the newest one: a repetition, or too late to be of use.
    if (missing >= 0x8000) return undefined
    if (missing > 0) {
      this.#lost += missing
      if (state.position === undefined) this.#isAligned = false
      // The gap may have swallowed the end of one frame, the beginning of this one, or both.
      this.#discard(state)
    }
    state.nextSequenceNumber = (packet.sequenceNumber + 1) & 0xffff
    state.position = this.#advance(state.position, packet.timestamp)
    const assembly = this.#assemblyFor(state, packet.timestamp, missing > 0)
    if (assembly.payloads.length >= MAX_PACKETS_PER_FRAME) assembly.isBroken = true
    else assembly.payloads.push(packet.payload)
    return packet.marker ? this.#complete(state, assembly, state.position.ticks) : undefined
  }

  #advance(position: TrackState['position'], timestamp: RtpTimestamp): NonNullable<TrackState['position']> {
    if (position === undefined) return { timestamp, ticks: 0 }
    return { timestamp, ticks: position.ticks + rtpElapsed(position.timestamp, timestamp) }
  }

  #assemblyFor(state: TrackState, timestamp: RtpTimestamp, isBroken: boolean): Assembly {
    if (state.assembly?.timestamp === timestamp) return state.assembly
    this.#discard(state)
    state.assembly = { timestamp, payloads: [], isBroken }
    return state.assembly
  }

  #discard(state: TrackState): void {
    if (state.assembly === undefined) return
    this.#framesBroken++
    state.gate.break()
    state.assembly = undefined
  }

  #complete(state: TrackState, assembly: Assembly, mediaTicks: number): EncodedFrame | undefined {
    state.assembly = undefined
    if (assembly.isBroken) state.gate.break()
    const { renditionId, codec } = state.track
    const isKey = isKeyFrame(codec, assembly.payloads)
    if (assembly.isBroken || !state.gate.admits(isKey)) {
      this.#framesBroken++
      return undefined
    }
    const payloads = codec === 'VP9' ? markInterPredicted(assembly.payloads, isKey) : assembly.payloads
    return { renditionId, mediaTicks, isKeyFrame: isKey, payloads }
  }
}
