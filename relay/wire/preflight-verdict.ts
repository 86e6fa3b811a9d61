import { CHECKS_OF, PREFLIGHT_COLOURS } from './preflight.ts'
import type { PreflightAdvice, PreflightCheck, PreflightColour, PreflightEnd, PreflightLoad, PreflightMeasurement, PreflightResult } from './preflight.ts'

/** From where on a figure is amber, and red. Greater is worse. */
interface Limits {
  readonly amber: number
  readonly red: number
}

/** Repair makes up for the first; beyond the second a picture freezes now and then. */
const LOSS: Limits = { amber: 0.005, red: 0.02 }
/** Part of a load that does not arrive. */
const SHORTFALL: Limits = { amber: 0.05, red: 0.5 }
/** For steering. @see ITU-T G.114: 150 and 400 ms one way of speech */
const ROUND_TRIP_MILLIS: Limits = { amber: 150, red: 400 }
/** Part of the frames that are not decoded in time. */
const UNDECODED: Limits = { amber: 0.01, red: 0.5 }
/** Stamps of stills and annotations are compared by people: to the second. */
const CLOCK_MILLIS: Limits = { amber: 500, red: 5000 }
/** One hour of an 8K pyramid at 87 Mbit/s is 39 GB, a still twice 50 MB. */
const DISK_BYTES = { amber: 50e9, red: 5e9 } as const
/** What a screen shows of eight bits a channel. */
const COLOUR_BITS = 24

type Judged = Omit<PreflightResult, 'check'>

const UNKNOWN: Judged = { colour: 'unknown', figure: null, advice: 'notMade' }

const judged = (colour: PreflightColour, figure: number | null, advice: PreflightAdvice): Judged => ({ colour, figure, advice: colour === 'green' ? 'fine' : advice })

const colourOf = (value: number, { amber, red }: Limits): PreflightColour => (value > red ? 'red' : value > amber ? 'amber' : 'green')

/** A number that is no number is a check that was not made. */
const known = <Value>(value: Value | null, judge: (value: Value) => Judged): Judged =>
  value === null || (typeof value === 'number' && !Number.isFinite(value)) ? UNKNOWN : judge(value)

function judgeWay(own: boolean | null, isOther: boolean, advice: PreflightAdvice): Judged {
  return known(own, isOpen => (isOpen ? judged('green', null, 'fine') : judged(isOther ? 'amber' : 'red', null, isOther ? advice : 'noWay')))
}

const judgeLoad = (load: PreflightLoad | null, advice: PreflightAdvice): Judged =>
  known(load, ({ offeredBitsPerSecond, arrivedBitsPerSecond }) =>
    known(offeredBitsPerSecond > 0 ? 1 - arrivedBitsPerSecond / offeredBitsPerSecond : null, missing => judged(colourOf(missing, SHORTFALL), arrivedBitsPerSecond / 1e6, advice)),
  )

const judgeDisk = (freeBytes: number | null, advice: PreflightAdvice): Judged =>
  known(freeBytes, free => judged(free < DISK_BYTES.red ? 'red' : free < DISK_BYTES.amber ? 'amber' : 'green', free / 1e9, advice))

function judgeDecoder(decoder: PreflightMeasurement['decoder']): Judged {
  if (decoder === 'none') return judged('red', 0, 'noDecoder')
  return known(decoder, ({ framesPerSecond, wanted }) => known(wanted > 0 ? 1 - framesPerSecond / wanted : null, missing => judged(colourOf(missing, UNDECODED), framesPerSecond, 'slowDecoder')))
}

const MICROPHONE: Readonly<Record<NonNullable<PreflightMeasurement['microphone']>, Judged>> = {
  heard: judged('green', null, 'fine'),
  silent: judged('amber', null, 'microphoneSilent'),
  denied: judged('red', null, 'microphoneDenied'),
  none: judged('red', null, 'noMicrophone'),
}

const STAGE: Readonly<Record<NonNullable<PreflightMeasurement['stage']>, Judged>> = {
  answers: judged('green', null, 'fine'),
  silent: judged('red', null, 'stageSilent'),
  none: { colour: 'unknown', figure: null, advice: 'noStage' },
}

const JUDGES: Readonly<Record<PreflightCheck, (measured: PreflightMeasurement) => Judged>> = {
  udp: ({ udp, tcp, relay }) => judgeWay(udp, tcp === true || relay === true, 'udpBlocked'),
  tcp: ({ udp, tcp, relay }) => judgeWay(tcp, udp === true || relay === true, 'tcpBlocked'),
  relay: ({ udp, tcp, relay }) => judgeWay(relay === 'none' ? null : relay, udp === true || tcp === true, 'relayFails'),
  loss: ({ lossRatio }) => known(lossRatio, ratio => judged(colourOf(ratio, LOSS), 100 * ratio, 'lossy')),
  down: ({ down }) => judgeLoad(down, 'narrowDown'),
  up: ({ up }) => judgeLoad(up, 'narrowUp'),
  roundTrip: ({ roundTripMillis }) => known(roundTripMillis, millis => judged(colourOf(millis, ROUND_TRIP_MILLIS), millis, 'far')),
  decoder: ({ decoder }) => judgeDecoder(decoder),
  scaling: ({ devicePixelRatio }) => known(devicePixelRatio, ratio => judged(ratio === 1 ? 'green' : 'amber', 100 * ratio, 'scaled')),
  colour: ({ colour }) => known(colour, ({ bits, coversSrgb }) => (bits < COLOUR_BITS ? judged('red', bits, 'lowColour') : judged(coversSrgb ? 'green' : 'amber', bits, 'narrowGamut'))),
  microphone: ({ microphone }) => known(microphone, state => MICROPHONE[state]),
  stage: ({ stage }) => known(stage, state => STAGE[state]),
  nodeDisk: ({ nodeDiskFreeBytes }) => judgeDisk(nodeDiskFreeBytes, 'nodeDiskFull'),
  ownDisk: ({ ownDiskFreeBytes }) => judgeDisk(ownDiskFreeBytes, 'ownDiskFull'),
  clock: ({ clockOffsetMillis }) => known(clockOffsetMillis, offset => judged(colourOf(Math.abs(offset), CLOCK_MILLIS), offset / 1000, 'clockOff')),
}

/**
 * Judges what one end measured: one result for each of its checks, in their order. What was not measured is
 * `unknown`, never green. A relay is left out where the node names none.
 */
export function judgePreflight(end: PreflightEnd, measured: PreflightMeasurement): PreflightResult[] {
  return CHECKS_OF[end].filter(check => check !== 'relay' || measured.relay !== 'none').map(check => ({ check, ...JUDGES[check](measured) }))
}

/** The worst of all: what a list of members shows. */
export function worstColour(results: readonly Pick<PreflightResult, 'colour'>[]): PreflightColour {
  return PREFLIGHT_COLOURS.findLast(colour => results.some(result => result.colour === colour)) ?? 'unknown'
}
