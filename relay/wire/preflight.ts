/** The check before the case: what is measured at each end, and what comes of it. `docs/PREFLIGHT.md` has the limits in words. */
import { z } from 'zod'
import { MemberId } from './ids.ts'

/** What every node keeps to. */
export const PREFLIGHT_LIMITS = {
  /** Of one synthetic load. */
  loadBitsPerSecond: { min: 100_000, max: 60_000_000 },
  loadSeconds: { min: 1, max: 20 },
  /** Loads that a node sends at once. */
  loads: 2,
  /** Bytes of one upload that measures the way up. */
  uploadBytes: 4 * 1024 * 1024,
  /** Members of one consultation whose last check is kept. */
  kept: 64,
} as const

/** Who checked: a browser, or the machine at the microscope. */
export const PREFLIGHT_ENDS = ['viewer', 'agent'] as const
export type PreflightEnd = (typeof PREFLIGHT_ENDS)[number]

/** What is checked. `down` and `up` are as the checking end sees them. */
export const PREFLIGHT_CHECKS = [
  'udp', 'tcp', 'relay', 'loss', 'down', 'up', 'roundTrip', 'decoder', 'scaling', 'colour', 'microphone', 'stage', 'nodeDisk', 'ownDisk', 'clock',
] as const
export type PreflightCheck = (typeof PREFLIGHT_CHECKS)[number]

/** The checks of each end, in the order in which they are shown. */
export const CHECKS_OF: Readonly<Record<PreflightEnd, readonly PreflightCheck[]>> = {
  viewer: ['udp', 'tcp', 'relay', 'loss', 'down', 'up', 'roundTrip', 'decoder', 'scaling', 'colour', 'microphone', 'stage', 'nodeDisk', 'clock'],
  agent: ['udp', 'loss', 'up', 'roundTrip', 'nodeDisk', 'ownDisk', 'clock'],
}

/** `unknown`: the check could not be made, and nothing is said of what it would have found. From the best to the worst. */
export const PREFLIGHT_COLOURS = ['green', 'unknown', 'amber', 'red'] as const
export type PreflightColour = (typeof PREFLIGHT_COLOURS)[number]

/** What was found, and with it what to do; the words are in `preflight-words.ts`. */
export const PREFLIGHT_ADVICE = [
  'fine', 'notMade', 'udpBlocked', 'tcpBlocked', 'relayFails', 'noWay', 'lossy', 'narrowDown', 'narrowUp', 'far', 'noDecoder', 'slowDecoder',
  'scaled', 'lowColour', 'narrowGamut', 'noMicrophone', 'microphoneDenied', 'microphoneSilent', 'noStage', 'stageSilent', 'nodeDiskFull', 'ownDiskFull', 'clockOff',
] as const
export type PreflightAdvice = (typeof PREFLIGHT_ADVICE)[number]

/** One check, judged. */
export const PreflightResult = z.strictObject({
  check: z.enum(PREFLIGHT_CHECKS),
  colour: z.enum(PREFLIGHT_COLOURS),
  /** In the check's own unit, see `docs/PREFLIGHT.md`; null where there is none. */
  figure: z.number().min(-1e15).max(1e15).nullable(),
  advice: z.enum(PREFLIGHT_ADVICE),
})
export type PreflightResult = z.infer<typeof PreflightResult>

/** All checks of one end; each once. */
export const PreflightResults = z
  .array(PreflightResult)
  .min(1)
  .max(PREFLIGHT_CHECKS.length)
  .refine(results => new Set(results.map(({ check }) => check)).size === results.length, 'a check is there twice')
export type PreflightResults = z.infer<typeof PreflightResults>

/** The last check of one member, as the node keeps it. */
export const PreflightReport = z.strictObject({
  memberId: MemberId,
  end: z.enum(PREFLIGHT_ENDS),
  /** On the node's clock, in milliseconds since the epoch. */
  takenAtMillis: z.number().min(0).max(8.64e15),
  results: PreflightResults,
})
export type PreflightReport = z.infer<typeof PreflightReport>

/** How much of a load was offered, and how much arrived. */
export interface PreflightLoad {
  readonly offeredBitsPerSecond: number
  readonly arrivedBitsPerSecond: number
}

/** What one end measured. What could not be measured is null. */
export interface PreflightMeasurement {
  /** Whether media reaches the node by UDP, by TCP, over a relay. */
  readonly udp: boolean | null
  readonly tcp: boolean | null
  /** `none`: the node names no relay. */
  readonly relay: boolean | 'none' | null
  /** Packets lost over packets sent, at a rate that every line carries. */
  readonly lossRatio: number | null
  readonly down: PreflightLoad | null
  readonly up: PreflightLoad | null
  readonly roundTripMillis: number | null
  /** Frames per second that as many decoders as a view takes decode together, and that it takes; `none`: the codec is not decoded. */
  readonly decoder: { readonly framesPerSecond: number; readonly wanted: number } | 'none' | null
  readonly devicePixelRatio: number | null
  readonly colour: { readonly bits: number; readonly coversSrgb: boolean } | null
  readonly microphone: 'heard' | 'silent' | 'denied' | 'none' | null
  readonly stage: 'answers' | 'silent' | 'none' | null
  readonly nodeDiskFreeBytes: number | null
  readonly ownDiskFreeBytes: number | null
  /** The node's clock less this one's. */
  readonly clockOffsetMillis: number | null
}

/** Of an end that has measured nothing yet. */
export const NOTHING_MEASURED: PreflightMeasurement = {
  udp: null, tcp: null, relay: null, lossRatio: null, down: null, up: null, roundTripMillis: null, decoder: null, devicePixelRatio: null,
  colour: null, microphone: null, stage: null, nodeDiskFreeBytes: null, ownDiskFreeBytes: null, clockOffsetMillis: null,
}
