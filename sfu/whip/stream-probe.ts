import { millis } from '../../relay/wire/units.ts'
import { frameSizeIn } from './frame-size.ts'
import type { RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { FrameSize } from './frame-size.ts'

/** What is learnt of a stream from its first frames. */
export interface StreamShape extends FrameSize {
  readonly framesPerSecond: number
}

const CLOCK_RATE = 90_000
/** So many intervals make a frame rate. */
const ENOUGH_INTERVALS = 10
/** After so long what there is has to do. */
const PATIENCE = millis(1500)
/** What a stream is taken for that shows one frame and then none. */
const DEFAULT_RATE = 30
const RATES = { min: 0.1, max: 240 } as const

/** Learns size and frame rate of a stream that nothing else tells of. Reads no clock. */
export class StreamProbe {
  readonly #codec: RenditionCodec
  #size: FrameSize | undefined
  #sizeAt = millis(Infinity)
  #timestamp: number | undefined
  readonly #intervals: number[] = []

  constructor(codec: RenditionCodec) {
    this.#codec = codec
  }

  /**
   * Takes one packet.
   *
   * @param rtpTimestamp - In ticks of 90 kHz.
   */
  take(payload: Uint8Array, rtpTimestamp: number, now: Millis): void {
    const size = frameSizeIn(this.#codec, payload)
    if (size !== undefined && this.#size === undefined) this.#sizeAt = now
    this.#size = size ?? this.#size
    if (this.#size === undefined) return
    const interval = this.#timestamp === undefined ? 0 : (rtpTimestamp - this.#timestamp) >>> 0
    // What was reordered looks like half an eternity.
    if (interval >= 2 ** 31) return
    if (interval > 0 && this.#intervals.length < ENOUGH_INTERVALS) this.#intervals.push(interval)
    this.#timestamp = rtpTimestamp
  }

  /** What is known of the size alone. */
  get size(): FrameSize | undefined {
    return this.#size
  }

  /** What was learnt, once it is enough or was waited for long enough. */
  conclude(now: Millis): StreamShape | undefined {
    if (this.#size === undefined) return undefined
    if (this.#intervals.length < ENOUGH_INTERVALS && now - this.#sizeAt < PATIENCE) return undefined
    const median = this.#intervals.toSorted((a, b) => a - b)[this.#intervals.length >> 1]
    const rate = median === undefined ? DEFAULT_RATE : CLOCK_RATE / median
    return { ...this.#size, framesPerSecond: Math.round(Math.min(RATES.max, Math.max(RATES.min, rate)) * 100) / 100 }
  }
}
