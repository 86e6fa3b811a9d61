import { RelayFault } from '../../relay/wire/fault.ts'
import { VOICE_LIMITS } from '../../relay/wire/signaling.ts'
import { MemberVoice } from './member-voice.ts'
import { VoiceBoard } from './voice-board.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { MemberId, ProducerId, SessionId } from '../../relay/wire/ids.ts'
import type { Notification, ReplyData, RequestOf, Speaker } from '../../relay/wire/signaling.ts'
import type { RoomVoices } from './room-voices.ts'

/** Every voice's rate is read this often. */
const RATE_READING_MILLIS = 1000

/** A session that may speak and hear. */
export interface VoiceMember {
  readonly sessionId: SessionId
  readonly memberId: MemberId
  readonly isClosed: boolean
  notify(notification: Notification): void
}

/** What a desk needs of its consultation. */
export interface VoiceScene {
  /** The media half; another one after a worker died. @throws {RelayFault} `unavailable`. */
  room(): Promise<RoomVoices>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Logger
}

/** Lets the members of a consultation speak with each other, and tells them who does. */
export class VoiceDesk implements Disposable {
  readonly #scene: VoiceScene
  readonly #members = new Map<VoiceMember, MemberVoice>()
  readonly #board = new VoiceBoard()
  readonly #rooms = new WeakSet<RoomVoices>()
  #timer: NodeJS.Timeout | undefined
  #rateTimer: NodeJS.Timeout | undefined

  constructor(scene: VoiceScene) {
    this.#scene = scene
  }

  /** Who may speak, and who does. */
  get speakers(): readonly Speaker[] {
    return this.#board.speakers(this.#scene.clock.now())
  }

  /** Tells a new member who speaks. */
  welcome(member: VoiceMember): void {
    this.#members.set(member, new MemberVoice(this.#scene.clock.now()))
    const { speakers } = this
    if (speakers.length > 0) member.notify({ type: 'voicesChanged', speakers: [...speakers] })
  }

  /** A member left; its transports close. */
  left(member: VoiceMember): void {
    this.#members.get(member)?.close()
    this.#members.delete(member)
  }

