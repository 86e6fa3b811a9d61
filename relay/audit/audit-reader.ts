import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RelayFault } from '../wire/fault.ts'
import { entryText, HeadLine, isEntryLine, LogEntry, namedLeaf, segmentFile, SegmentHeader, segmentNumbers } from './log-lines.ts'
import { consistencyProof, inclusionProof, TreeFrontier } from './merkle-tree.ts'
import type { FacilityId, PractitionerId } from '../wire/access.ts'
import type { AuditKind } from '../wire/audit-event.ts'
import type { ConsultationId, MemberId } from '../wire/ids.ts'
import type { SignedHead } from './log-lines.ts'
import type { RangeRoot } from './merkle-tree.ts'

/** What entries are wanted. All that is named has to fit. */
export interface AuditQuery {
  readonly kind?: AuditKind | undefined
  readonly consultationId?: ConsultationId | undefined
  readonly memberId?: MemberId | undefined
  readonly practitionerId?: PractitionerId | undefined
  readonly facilityId?: FacilityId | undefined
  /** When it happened, in milliseconds since the epoch; the second is not included. */
  readonly fromMillis?: number | undefined
  readonly untilMillis?: number | undefined
  /** Only entries before this one. */
  readonly before?: number | undefined
  /** At most so many. */
  readonly limit: number
}

/** Entries, the newest first. */
export interface AuditPage {
  readonly entries: readonly LogEntry[]
  /** `before` of the next page; null when there is none. */
  readonly next: number | null
}

/** Bytes that one page is looked for in; a search without many hits has more pages, some of them empty. */
const MAX_SCANNED_BYTES = 128 * 1024 * 1024

/** Lines of a segment up to its last head, which alone are acknowledged. */
interface ReadSegment {
  readonly firstSequence: number
  readonly lines: readonly string[]
  readonly bytes: number
  readonly head: SignedHead
}

/** Reads a log in a folder, while it is written or afterwards. Trusts the disk: to verify it is `verify/`'s. */
export class AuditReader {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** @throws {RelayFault} `bad_audit_log` when a segment cannot be read. */
  async search(query: AuditQuery): Promise<AuditPage> {
    const { before = Number.MAX_SAFE_INTEGER, limit } = query
    const wanted = matcher(query)
    const entries: LogEntry[] = []
    let scanned = 0
    for (const number of (await this.#segments()).reverse()) {
      const segment = await this.#read(number)
      if (segment === undefined || segment.firstSequence >= before) continue
      scanned += segment.bytes
      for (const [index, line] of [...segment.lines.entries()].reverse()) {
        const sequence = segment.firstSequence + index
        if (sequence >= before || !wanted.mayBe(line)) continue
        const entry = parseEntry(line)
        if (!wanted.is(entry)) continue
        entries.push(entry)
        if (entries.length >= limit) return { entries, next: sequence > 0 ? sequence : null }
      }
      if (scanned >= MAX_SCANNED_BYTES) return { entries, next: segment.firstSequence > 0 ? segment.firstSequence : null }
    }
    return { entries, next: null }
  }

  /** Every entry, the oldest first. @throws {RelayFault} `bad_audit_log`. */
  async *entries(): AsyncGenerator<LogEntry> {
    for (const number of await this.#segments()) yield* ((await this.#read(number))?.lines ?? []).map(parseEntry)
  }

  /** The newest signed head; undefined for an empty log. */
  async head(): Promise<SignedHead | undefined> {
    for (const number of (await this.#segments()).reverse()) {
      const segment = await this.#read(number)
      if (segment !== undefined) return segment.head
    }
    return undefined
  }

  /** Proof that an entry is in the tree of `size`. Reads the whole log. @see RFC 9162 section 2.1.3 */
  async inclusionProof(sequence: number, size: number): Promise<Buffer[]> {
    return inclusionProof(sequence, size, this.#rangeRoot)
  }

  /** Proof that the tree of `earlier` entries is the beginning of the one of `size`. Reads the whole log. @see RFC 9162 section 2.1.4 */
  async consistencyProof(earlier: number, size: number): Promise<Buffer[]> {
    return consistencyProof(earlier, size, this.#rangeRoot)
  }

  readonly #rangeRoot: RangeRoot = async (from, to) => {
    const tree = new TreeFrontier()
    for (const number of await this.#segments()) {
      const segment = await this.#read(number)
      if (segment === undefined || segment.firstSequence >= to) break
      const { firstSequence, lines } = segment
      for (const line of lines.slice(Math.max(0, from - firstSequence), to - firstSequence)) tree.append(Buffer.from(namedLeaf(line), 'hex'))
    }
    return tree.root()
  }

  async #segments(): Promise<number[]> {
    return segmentNumbers(await readdir(this.#directory))
  }

  async #read(number: number): Promise<ReadSegment | undefined> {
    const text = await readFile(join(this.#directory, segmentFile(number)), 'utf8')
    const lines = text.split('\n').slice(0, -1)
    const [first = ''] = lines
    const last = lines.findLastIndex(line => line.startsWith('{"head":'))
    if (last < 0) return undefined
    const header = SegmentHeader.safeParse(parseJson(first)).data?.segment
    const head = HeadLine.safeParse(parseJson(lines[last] ?? '')).data?.head
    if (header === undefined || head === undefined) throw unreadable()
    return { firstSequence: header.firstSequence, lines: lines.slice(1, last).filter(isEntryLine), bytes: text.length, head }
  }
}

const unreadable = (): RelayFault => new RelayFault('bad_audit_log', 'the audit log cannot be read: have it verified')

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The schema refuses it.
    return undefined
  }
}

function parseEntry(line: string): LogEntry {
  const result = LogEntry.safeParse(parseJson(entryText(line)))
  if (!result.success) throw unreadable()
  return result.data
}

function matcher({ kind, consultationId, memberId, practitionerId, facilityId, fromMillis = 0, untilMillis = Infinity }: AuditQuery) {
  const needles = [kind, consultationId, memberId, practitionerId, facilityId].flatMap(value => (value === undefined ? [] : [JSON.stringify(value)]))
  const fits = (wanted: string | undefined, value: string | undefined | null): boolean => wanted === undefined || wanted === value
  return {
    /** Before a line is taken apart. */
    mayBe: (line: string): boolean => needles.every(needle => line.includes(needle)),
    is: ({ event }: LogEntry): boolean =>
      fits(kind, event.kind) &&
      fits(consultationId, 'consultationId' in event ? event.consultationId : undefined) &&
      fits(memberId, event.actor.memberId) &&
      fits(practitionerId, event.actor.practitionerId) &&
      fits(facilityId, event.actor.facilityId) &&
      event.atMillis >= fromMillis && event.atMillis < untilMillis,
  }
}
