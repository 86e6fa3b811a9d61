import { RelayFault } from '../../relay/wire/fault.ts'
import { VOICE_LIMITS } from '../../relay/wire/signaling.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import type { ProducerId, TransportId } from '../../relay/wire/ids.ts'
import type { VoiceDirection } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { VoiceTransport } from './room-voices.ts'

/** One member's transports for voices, at most one each way, and what goes by them. */
export class MemberVoice {
  /** Its own voice; undefined while it does not speak. */
  producerId: ProducerId | undefined
  /** Voices that the receiving transport carries, or carried. */
  readonly heard = new Set<ProducerId>()
  readonly #transports: Partial<Record<VoiceDirection, VoiceTransport>> = {}
  readonly #opening: TokenBucket
  readonly #changes: TokenBucket

  constructor(now: Millis) {
    this.#opening = new TokenBucket(VOICE_LIMITS.transportsPerSecond, VOICE_LIMITS.transportBurst, now)
    this.#changes = new TokenBucket(VOICE_LIMITS.changesPerSecond, VOICE_LIMITS.changeBurst, now)
  }

  /** Whether it may make one more transport now. */
  mayOpen(now: Millis): boolean {
    return this.#opening.take(now)
  }

  /** Whether it may change something now. */
  mayChange(now: Millis): boolean {
    return this.#changes.take(now)
  }

  /** @throws {RelayFault} `wrong_state` while there is none, or it is closed; `not_found` for another id, or one of the other direction. */
  transport(id: TransportId, direction?: VoiceDirection): VoiceTransport {
    const all = direction === undefined ? Object.values(this.#transports) : [this.#transports[direction]]
    const present = all.filter(transport => transport !== undefined && !transport.isClosed)
    if (present.length === 0) throw new RelayFault('wrong_state', 'create a voice transport first')
    const found = present.find(transport => transport?.id === id)
    if (found === undefined) throw new RelayFault('not_found', 'that voice transport is gone')
    return found
  }

  /** Puts a transport in the place of an earlier one. */
  adopt(direction: VoiceDirection, transport: VoiceTransport): void {
    this.drop(direction)
    this.#transports[direction] = transport
  }

  /** Closes one of the transports. Idempotent. */
  drop(direction: VoiceDirection): void {
    this.#transports[direction]?.close()
    if (direction === 'receive') this.heard.clear()
  }

  /** Passes its voice on, or nothing of it. */
  async setOpen(isOpen: boolean): Promise<void> {
    await this.#transports.send?.setOpen(isOpen)
  }

  /** What comes of its voice, in bits per second. */
  async incomingBitrate(): Promise<number> {
    return (await this.#transports.send?.incomingBitrate()) ?? 0
  }

  /** Idempotent. */
  close(): void {
    this.drop('send')
    this.drop('receive')
  }
}
