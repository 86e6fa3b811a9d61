import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import { z } from 'zod'
import { AuditEvent } from '../wire/audit-event.ts'
import { Sha256 } from '../wire/ids.ts'
import { leafHash } from './merkle-tree.ts'
import type { KeyObject } from 'node:crypto'
import type { Peak } from './merkle-tree.ts'

/** What the first entry of a log names as the one before it. */
export const NO_ENTRY = Sha256.parse('0'.repeat(64))

const size = z.int().min(0)

/** The first line of a segment: what came before it. */
export const SegmentHeader = z.strictObject({
  segment: z.strictObject({
    version: z.literal(1),
    number: size,
    firstSequence: size,
    /** Leaf of the entry before. */
    previous: Sha256,
    /** Roots of the whole subtrees of the tree before, the largest first. */
    peaks: z.array(z.strictObject({ leaves: z.int().min(1), root: Sha256 })).max(53),
  }),
})
export type SegmentHeader = z.infer<typeof SegmentHeader>['segment']

/** One entry of the log: an event, its number, and the leaf of the entry before. */
export const LogEntry = z.strictObject({ sequence: size, recordedAtMillis: size, previous: Sha256, event: AuditEvent })
export type LogEntry = z.infer<typeof LogEntry>

/** A tree head: that the tree of so many leaves has this root, by the key of that SHA-256 (of its SubjectPublicKeyInfo). */
export const SignedHead = z.strictObject({
  size,
  root: Sha256,
  timestampMillis: size,
  key: Sha256,
  /** Ed25519, in hexadecimal, over `TreeHeadDataV2`. @see RFC 9162 section 4.10 */
  signature: z.string().regex(/^[0-9a-f]{128}$/),
})
export type SignedHead = z.infer<typeof SignedHead>
export const HeadLine = z.strictObject({ head: SignedHead })

const SEGMENT_FILE = /^audit-(\d{6})\.log$/
/** The file of a segment. */
export const segmentFile = (number: number): string => `audit-${String(number).padStart(6, '0')}.log`
/** Numbers of the segments among the names of a folder, rising. */
export const segmentNumbers = (names: readonly string[]): number[] =>
  names.flatMap(name => SEGMENT_FILE.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b)

export const hexPeaks = (peaks: readonly Peak[]): SegmentHeader['peaks'] => peaks.map(({ leaves, root }) => ({ leaves, root: Sha256.parse(root.toString('hex')) }))
export const peaksOf = ({ peaks }: SegmentHeader): Peak[] => peaks.map(({ leaves, root }) => ({ leaves, root: Buffer.from(root, 'hex') }))

/** @returns The line without its end. */
export const headerLine = (segment: SegmentHeader): string => JSON.stringify({ segment })
export const headLine = (head: SignedHead): string => JSON.stringify({ head })

const ENTRY_START = '{"leaf":"'
const ENTRY_MIDDLE = '","entry":'
const ENTRY_OFFSET = ENTRY_START.length + 64 + ENTRY_MIDDLE.length

/** The line of an entry without its end. */
export const lineOf = (text: string, leaf: Buffer): string => `${ENTRY_START}${leaf.toString('hex')}${ENTRY_MIDDLE}${text}}`

/** @returns The line of an entry without its end, and its leaf. */
export function entryLine(entry: LogEntry): { readonly line: string; readonly leaf: Buffer } {
  const text = JSON.stringify(entry)
  const leaf = leafHash(Buffer.from(text))
  return { line: lineOf(text, leaf), leaf }
}

export const isEntryLine = (line: string): boolean => line.startsWith(ENTRY_START)
/** The text that an entry's leaf is of. */
export const entryText = (line: string): string => line.slice(ENTRY_OFFSET, -1)
/** The leaf that an entry's line names. */
export const namedLeaf = (line: string): string => line.slice(ENTRY_START.length, ENTRY_START.length + 64)

/** The bytes that a head's signature is over: `TreeHeadDataV2` without extensions. @see RFC 9162 section 4.10 */
function treeHeadData({ size: treeSize, root, timestampMillis }: Pick<SignedHead, 'size' | 'root' | 'timestampMillis'>): Buffer {
  const data = Buffer.alloc(8 + 8 + 1 + 32 + 2)
  data.writeBigUInt64BE(BigInt(timestampMillis), 0)
  data.writeBigUInt64BE(BigInt(treeSize), 8)
  data.writeUInt8(32, 16)
  Buffer.from(root, 'hex').copy(data, 17)
  return data
}

/** The name of a key: SHA-256 of its public half as SubjectPublicKeyInfo. */
export function keyName(key: KeyObject): Sha256 {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })
  return Sha256.parse(createHash('sha256').update(spki).digest('hex'))
}

/** @param name - {@link keyName} of the key. */
export function signHead(tree: { readonly size: number; readonly root: Buffer; readonly timestampMillis: number }, key: KeyObject, name: Sha256): SignedHead {
  const head = { size: tree.size, root: Sha256.parse(tree.root.toString('hex')), timestampMillis: tree.timestampMillis }
  return { ...head, key: name, signature: sign(null, treeHeadData(head), key).toString('hex') }
}

export const isSignedBy = (head: SignedHead, key: KeyObject, name: Sha256): boolean => head.key === name && verify(null, treeHeadData(head), key, Buffer.from(head.signature, 'hex'))
