import { createPublicKey } from 'node:crypto'
import { RelayFault } from '../wire/fault.ts'
import { entryText, headerLine, HeadLine, headLine, isEntryLine, isSignedBy, keyName, lineOf, LogEntry, namedLeaf, peaksOf, SegmentHeader } from './log-lines.ts'
import { leafHash, TreeFrontier } from './merkle-tree.ts'
import type { KeyObject } from 'node:crypto'
import type { Sha256 } from '../wire/ids.ts'
import type { SegmentHeader as Header, SignedHead } from './log-lines.ts'

/** Where a segment goes on. */
export interface RecoveredSegment {
  readonly header: Header
  /** The tree of its last head. */
  readonly tree: TreeFrontier
  /** Leaf of the last entry under that head. */
  readonly previous: Sha256
  readonly head: SignedHead
  /** Bytes up to the end of the last head: everything that was ever acknowledged. What follows is an unfinished write. */
  readonly length: number
}

/** A head with something else at its end than the end of a line. */
const ALTERED_END = /^\{"head":\{.*\}\}[^]/

const damaged = (at: number): RelayFault => new RelayFault('bad_audit_log', `the audit log is not what was written, from event ${at} on: have it verified`)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Reads a segment up to its last head.
 *
 * @returns Undefined for one that no head was ever written to.
 * @throws {RelayFault} `bad_audit_log` when what stands under a head is not what was written.
 */
export function recoverSegment(bytes: Buffer, key: KeyObject): RecoveredSegment | undefined {
  const publicKey = createPublicKey(key)
  const name = keyName(key)
  let start = 0
  const nextLine = (): string | undefined => {
    const end = bytes.indexOf(0x0a, start)
    if (end < 0) return undefined
    const line = bytes.toString('utf8', start, end)
    start = end + 1
    return line
  }
  const first = nextLine()
  if (first === undefined) return undefined
  const parsed = SegmentHeader.safeParse(parseJson(first))
  if (!parsed.success) throw damaged(0)
  const header = parsed.data.segment
  const tree = new TreeFrontier(peaksOf(header))
  if (headerLine(header) !== first || header.firstSequence !== tree.size) throw damaged(0)
  let { previous } = header
  let good: RecoveredSegment | undefined
  for (let line = nextLine(); line !== undefined; line = nextLine()) {
    const head = isEntryLine(line) ? undefined : HeadLine.safeParse(parseJson(line)).data?.head
    if (head !== undefined) {
      if (headLine(head) !== line || head.size !== tree.size || head.root !== tree.root().toString('hex') || !isSignedBy(head, publicKey, name)) throw damaged(good?.tree.size ?? header.firstSequence)
      good = { header, tree: tree.copy(), previous, head, length: start }
      continue
    }
    const leaf = leafHash(Buffer.from(entryText(line)))
    const entry = LogEntry.safeParse(parseJson(entryText(line))).data
    // What a crash leaves of a write is its beginning: whole lines are as they were written.
    if (entry?.sequence !== tree.size || entry.previous !== previous || line !== lineOf(entryText(line), leaf)) throw damaged(tree.size)
    tree.append(leaf)
    previous = namedLeaf(line) as Sha256
  }
  if (ALTERED_END.test(bytes.toString('latin1', start))) throw damaged(tree.size)
  return good
}
