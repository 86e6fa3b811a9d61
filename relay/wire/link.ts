/**
 * What a link is agreed to be: its class, its paths, and what each class of traffic on it may ask for.
 * Contracts come from configuration today; the registry of the network core will sign the same schema.
 */
import { z } from 'zod'

/** Classes of traffic, the most urgent first. */
export const TRAFFIC_CLASSES = ['live', 'control', 'tiles', 'bulk'] as const
/**
 * `live`: RTP of live tracks, repaired within a deadline. `control`: pointer, stage and demand. `tiles`: what a
 * viewer of a slide waits for. `bulk`: everything that can wait. All but `live` are delivered whole, or not at all.
 */
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number]

/**
 * How a class uses the paths of its link. `single`: the first that lives, and no other while that one lives.
 * `failover`: the best that lives. `hitless`: every packet on two paths, the first copy wins (in the spirit of
 * SMPTE ST 2022-7). `bond`: split over all that live, by what each carries.
 */
export const PATH_POLICIES = ['single', 'failover', 'hitless', 'bond'] as const
export type PathPolicy = (typeof PATH_POLICIES)[number]

/** What kind of line a link runs over. The kinds differ in what {@link LinkContract} says, not in code. */
export const LINK_CLASSES = ['best-effort', 'sinet'] as const
export type LinkClass = (typeof LINK_CLASSES)[number]

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'expected 1 to 32 lower-case letters, digits or "-"')
/** The name of a link, unique at a node. It is a metric label: never a patient's name. */
export const LinkName = name.brand('LinkName')
export type LinkName = z.infer<typeof LinkName>
/** The name of a path, unique in its link. */
export const PathName = name.brand('PathName')
export type PathName = z.infer<typeof PathName>

/** More paths than this no link has. */
export const MAX_PATHS = 4

const rate = z.number().min(100_000).max(10_000_000_000)
const ratio = z.number().min(0).max(1)

/** Differentiated services code points that a class may be marked with. @see RFC 2474, RFC 3246 (EF), RFC 2597 (AF), RFC 8622 (LE) */
export const DSCP = { none: 0, LE: 1, AF21: 18, AF41: 34, EF: 46 } as const
export type Dscp = keyof typeof DSCP

/** What one class of traffic may ask of a link. */
export const TrafficContract = z.strictObject({
  policy: z.enum(PATH_POLICIES),
  /** The part of each path's rate that it gets whatever else wants to be sent. */
  guaranteedShare: ratio,
  /** It waits no longer than this for its turn: then live packets are dropped and counted, others counted. */
  queueDelayMillis: z.number().min(1).max(60_000),
  /** Of `live` alone: from sending to the last moment at which a packet is of use; without it 4 round trips. The other classes are of use for ever. */
  deadlineMillis: z.number().min(10).max(10_000).optional(),
  dscp: z.enum(['none', 'LE', 'AF21', 'AF41', 'EF']),
})
export type TrafficContract = z.infer<typeof TrafficContract>

/** What is promised of a link; what is measured worse is a breach. */
export const LinkPromise = z.strictObject({
  /** Of IP packets, from the agent or node that opens the link. */
  upBitsPerSecond: rate.optional(),
  downBitsPerSecond: rate.optional(),
  roundTripMillis: z.number().min(0).max(10_000).optional(),
  /** Before repair. */
  lossRatio: ratio.optional(),
  /** Part of the time in which a path lives. */
  availability: ratio.optional(),
})
export type LinkPromise = z.infer<typeof LinkPromise>

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected HH:MM')

/** One route of a link. */
export const PathContract = z.strictObject({
  name: PathName,
  /** Address of this end's interface; without it the system chooses. */
  localAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
  /** Address of the far end for this route; without it the one it names itself. */
  remoteHost: z.string().min(1).max(253).optional(),
  /** What the path is known to carry from the end that opens the link, in bits per second of IP packets; without it, that is found out, as the other direction always is. */
  rateBitsPerSecond: rate.optional(),
})
export type PathContract = z.infer<typeof PathContract>

/** A link and what was agreed on it. */
export const LinkContract = z.strictObject({
  name: LinkName,
  class: z.enum(LINK_CLASSES),
  promise: LinkPromise,
  /** What a gigabyte costs, for whoever chooses; `currency` is ISO 4217. */
  price: z.strictObject({ perGigabyte: z.number().min(0), currency: z.string().regex(/^[A-Z]{3}$/) }).optional(),
  traffic: z.strictObject({ live: TrafficContract, control: TrafficContract, tiles: TrafficContract, bulk: TrafficContract }),
  /** Where two paths live, what is under the pointer leaves on both, whatever the policy of `live`. */
  isPointerDoubled: z.boolean(),
  /** Classes that may use it at all. */
  allowedClasses: z.array(z.enum(TRAFFIC_CLASSES)).min(1),
  /** `bulk` flows between these local times only; without it always. May pass midnight. */
  bulkHours: z.strictObject({ from: timeOfDay, to: timeOfDay }).optional(),
  paths: z.array(PathContract).min(1).max(MAX_PATHS),
})
export type LinkContract = z.infer<typeof LinkContract>

/** Whether two of these paths have the same name. */
export const sharesPathName = (paths: readonly PathContract[]): boolean => new Set(paths.map(path => path.name)).size !== paths.length

/** What cannot be read off the schema; one sentence each. */
export function contractContradictions(contract: LinkContract): string[] {
  const mistakes: string[] = []
  if (sharesPathName(contract.paths)) mistakes.push(`link ${contract.name}: two paths share a name`)
  const shares = contract.allowedClasses.reduce((sum, id) => sum + contract.traffic[id].guaranteedShare, 0)
  if (shares > 1) mistakes.push(`link ${contract.name}: the guaranteed shares add up to more than 1`)
  for (const id of TRAFFIC_CLASSES) {
    // A message that missed a packet would hold up all that follow it.
    if (id !== 'live' && contract.traffic[id].deadlineMillis !== undefined) mistakes.push(`link ${contract.name}: ${id} has no deadline, only live has`)
  }
  return mistakes
}