  /** @throws {RelayFault} `rate_limited`, `unavailable`, `wrong_state`. */
  async createTransport(member: VoiceMember, { direction }: RequestOf<'createVoiceTransport'>): Promise<Omit<ReplyData<'createVoiceTransport'>, 'iceServers'>> {
    const voice = this.#voiceOf(member)
    if (!voice.mayOpen(this.#scene.clock.now())) throw new RelayFault('rate_limited', 'too many voice transports')
    voice.drop(direction)
    const room = await this.#scene.room()
    this.#listenTo(room)
    const transport = await room.createTransport()
    // The member may have left while the worker was busy.
    if (member.isClosed) {
      transport.close()
      throw new RelayFault('wrong_state', 'the session is closed')
    }
    voice.adopt(direction, transport)
    return transport.describe()
  }

  /** @throws {RelayFault} `wrong_state` without such a transport, or the second time; `not_found`. */
  async connect(member: VoiceMember, { transportId, dtlsParameters }: RequestOf<'connectVoiceTransport'>): Promise<void> {
    await this.#voiceOf(member).transport(transportId).connect(dtlsParameters)
  }

  /** @throws {RelayFault} `wrong_state`, `not_found`, `rate_limited`, `unsupported_media`; `overloaded` when as many speak as may. */
  async speak(member: VoiceMember, { transportId, rtpParameters, isMicrophoneOpen }: RequestOf<'speak'>): Promise<ProducerId> {
    const voice = this.#changing(member)
    const transport = voice.transport(transportId, 'send')
    if (this.#board.size >= VOICE_LIMITS.speakers) throw new RelayFault('overloaded', 'as many members speak as may')
    const producerId = await transport.speak(rtpParameters, isMicrophoneOpen)
    if (transport.isClosed) throw new RelayFault('wrong_state', 'that voice transport is closed')
    // Others may have begun while the worker was busy.
    if (this.#board.size >= VOICE_LIMITS.speakers) {
      transport.close()
      throw new RelayFault('overloaded', 'as many members speak as may')
    }
    const { sessionId, memberId } = member
    voice.producerId = producerId
    this.#board.add({ sessionId, memberId, producerId, isMicrophoneOpen })
    void transport.closed.then(() => {
      if (voice.producerId === producerId) voice.producerId = undefined
      this.#board.remove(producerId)
      this.#tell()
    })
    this.#rateTimer ??= setInterval(() => void this.#readRates(), RATE_READING_MILLIS)
    this.#tell()
    return producerId
  }

  /** Idempotent. @throws {RelayFault} `rate_limited`. */
  stopSpeaking(member: VoiceMember): void {
    this.#changing(member).drop('send')
  }

  /** @throws {RelayFault} `rate_limited`; `wrong_state` of one who does not speak. */
  async setMicrophone(member: VoiceMember, isOpen: boolean): Promise<void> {
    const voice = this.#changing(member)
    const { producerId } = voice
    if (producerId === undefined) throw new RelayFault('wrong_state', 'speak first')
    await voice.setOpen(isOpen)
    this.#board.setOpen(producerId, isOpen)
    this.#tell()
  }

  /** @returns Offers of those that are voices, are not the member's own, and are not heard yet. @throws {RelayFault} `wrong_state`, `not_found`, `rate_limited`, `unsupported_media`. */
  async hear(member: VoiceMember, { transportId, producerIds, rtpCapabilities }: RequestOf<'hear'>): Promise<ReplyData<'hear'>> {
    const voice = this.#changing(member)
    const transport = voice.transport(transportId, 'receive')
    const known = new Map(this.speakers.map(speaker => [speaker.producerId, speaker]))
    for (const id of voice.heard) if (!known.has(id)) voice.heard.delete(id)
    const wanted = [...new Set(producerIds)].filter(id => known.has(id) && id !== voice.producerId && !voice.heard.has(id))
    const voices: ReplyData<'hear'>['voices'] = []
    for (const producerId of wanted) {
      const offer = await transport.hear(producerId, rtpCapabilities).catch((error: unknown) => {
        // Who stopped speaking meanwhile is left out.
        if (this.speakers.some(speaker => speaker.producerId === producerId)) throw error
        return undefined
      })
      if (offer === undefined) continue
      voice.heard.add(producerId)
      voices.push(offer)
    }
    return { voices }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    clearInterval(this.#rateTimer)
    for (const voice of this.#members.values()) voice.close()
    this.#members.clear()
  }

  #voiceOf(member: VoiceMember): MemberVoice {
    const voice = this.#members.get(member)
    if (voice === undefined) throw new RelayFault('wrong_state', 'the session is closed')
    return voice
  }

  #changing(member: VoiceMember): MemberVoice {
    const voice = this.#voiceOf(member)
    if (!voice.mayChange(this.#scene.clock.now())) throw new RelayFault('rate_limited', 'too many changes of a voice')
    return voice
  }

  #listenTo(room: RoomVoices): void {
    if (this.#rooms.has(room)) return
    this.#rooms.add(room)
    room.onLoud(producerIds => {
      this.#board.loud(producerIds, this.#scene.clock.now())
      this.#tell()
    })
  }

  /** Tells whoever is there, unless it is too soon; then later. */
  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const now = this.#scene.clock.now()
    const { tell, wakeAt } = this.#board.step(now)
    if (tell !== undefined) for (const member of this.#members.keys()) member.notify({ type: 'voicesChanged', speakers: [...tell] })
    if (wakeAt !== undefined && this.#members.size > 0) this.#timer = setTimeout(() => this.#tell(), wakeAt - now + 1)
  }

  /** Cuts off whoever sends more than a voice. */
  async #readRates(): Promise<void> {
    if (this.#board.size === 0) {
      clearInterval(this.#rateTimer)
      this.#rateTimer = undefined
      return
    }
    for (const [{ sessionId }, voice] of this.#members) {
      // A transport that closes meanwhile has nothing to tell.
      const rate = await voice.incomingBitrate().catch(() => 0)
      if (rate <= VOICE_LIMITS.bitsPerSecond) continue
      this.#scene.log.warn({ sessionId, bitsPerSecond: Math.round(rate) }, 'voice cut off: more than a voice came')
      voice.drop('send')
    }
  }
}
