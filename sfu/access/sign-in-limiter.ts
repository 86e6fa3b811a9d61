import { LRUCache } from 'lru-cache'
import ipaddr from 'ipaddr.js'
import { RelayFault } from '../../relay/wire/fault.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Addresses that are remembered; who comes back after that many others starts anew. */
const MAX_ADDRESSES = 16_384

/** How often it may be tried to sign in. */
export interface SignInRates {
  /** From one IPv4 address, or one IPv6 network of 64 bits: a hospital may have but one. */
  readonly perAddress: { readonly perSecond: number; readonly burst: number }
  /** From everywhere together. */
  readonly overall: { readonly perSecond: number; readonly burst: number }
}

/** What a person at a keyboard never reaches. Each try is two requests, at the most. */
export const SIGN_IN_RATES: SignInRates = { perAddress: { perSecond: 2, burst: 20 }, overall: { perSecond: 50, burst: 200 } }

/** Refuses those who try to sign in too often. Does no I/O and reads no clock. */
export class SignInLimiter {
  readonly #rates: SignInRates
  readonly #addresses = new LRUCache<string, TokenBucket>({ max: MAX_ADDRESSES })
  readonly #overall: TokenBucket

  constructor(now: Millis, rates: SignInRates = SIGN_IN_RATES) {
    this.#rates = rates
    this.#overall = new TokenBucket(rates.overall.perSecond, rates.overall.burst, now)
  }

  /** @throws {RelayFault} `rate_limited`. */
  take(address: string | undefined, now: Millis): void {
    const { perSecond, burst } = this.#rates.perAddress
    const network = networkOf(address)
    const own = this.#addresses.get(network) ?? new TokenBucket(perSecond, burst, now)
    this.#addresses.set(network, own)
    // An address that asks too often uses up nothing of what the others share.
    if (!own.take(now) || !this.#overall.take(now)) throw new RelayFault('rate_limited', 'too many sign-ins')
  }
}

function networkOf(address = '0.0.0.0'): string {
  const parsed = ipaddr.parse(address.split('%', 1)[0] ?? address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  const bytes = parsed.toByteArray()
  const isMapped = bytes.slice(0, 10).every(byte => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return isMapped ? bytes.slice(12).join('.') : Buffer.from(bytes.slice(0, 8)).toString('hex')
}
