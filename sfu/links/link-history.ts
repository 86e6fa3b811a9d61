import { LinkStandings } from './link-standing.ts'
import type { ClassSnapshot, ClassTotals, Direction, LinkSnapshot, PathSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { LinkName } from '../../relay/wire/link.ts'
import type { LinkStanding } from './link-standing.ts'

/** How far the history goes back, in samples and so in seconds. */
export const HISTORY_LENGTH = 600
/** What comes of live packets is judged over so many readings: one alone makes a verdict flicker. */
const RECENT_READINGS = 10
/** Links beyond these are shown as they are now, without history. */
export const MAX_LINKS_WITH_HISTORY = 32
/** Events of a link that are shown. */
export const MAX_EVENTS_SHOWN = 64
/** More links than these are not shown at all. */
export const MAX_LINKS_SHOWN = 256

/** What is kept of a path once a second: milliseconds, ratios and bits per second; null where it is unknown. */
export const PATH_SERIES = ['roundTrip', 'variationIn', 'variationOut', 'lossIn', 'lossOut', 'throughputIn', 'throughputOut', 'capacity', 'queueing'] as const
/**
 * What is kept of a class: `queueDelay` in milliseconds; `lossAfterRepair` of what this end receives; `repairIn`,
 * `repairOut`: bytes of repair over bytes of payload; `rateIn`, `rateOut`: payload in bits per second.
 */
export const CLASS_SERIES = ['queueDelay', 'lossAfterRepair', 'repairIn', 'repairOut', 'rateIn', 'rateOut'] as const

/** One value of each series. */
export type Sample<Name extends string> = Readonly<Record<Name, number | null>>
/** One sample of a link: its paths by name, its classes by name. */
export interface LinkSample {
  readonly paths: Readonly<Record<string, Sample<(typeof PATH_SERIES)[number]>>>
  readonly classes: Readonly<Record<string, Sample<(typeof CLASS_SERIES)[number]>>>
}

/** The samples of one link, oldest first, by column. */
export interface LinkSeries {
  /** Seconds since the epoch. */
  readonly at: readonly number[]
  readonly paths: Readonly<Record<string, Readonly<Record<(typeof PATH_SERIES)[number], readonly (number | null)[]>>>>
  readonly classes: Readonly<Record<string, Readonly<Record<(typeof CLASS_SERIES)[number], readonly (number | null)[]>>>>
}

/** A link as it is shown: open, or closed less than {@link HISTORY_LENGTH} seconds ago. */
export interface LinkRecord {
  readonly snapshot: LinkSnapshot
  readonly standing: LinkStanding
  readonly isOpen: boolean
  /** When this was true, in milliseconds since the epoch. */
  readonly at: number
  readonly sample: LinkSample
  /** Part of received `live` that repair did not bring back in the last ten seconds. */
  readonly recentLossAfterRepair: number
}

interface Remembered {
  record: LinkRecord
  /** What `live` had received at the last readings of the link as it is open now. */
  readonly live: ClassTotals[]
  /** Undefined for a link beyond {@link MAX_LINKS_WITH_HISTORY}. */
  readonly ring: { readonly at: number; readonly sample: LinkSample }[] | undefined
}

const significant = (value: number): number => Number(value.toPrecision(4))

/** Remembers the last minutes of every link. Reads no clock: the caller says when a reading was made. */
export class LinkHistory {
  readonly #links = new Map<LinkName, Remembered>()
  readonly #standings = new LinkStandings()

  /**
   * Takes in one reading of all links.
   *
   * @param at - Milliseconds since the epoch.
   * @param closed - Links closed since the last reading, as they were at the end.
   */
  step(at: number, snapshots: readonly LinkSnapshot[], closed: readonly LinkSnapshot[] = []): void {
    for (const snapshot of [...closed, ...snapshots]) this.#read(at, snapshot)
    const present = new Set(snapshots.map(({ link }) => link))
    for (const [link, remembered] of this.#links) {
      if (present.has(link)) continue
      if (at - remembered.record.at > HISTORY_LENGTH * 1000) this.#links.delete(link)
      else remembered.record = { ...remembered.record, isOpen: false }
    }
    this.#standings.retain(present)
  }

  /** Every link that is shown, by name. */
  get records(): readonly LinkRecord[] {
    return [...this.#links.values()].map(({ record }) => record).sort((a, b) => (a.snapshot.link < b.snapshot.link ? -1 : 1))
  }

  /** The samples of a link; undefined where none are kept. */
  series(link: LinkName): LinkSeries | undefined {
    const remembered = this.#links.get(link)
    if (remembered?.ring === undefined) return undefined
    const { ring, record } = remembered
    const paths = record.snapshot.paths.map(({ path }) => [path, columns(PATH_SERIES, ring.map(({ sample }) => sample.paths[path]))])
    const classes = record.snapshot.classes.map(it => [it.class, columns(CLASS_SERIES, ring.map(({ sample }) => sample.classes[it.class]))])
    return {
      at: ring.map(({ at }) => at / 1000),
      paths: Object.fromEntries(paths) as LinkSeries['paths'],
      classes: Object.fromEntries(classes) as LinkSeries['classes'],
    }
  }

  #read(at: number, snapshot: LinkSnapshot): void {
    const before = this.#links.get(snapshot.link)
    if (before === undefined && this.#links.size >= MAX_LINKS_SHOWN) return
    const last = before?.record.snapshot.openedAt === snapshot.openedAt ? before.record : undefined
    const elapsedSeconds = (at - (last?.at ?? at)) / 1000
    const sample: LinkSample = {
      paths: Object.fromEntries(snapshot.paths.map(path => [path.path, samplePath(path)])),
      classes: Object.fromEntries(snapshot.classes.map(it => [it.class, sampleClass(it, last?.snapshot.classes.find(was => was.class === it.class), elapsedSeconds)])),
    }
    const live = last === undefined ? [] : (before?.live ?? [])
    const liveNow = snapshot.classes.find(it => it.class === 'live')?.totals.in
    if (liveNow !== undefined) live.push(liveNow)
    if (live.length > RECENT_READINGS + 1) live.shift()
    const record = {
      snapshot: { ...snapshot, events: snapshot.events.slice(-MAX_EVENTS_SHOWN) },
      standing: this.#standings.read(snapshot),
      isOpen: true, at, sample,
      recentLossAfterRepair: lossBetween(live[0], live.at(-1)) ?? 0,
    }
    const ring = before === undefined ? (this.#links.size < MAX_LINKS_WITH_HISTORY ? [] : undefined) : before.ring
    this.#links.set(snapshot.link, { record, live, ring })
    ring?.push({ at, sample })
    if (ring !== undefined && ring.length > HISTORY_LENGTH) ring.shift()
  }
}

function columns<Name extends string>(names: readonly Name[], samples: readonly (Sample<Name> | undefined)[]): Record<Name, (number | null)[]> {
  return Object.fromEntries(names.map(name => [name, samples.map(sample => sample?.[name] ?? null)])) as Record<Name, (number | null)[]>
}

function samplePath({ roundTrip, state, totals, gauges, capacity, queueingDelay }: PathSnapshot): LinkSample['paths'][string] {
  const known = (value: number | undefined, isKnown = true): number | null => (value === undefined || !isKnown ? null : significant(value))
  const isIn = totals.in.packets > 0
  const isOut = totals.out.packets > 0
  return {
    // What was measured before a path fell silent is not true of it while it is.
    roundTrip: known(roundTrip, state === 'up'),
    variationIn: known(gauges.in.delayVariation.p95, isIn && state === 'up'),
    variationOut: known(gauges.out.delayVariation.p95, isOut && state === 'up'),
    lossIn: known(gauges.in.lossRatio, isIn && state === 'up'),
    lossOut: known(gauges.out.lossRatio, isOut && state === 'up'),
    throughputIn: known(gauges.in.throughput),
    throughputOut: known(gauges.out.throughput),
    capacity: known(capacity),
    queueing: known(queueingDelay),
  }
}

function sampleClass(current: ClassSnapshot, before: ClassSnapshot | undefined, elapsedSeconds: number): LinkSample['classes'][string] {
  const repair = (direction: Direction): number | null => {
    const [is, was] = [current.totals[direction], before?.totals[direction]]
    if (was === undefined || is.bytes <= was.bytes) return null
    return significant((is.retransmittedBytes + is.fecBytes - was.retransmittedBytes - was.fecBytes) / (is.bytes - was.bytes))
  }
  const rate = (direction: Direction): number | null => {
    const was = before?.totals[direction].bytes
    return was === undefined || elapsedSeconds <= 0 ? null : significant(((current.totals[direction].bytes - was) * 8) / elapsedSeconds)
  }
  return {
    queueDelay: significant(current.queueDelay), lossAfterRepair: lossBetween(before?.totals.in, current.totals.in),
    repairIn: repair('in'), repairOut: repair('out'), rateIn: rate('in'), rateOut: rate('out'),
  }
}

/** Part of what was expected meanwhile that did not come; null where nothing was, or nothing is known. */
function lossBetween(was: ClassTotals | undefined, is: ClassTotals | undefined): number | null {
  if (was === undefined || is === undefined) return null
  const missed = is.deadlineMisses - was.deadlineMisses
  const expected = missed + is.packets - was.packets
  return expected <= 0 ? null : significant(missed / expected)
}
