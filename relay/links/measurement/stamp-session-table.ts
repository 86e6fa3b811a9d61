import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

/** Why a genuine request is not answered. `overloaded`: too many sources, or too much in all. */
export type AdmissionRefusal = 'rate_limited' | 'overloaded' | 'unsafe_port'

/** What a reflector lets itself be asked for. */
export interface StampSessionLimits {
  /** Of one source address; a fifth of that at once. */
  readonly sourcePacketsPerSecond: number
  /** Of all of them; a fifth of that at once. */
  readonly totalPacketsPerSecond: number
  /** Source addresses remembered at a time. */
  readonly maxSources: number
}

/** Sessions of one source address, by port; the longest unused makes room. */
const MAX_SESSIONS_PER_SOURCE = 16
/** A source that was silent for so long makes room for another one. */
const IDLE_AFTER = millis(60_000)
/** Ports below are servers', which answer: two that answer each other would do so for ever. */
const FIRST_SAFE_PORT = 1024

interface Source {
  readonly allowance: Allowance
  usedAt: Millis
  /** Next sequence number by port, in order of last use. */
  readonly sessions: Map<number, number>
}

/**
 * Decides which requests a Session-Reflector answers and, for a stateful one, counts per session. Full tables refuse
 * newcomers rather than forget who is being served, so a flood from invented addresses disturbs no running session.
 *
 * Does no I/O and reads no clock.
 */
export class StampSessionTable {
  readonly #limits: StampSessionLimits
  readonly #ownPort: number
  readonly #total: Allowance
  /** In order of last use. */
  readonly #sources = new Map<string, Source>()

  /** @param ownPort - Where the reflector listens. What seems to come from another reflector there is not answered. */
  constructor(limits: StampSessionLimits, ownPort: number) {
    this.#limits = limits
    this.#ownPort = ownPort
    this.#total = new Allowance(limits.totalPacketsPerSecond)
  }

  /** Source addresses remembered now. */
  get sources(): number {
    return this.#sources.size
  }

  /**
   * A genuine request came from this address and port.
   *
   * @returns the number that the reply bears in a stateful reflector, or why there is none.
   */
  admit(address: string, port: number, now: Millis): number | AdmissionRefusal {
    if (port < FIRST_SAFE_PORT || port === this.#ownPort) return 'unsafe_port'
    const source = this.#sourceOf(address, now)
    if (source === undefined) return 'overloaded'
    if (!source.allowance.take(now)) return 'rate_limited'
    if (!this.#total.take(now)) return 'overloaded'
    const number = source.sessions.get(port) ?? 0
    source.sessions.delete(port)
    if (source.sessions.size === MAX_SESSIONS_PER_SOURCE) deleteOldest(source.sessions)
    source.sessions.set(port, (number + 1) >>> 0)
    return number
  }

  #sourceOf(address: string, now: Millis): Source | undefined {
    let source = this.#sources.get(address)
    if (source === undefined) {
      if (this.#sources.size >= this.#limits.maxSources && !this.#forgetIdle(now)) return undefined
      source = { allowance: new Allowance(this.#limits.sourcePacketsPerSecond), usedAt: now, sessions: new Map() }
    }
    source.usedAt = now
    this.#sources.delete(address)
    this.#sources.set(address, source)
    return source
  }

  #forgetIdle(now: Millis): boolean {
    for (const [address, { usedAt }] of this.#sources) {
      if (now - usedAt < IDLE_AFTER) return false
      this.#sources.delete(address)
      return true
    }
    return false
  }
}

/** A token bucket that holds a fifth of a second. */
class Allowance {
  readonly #perMilli: number
  readonly #burst: number
  #tokens: number
  #at: Millis | undefined

  constructor(perSecond: number) {
    this.#perMilli = perSecond / 1000
    this.#burst = Math.max(1, perSecond / 5)
    this.#tokens = this.#burst
  }

  take(now: Millis): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - (this.#at ?? now)) * this.#perMilli)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

function deleteOldest(sessions: Map<number, number>): void {
  for (const port of sessions.keys()) {
    sessions.delete(port)
    return
  }
}
