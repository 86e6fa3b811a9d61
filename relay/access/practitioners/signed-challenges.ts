import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { RelayFault } from '../../wire/fault.ts'
import { ReplayGuard } from '../grants/proof-of-possession.ts'

const RANDOM_BYTES = 16
const TIME_BYTES = 6
const MAC_BYTES = 32
/** How long somebody may take to find and unlock a key. */
export const CHALLENGE_LIFETIME_MILLIS = 3 * 60_000

/**
 * Challenges that this process can tell to be its own, so that those that are asked for cost no memory; those that were
 * answered are remembered until they end. Does no I/O and reads no clock.
 */
export class SignedChallenges {
  readonly #key = randomBytes(32)
  readonly #answered = new ReplayGuard()

  /** @param about - What it may be used for, and by whom. */
  issue(about: string, nowMillis: number): Uint8Array<ArrayBuffer> {
    const time = Buffer.alloc(TIME_BYTES)
    time.writeUIntBE(Math.round(nowMillis) + CHALLENGE_LIFETIME_MILLIS, 0, TIME_BYTES)
    const head = Buffer.concat([randomBytes(RANDOM_BYTES), time])
    return new Uint8Array(Buffer.concat([head, this.#mac(about, head)]))
  }

  /** Whether it was made for this, and has not run out. @param challenge - Base64url. */
  holds(challenge: string, about: string, nowMillis: number): boolean {
    const bytes = Buffer.from(challenge, 'base64url')
    if (bytes.length !== RANDOM_BYTES + TIME_BYTES + MAC_BYTES) return false
    const head = bytes.subarray(0, RANDOM_BYTES + TIME_BYTES)
    return timingSafeEqual(bytes.subarray(head.length), this.#mac(about, head)) && nowMillis < untilOf(bytes)
  }

  /** Ends one that {@link holds} and was answered well. @throws {RelayFault} `replayed`, `overloaded`. */
  end(challenge: string, nowMillis: number): void {
    const bytes = Buffer.from(challenge, 'base64url')
    if (bytes.length <= RANDOM_BYTES + TIME_BYTES) throw new RelayFault('token_refused', 'this is no challenge of ours')
    this.#answered.take(bytes.toString('base64url'), nowMillis, untilOf(bytes))
  }

  #mac(about: string, head: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(head).update(about).digest()
  }
}

const untilOf = (challenge: Buffer): number => challenge.readUIntBE(RANDOM_BYTES, TIME_BYTES)
