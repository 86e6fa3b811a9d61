import { createHash } from 'node:crypto'
import { Sha256 } from '../../wire/ids.ts'
import type { Hash } from 'node:crypto'
import type { DigestedWindow } from '../../wire/signaling.ts'
import type { RenditionId } from '../../wire/ids.ts'

/** RTP timestamps of one minute. @see RFC 6184 section 8.2.1 */
const WINDOW_TICKS = 60 * 90_000
/** Windows until the timestamp begins anew; the last one is shorter. */
const WINDOWS = Math.ceil(2 ** 32 / WINDOW_TICKS)
/** So much later the other renditions of a minute are taken to have ended as well. */
const LAG_TICKS = 5 * 90_000
const TIMESTAMP_OFFSET = 4
/** More that nobody takes are not kept. */
const MAX_DONE = 1024

interface OpenWindow {
  readonly window: number
  readonly hash: Hash
  packets: number
  bytes: number
}

/** Whether a timestamp is later than another. @see RFC 3550 section 5.1, RFC 1982 */
const isLater = (one: number, other: number): boolean => ((one - other) >>> 0) < 2 ** 31 && one !== other

/**
 * Digests what an end of a link sends, or receives, of each rendition: SHA-256 over its RTP packets in their order, for
 * each minute of the RTP clock. Both ends cut at the same packets, so that equal digests say that every byte came.
 */
export class MediaDigests {
  readonly #open = new Map<RenditionId, OpenWindow>()
  #done: DigestedWindow[] = []
  #latest: number | undefined

  /** Takes one packet of a rendition, header and payload, in the order of its flow. */
  take(renditionId: RenditionId, packet: Buffer): void {
    const timestamp = packet.readUInt32BE(TIMESTAMP_OFFSET)
    const window = Math.floor(timestamp / WINDOW_TICKS)
    if (this.#latest === undefined || isLater(timestamp, this.#latest)) this.#latest = timestamp
    const open = this.#open.get(renditionId)
    if (open?.window === window) {
      add(open, packet)
      return
    }
    if (open !== undefined) this.#close(renditionId, open)
    const begun = { window, hash: createHash('sha256'), packets: 0, bytes: 0 }
    add(begun, packet)
    this.#open.set(renditionId, begun)
  }

  /** Minutes that have ended since the last call. */
  takeDone(): DigestedWindow[] {
    const latest = this.#latest
    if (latest !== undefined) {
      const ended = Math.floor(((latest - LAG_TICKS) >>> 0) / WINDOW_TICKS)
      for (const [renditionId, open] of this.#open) if ((ended - open.window + WINDOWS) % WINDOWS > 0 && open.window !== Math.floor(latest / WINDOW_TICKS)) this.#close(renditionId, open)
    }
    const done = this.#done
    this.#done = []
    return done
  }

  #close(renditionId: RenditionId, { window, hash, packets, bytes }: OpenWindow): void {
    this.#open.delete(renditionId)
    if (this.#done.length < MAX_DONE) this.#done.push({ renditionId, window, packets, bytes, sha256: Sha256.parse(hash.digest('hex')) })
  }
}

function add(open: OpenWindow, packet: Buffer): void {
  open.hash.update(packet)
  open.packets++
  open.bytes += packet.length
}
