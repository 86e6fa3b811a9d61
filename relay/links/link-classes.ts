import { z } from 'zod'
import { LinkContract, PathName, TRAFFIC_CLASSES, TrafficContract } from '../wire/link.ts'
import type { LinkClass, TrafficClass } from '../wire/link.ts'

type Traffic = Readonly<Record<TrafficClass, TrafficContract>>

/**
 * What each class of traffic gets on a best-effort line: live first, and of two paths the one that lives; pointer and
 * stage on both, since they are small and nobody wants to wait for them; bulk on whatever is left of all.
 */
const BEST_EFFORT_TRAFFIC: Traffic = {
  live: { policy: 'failover', guaranteedShare: 0.6, queueDelayMillis: 200, dscp: 'none' },
  control: { policy: 'hitless', guaranteedShare: 0.05, queueDelayMillis: 50, dscp: 'none' },
  tiles: { policy: 'bond', guaranteedShare: 0.1, queueDelayMillis: 500, dscp: 'none' },
  bulk: { policy: 'bond', guaranteedShare: 0.02, queueDelayMillis: 60_000, dscp: 'none' },
}

/** A research network honours marks, and has room: bulk is marked as lower effort, so that it harms nobody there. @see RFC 8622 */
const SINET_TRAFFIC: Traffic = {
  live: { ...BEST_EFFORT_TRAFFIC.live, dscp: 'EF' },
  control: { ...BEST_EFFORT_TRAFFIC.control, dscp: 'EF' },
  tiles: { ...BEST_EFFORT_TRAFFIC.tiles, dscp: 'AF41' },
  bulk: { ...BEST_EFFORT_TRAFFIC.bulk, dscp: 'LE' },
}

/** What is written down of a link: only what differs from its class. */
export const LinkContractInput = LinkContract.extend({
  promise: LinkContract.shape.promise.optional(),
  traffic: z.partialRecord(z.enum(TRAFFIC_CLASSES), TrafficContract.partial()).optional(),
  allowedClasses: LinkContract.shape.allowedClasses.optional(),
  isPointerDoubled: LinkContract.shape.isPointerDoubled.optional(),
  /** Without any, one path over whatever interface the system chooses. */
  paths: LinkContract.shape.paths.optional(),
})
export type LinkContractInput = z.infer<typeof LinkContractInput>

/** What a link of each class is, unless its contract says otherwise. The classes differ in these numbers and in nothing else. */
export const LINK_CLASS_DEFAULTS: Readonly<Record<LinkClass, Pick<LinkContract, 'promise' | 'traffic' | 'allowedClasses'>>> = {
  // Nothing is promised: what is measured is what there is.
  'best-effort': { promise: {}, traffic: BEST_EFFORT_TRAFFIC, allowedClasses: ['live', 'control', 'tiles', 'bulk'] },
  sinet: { promise: { roundTripMillis: 40, lossRatio: 0.001, availability: 0.999 }, traffic: SINET_TRAFFIC, allowedClasses: ['live', 'control', 'tiles', 'bulk'] },
}

/** Fills in what the class of a link says. */
export function completeContract(input: LinkContractInput): LinkContract {
  const { promise, traffic = {}, allowedClasses, isPointerDoubled = true, paths = [{ name: PathName.parse('main') }], ...rest } = input
  const defaults = LINK_CLASS_DEFAULTS[input.class]
  const filled = (id: TrafficClass): unknown => ({ ...defaults.traffic[id], ...traffic[id] })
  return LinkContract.parse({
    ...rest,
    paths,
    isPointerDoubled,
    promise: promise ?? defaults.promise,
    allowedClasses: allowedClasses ?? defaults.allowedClasses,
    traffic: Object.fromEntries(TRAFFIC_CLASSES.map(id => [id, filled(id)])),
  })
}
