import { burstLoss } from '../lines/packet-loss.ts'
import { lineProfile } from '../lines/profiles.ts'
import type { AcceptanceLevel, Use } from './acceptance-verdict.ts'
import type { LoadDirection } from './acceptance-measurement.ts'
import type { LineProfile } from '../lines/profiles.ts'

/** A line whose verdict is known before it is measured. */
export interface PlantedLine {
  readonly profile: LineProfile
  /** Of both directions together. */
  readonly expected: Readonly<Record<Use, AcceptanceLevel>>
  /** Where a pyramid is all right in one direction and not in the other: the one that is not. */
  readonly failsOnly?: LoadDirection
  /** The arithmetic that demands it, from the line's own numbers. */
  readonly because: string
}

type Direction = Parameters<typeof lineProfile>[0]

const plant = (name: string, up: Direction, because: string, [pyramid, whole, overview, slides]: readonly [AcceptanceLevel, AcceptanceLevel, AcceptanceLevel, AcceptanceLevel], down = up): PlantedLine => ({
  profile: lineProfile({ name, note: 'Planted: its verdict follows from its numbers.', up, down }),
  expected: { pyramid, whole, overview, slides },
  because,
})

const [GO, LIMITS, NO_GO] = ['go', 'limits', 'no-go'] as const

/**
 * Lines from which arithmetic demands a verdict. What it starts from: the recorded pyramid has 97 Mbit/s and the whole
 * stream 96, with a fifth of headroom 117 and 116; one HD viewport with the overview a quarter of the pyramid, with
 * headroom 29; the overview 6.0. A deadline is four round trips, 60 to 500 ms. Nothing here calls what judges.
 */
export const PLANTED_LINES: readonly PlantedLine[] = [
  plant('building', { delayMillis: 0.25 }, 'Carries 120 Mbit/s, loses nothing, 0.5 ms.', [GO, GO, GO, GO]),
  plant('backbone', { delayMillis: 8, jitterMillis: 0.2, loss: { model: 'uniform', ratio: 0.000_01 } }, 'Loses 1 in 100,000 at 16 ms: three rounds of retransmission leave 1e-20.', [GO, GO, GO, GO]),
  plant('lossy', { delayMillis: 20, loss: { model: 'uniform', ratio: 0.01 } }, '1 % by itself at 40 ms: (160 - 20) / 45 = 3 rounds leave 0.01 x 0.01^3 = 1e-8; costs 1 % of 20 %.', [GO, GO, GO, GO]),
  plant('scattered-loss', { delayMillis: 5, loss: { model: 'uniform', ratio: 0.06 } }, '6 % by itself at 10 ms: (60 - 5) / 15 = 3 rounds leave 0.06 x 0.063^3 = 1.5e-5 < 1e-4; costs 6 % of 20 %.', [GO, GO, GO, GO]),
  plant('burst-loss', { delayMillis: 5, loss: burstLoss({ meanRatio: 0.06, meanBurstPackets: 300 }) },
    'The same 6 % in bursts of 300 packets: 58 ms at 50 Mbit/s, 24 ms at 120; repair covers 60 - 15 - 5 = 40 ms. Exponential bursts have (1 + 40/24) e^(-40/24) = 50 % of their packets in longer ones: 3 % missing > 1 %. Only bursts fail it. Slides are not live: 0.94 x 120 Mbit/s bring 100 of them in 3 h.', [NO_GO, NO_GO, NO_GO, GO]),
  plant('bufferbloat', { delayMillis: 10, rateBitsPerSecond: 60e6, queue: { millis: 400 } },
    'Faultless up to 60 Mbit/s: a viewport with headroom has 29. 80 and more fill a queue of 400 ms, over 200. Only load fails it. Slides: 60 Mbit/s, 5.8 h.', [LIMITS, NO_GO, GO, GO]),
  plant('narrow-60', { delayMillis: 10, rateBitsPerSecond: 60e6, queue: { millis: 30 } }, '60 Mbit/s: over 29, below 96. Slides 5.8 h.', [LIMITS, NO_GO, GO, GO]),
  plant('narrow-35', { delayMillis: 10, rateBitsPerSecond: 35e6, queue: { millis: 50 } }, '35 Mbit/s: over 29, below 96. Slides: 100 x 12 Gbit / 33 Mbit/s = 10 h.', [LIMITS, NO_GO, GO, GO]),
  plant('narrow-16', { delayMillis: 15, rateBitsPerSecond: 16e6, queue: { millis: 80 } }, '16 Mbit/s: over 6.0, below 29. Slides: 22 h, over a night.', [NO_GO, NO_GO, GO, LIMITS]),
  plant('narrow-4', { delayMillis: 15, rateBitsPerSecond: 4e6, queue: { millis: 80 } }, '4 Mbit/s: below 6.0. Slides: 88 h.', [NO_GO, NO_GO, NO_GO, NO_GO]),
  {
    ...plant('narrow-up', { delayMillis: 10, rateBitsPerSecond: 16e6, queue: { millis: 80 } }, '16 Mbit/s up, no limit down: only away from here fails. Slides up: 22 h.', [NO_GO, NO_GO, GO, LIMITS], { delayMillis: 10 }),
    failsOnly: 'out',
  },
  {
    ...plant('bursts-down', { delayMillis: 5 }, 'The bursts of burst-loss, towards here alone.', [NO_GO, NO_GO, NO_GO, GO], { delayMillis: 5, loss: burstLoss({ meanRatio: 0.06, meanBurstPackets: 300 }) }),
    failsOnly: 'in',
  },
  plant('short-queue', { delayMillis: 5, rateBitsPerSecond: 150e6, queue: { millis: 15 } },
    '150 Mbit/s with 15 ms of queue. The largest image of the pyramid at 120 Mbit/s adds 10.5 ms to it, a keyframe of the whole stream at 100, of 2.6 MB in 27 ms of which 0.5 MB pass, 130 ms: most of it overflows. A link would hold it back instead. Only keyframes fail it.', [GO, LIMITS, GO, GO]),
  plant('far', { delayMillis: 150 }, 'Loses nothing; 300 ms, over 150 and below 400: steering is late.', [LIMITS, LIMITS, LIMITS, GO]),
  plant('geostationary', { delayMillis: 275 }, 'Loses nothing; 550 ms, over 400.', [NO_GO, NO_GO, NO_GO, GO]),
  plant('very-lossy', { delayMillis: 30, loss: { model: 'uniform', ratio: 0.12 } },
    '12 % by itself at 60 ms: three rounds leave 0.12 x 0.133^3 = 2.8e-4, parity makes that less than 1e-4; but 12 % and parity of more than 8 % are over a fifth. Slides: 0.88 x 120 Mbit/s, 3.3 h.', [LIMITS, LIMITS, LIMITS, GO]),
  plant('overtaking', { delayMillis: 50, jitterMillis: 40, reorders: true }, 'Delays of 10 to 90 ms, each by itself: packets come up to 80 ms after a later one; a link waits 30.', [LIMITS, LIMITS, LIMITS, GO]),
]
