import type { MediaPath, SourceStatus } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { ConnectionState } from '../session/standing-session.ts'
import type { WithheldView } from '../view/expectation.ts'

/** At a glance. */
export const QUALITY_LEVELS = ['good', 'fair', 'poor'] as const
export type QualityLevel = (typeof QUALITY_LEVELS)[number]

/** What it is that makes it bad. Those that explain others come first. */
export const QUALITY_REASONS = [
  'refused',
  'connecting',
  'reconnecting',
  'absent',
  'sourceInterrupted',
  'loss',
  'uplinkNarrow',
  'downlinkNarrow',
  'sourceSlow',
  'stalled',
  'tcp',
  'relay',
  'roundTrip',
  'machineSlow',
  'freezes',
] as const
export type QualityReason = (typeof QUALITY_REASONS)[number]

/** How good the connection is; of several reasons the gravest, and of equally grave ones the one that explains the others. */
export interface Quality {
  readonly level: QualityLevel
  /** Null when it is good. */
  readonly reason: QualityReason | null
  /** The number that belongs to the reason: percent, milliseconds, seconds, frames per second or times; else null. */
  readonly n: number | null
}

/** What is known once a second. */
export interface QualityFacts {
  readonly connection: ConnectionState
  /** Undefined without a microscope. */
  readonly source: SourceStatus | undefined
  /** Since the last new instant while that is too long, else 0. */
  readonly staleSeconds: number
  readonly withheld: readonly Pick<WithheldView, 'cause' | 'shownAs'>[]
  /** Of the last second; 0 to 1. */
  readonly lossRatio: number
  readonly roundTripSeconds: number | null
  readonly mediaPath: MediaPath | null
  /** What a relay adds to the round trip. */
  readonly relayCostMillis: number | null
  /** Since the page was opened. */
  readonly freezes: number
  /** Instants drawn in the last second, and those that the source gives now. */
  readonly drawnFramesPerSecond: number
  readonly expectedFramesPerSecond: number
}

/** Loss that repair hides mostly, and loss that it does not. */
const LOSS = { fair: 0.005, poor: 0.03 } as const
/** There and back: delays of 150 ms and 400 ms one way. @see ITU-T G.114 section 4 */
const ROUND_TRIP_MS = { fair: 300, poor: 800 } as const
const RELAY_COST_MS = 50
/** A picture that stands still for longer is of no use. */
const STALLED_SECONDS = 3
const FREEZES = { fair: 1, poor: 3 } as const
/** A machine that draws less than this part of what comes in is too slow. */
const DRAWN_PART = 0.7
/** Loss is averaged over this, freezes are counted over that, slowness lasts this long before it is told. */
const LOSS_WINDOW = millis(5000)
const FREEZE_WINDOW = millis(10_000)
const SLOW_AFTER = millis(4000)
/** What is measured may be over in a moment: a verdict on it stays so long, to be read. */
const HOLD = millis(3000)
const HELD: ReadonlySet<QualityReason | null> = new Set(['loss', 'uplinkNarrow', 'downlinkNarrow', 'sourceSlow', 'stalled', 'roundTrip', 'machineSlow', 'freezes'])

const GOOD: Quality = { level: 'good', reason: null, n: null }
const rank = ({ level }: Quality): number => QUALITY_LEVELS.indexOf(level)

function graded(reason: QualityReason, value: number, limits: { readonly fair: number; readonly poor: number }, n: number): readonly Quality[] {
  if (value < limits.fair) return []
  return [{ level: value < limits.poor ? 'fair' : 'poor', reason, n }]
}

/** What an earlier second has to do with this one. */
interface Lately {
  readonly lossRatio: number
  readonly freezes: number
  readonly isSlow: boolean
}

function ofSession({ connection }: QualityFacts): readonly Quality[] {
  if (connection === 'joined') return []
  return [{ level: connection === 'connecting' ? 'fair' : 'poor', reason: connection, n: null }]
}

function ofSource({ source }: QualityFacts): readonly Quality[] {
  if (source === undefined) return [{ level: 'fair', reason: 'absent', n: null }]
  if (source.state === 'interrupted') return [{ level: 'poor', reason: 'sourceInterrupted', n: null }]
  return source.state === 'slow' ? [{ level: 'fair', reason: 'sourceSlow', n: source.framesPerSecond }] : []
}

