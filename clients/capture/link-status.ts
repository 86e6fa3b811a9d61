import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { inColumns, inMegabits, inMillis, inPercent } from './line-figures.ts'

/** Events that are shown of a link. */
const EVENTS_SHOWN = 5

const known = z.number().nullish()
const bothWays = <Schema extends z.ZodType>(schema: Schema) => z.object({ in: schema, out: schema })

const PathStatus = z.object({
  path: z.string(), state: z.string(), outages: z.number(), roundTrip: known, capacity: known, headroom: known, mtu: z.number(), clockOffset: known,
  gauges: bothWays(z.object({ delayVariation: z.object({ p95: known }), lossRatio: known, throughput: known })),
})
const ClassStatus = z.object({
  class: z.string(), policy: z.string(), path: z.string().nullish(), queueDelay: known, switches: z.number(),
  totals: bothWays(z.object({ deadlineMisses: z.number(), droppedPackets: z.number() })),
})
const ClassSample = z.object({ repairIn: known, repairOut: known, rateIn: known, rateOut: known })
const LinkEventStatus = z.object({ at: z.number(), kind: z.string(), path: z.string().optional(), class: z.string().optional(), evidence: z.record(z.string(), z.union([z.number(), z.string(), z.null()])) })

/** Of what a node answers at `/links.json`, the part that is shown. */
export const LinksStatus = z.object({
  at: z.number(),
  links: z.array(
    z.object({
      isOpen: z.boolean(),
      at: z.number(),
      snapshot: z.object({ link: z.string(), class: z.string(), openedAt: z.number(), paths: z.array(PathStatus), classes: z.array(ClassStatus), events: z.array(LinkEventStatus) }),
      sample: z.object({ classes: z.record(z.string(), ClassSample) }),
    }),
  ),
})
export type LinksStatus = z.infer<typeof LinksStatus>
type LinkStatus = LinksStatus['links'][number]

/** What a node says of its links, and the text that it said it in. @throws {RelayFault} `unavailable`, or `bad_message` for what no node says. */
export async function fetchLinks(origin: string, signal: AbortSignal): Promise<{ readonly status: LinksStatus; readonly text: string }> {
  let text: string
  try {
    const response = await fetch(new URL('/links.json', origin), { signal })
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    text = await response.text()
  } catch (cause) {
    signal.throwIfAborted()
    throw new RelayFault('unavailable', `${origin} does not tell of its links`, { cause })
  }
  try {
    return { status: LinksStatus.parse(JSON.parse(text)), text }
  } catch (cause) {
    throw new RelayFault('bad_message', `${origin} answers something else than links`, { cause })
  }
}

/** Every link as lines for a terminal. */
export function describeLinks({ links }: LinksStatus): string[] {
  if (links.length === 0) return ['No link is open.']
  return links.flatMap((link, index) => [...(index === 0 ? [] : ['']), ...describeLink(link)])
}

function describeLink({ isOpen, at, snapshot, sample }: LinkStatus): string[] {
  const since = isOpen ? `open since ${localTime(snapshot.openedAt)}` : `CLOSED since ${localTime(at)}`
  const paths = snapshot.paths.map(({ path, state, outages, roundTrip, capacity, headroom, mtu, clockOffset, gauges }) => [
    path, state, String(outages), inMillis(roundTrip), pair(gauges, it => inMillis(it.delayVariation.p95)), pair(gauges, it => inPercent(it.lossRatio)),
    pair(gauges, it => inMegabits(it.throughput)), capacity === null || capacity === undefined ? 'not known yet' : inMegabits(capacity), inMegabits(headroom), String(mtu), inMillis(clockOffset),
  ])
  const classes = snapshot.classes.map(({ class: id, policy, path, queueDelay, switches, totals }) => {
    const { rateIn, rateOut, repairIn, repairOut } = sample.classes[id] ?? {}
    return [
      id, policy, path ?? '–', String(switches), `${inMegabits(rateIn)} / ${inMegabits(rateOut)}`, `${inPercent(repairIn)} / ${inPercent(repairOut)}`,
      pair(totals, it => String(it.deadlineMisses)), String(totals.out.droppedPackets), inMillis(queueDelay),
    ]
  })
  const events = snapshot.events.slice(-EVENTS_SHOWN).map(({ at: when, kind, path, class: id, evidence }) => [
    localTime(when), kind, path ?? id ?? '', Object.entries(evidence).map(([key, value]) => `${key}=${typeof value === 'number' ? Number(value.toPrecision(4)) : String(value)}`).join(' '),
  ])
  return [
    `${snapshot.link}  ${snapshot.class}, ${since}`,
    ...inColumns([['path', 'state', 'outages', 'round trip', 'variation p95 in / out', 'loss in / out', 'throughput in / out', 'capacity', 'headroom', 'MTU', 'clock'], ...paths], '  '),
    ...inColumns([['class', 'policy', 'path', 'switches', 'payload in / out', 'repair in / out', 'misses in / out', 'dropped', 'waits'], ...classes], '  '),
    ...(events.length === 0 ? [] : ['  events', ...inColumns(events, '    ')]),
  ]
}

function pair<Side>(sides: { readonly in: Side; readonly out: Side }, format: (side: Side) => string): string {
  return `${format(sides.in)} / ${format(sides.out)}`
}

/** Local date and time, to the second. */
function localTime(at: number): string {
  const time = new Date(at)
  const two = (part: number): string => String(part).padStart(2, '0')
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
}