function ofLines({ withheld, mediaPath, relayCostMillis, roundTripSeconds }: QualityFacts, { lossRatio }: Lately): readonly Quality[] {
  const narrow = (['uplink', 'downlink'] as const).flatMap((cause): Quality[] => {
    const tiles = withheld.filter(item => item.cause === cause)
    return tiles.length === 0 ? [] : [{ level: tiles.some(({ shownAs }) => shownAs === 'overview') ? 'poor' : 'fair', reason: `${cause}Narrow`, n: tiles.length }]
  })
  const isTcp = mediaPath !== null && !mediaPath.endsWith('udp')
  return [
    ...graded('loss', lossRatio, LOSS, lossRatio * 100),
    ...narrow,
    ...(isTcp ? [{ level: 'fair', reason: 'tcp', n: null } as const] : []),
    ...(relayCostMillis !== null && relayCostMillis >= RELAY_COST_MS ? [{ level: 'fair', reason: 'relay', n: relayCostMillis } as const] : []),
    ...(roundTripSeconds === null ? [] : graded('roundTrip', roundTripSeconds * 1000, ROUND_TRIP_MS, roundTripSeconds * 1000)),
  ]
}

function ofPicture({ staleSeconds, drawnFramesPerSecond }: QualityFacts, { freezes, isSlow }: Lately): readonly Quality[] {
  return [
    ...(staleSeconds > 0 ? [{ level: staleSeconds < STALLED_SECONDS ? 'fair' : 'poor', reason: 'stalled', n: staleSeconds } as const] : []),
    ...(isSlow ? [{ level: 'fair', reason: 'machineSlow', n: drawnFramesPerSecond } as const] : []),
    ...graded('freezes', freezes, FREEZES, freezes),
  ]
}

/** The gravest; of equals the first in {@link QUALITY_REASONS}. */
function gravest(found: readonly Quality[]): Quality {
  const order = ({ reason }: Quality): number => (reason === null ? QUALITY_REASONS.length : QUALITY_REASONS.indexOf(reason))
  return found.reduce((best, quality) => (rank(quality) > rank(best) || (rank(quality) === rank(best) && order(quality) < order(best)) ? quality : best), GOOD)
}

/** Says how good the connection is, and why it is bad. Does no I/O and reads no clock. */
export class ConnectionQuality {
  /** The last seconds, the newest last. */
  #seconds: { readonly at: Millis; readonly lossRatio: number; readonly freezes: number }[] = []
  #fastAt: Millis | undefined
  #said = GOOD
  #saidAt = millis(0)

  /** Nobody looked, or another publication began: what was says nothing of what will be. */
  restart(): void {
    this.#seconds = []
    this.#fastAt = undefined
  }

  /** @param now - Monotonic; calls are about a second apart. */
  step(facts: QualityFacts, now: Millis): Quality {
    const found = this.#found(facts, this.#lately(facts, now))
    if (rank(found) < rank(this.#said) && HELD.has(this.#said.reason) && now - this.#saidAt < HOLD) return this.#said
    this.#said = found
    this.#saidAt = now
    return found
  }

  /** Where there is no session or no source, nothing else is to blame. */
  #found(facts: QualityFacts, lately: Lately): Quality {
    const session = ofSession(facts)
    if (session.length > 0 || facts.source === undefined) return gravest(session.length > 0 ? session : ofSource(facts))
    return gravest([...ofSource(facts), ...ofLines(facts, lately), ...ofPicture(facts, lately)])
  }

  #lately({ lossRatio, freezes, drawnFramesPerSecond, expectedFramesPerSecond }: QualityFacts, now: Millis): Lately {
    this.#seconds = [...this.#seconds.filter(({ at }) => now - at <= FREEZE_WINDOW), { at: now, lossRatio, freezes }]
    const losses = this.#seconds.filter(({ at }) => now - at < LOSS_WINDOW).map(second => second.lossRatio)
    if (this.#fastAt === undefined || drawnFramesPerSecond >= DRAWN_PART * expectedFramesPerSecond) this.#fastAt = now
    return {
      lossRatio: losses.reduce((sum, ratio) => sum + ratio, 0) / losses.length,
      freezes: freezes - (this.#seconds[0]?.freezes ?? freezes),
      isSlow: now - this.#fastAt >= SLOW_AFTER,
    }
  }
}
