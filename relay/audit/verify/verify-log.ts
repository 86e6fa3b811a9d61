/**
 * Verifies an audit log offline. Trusts nothing of whoever wrote it: this file reads and hashes by itself, imports nothing
 * of the project, and takes the public key from the caller. `docs/AUDIT.md` describes the format that it holds files to.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { KeyObject } from 'node:crypto'

/** What is wrong, and where. */
export interface Finding {
  readonly file: string
  /** Number of the event that is not what was written; undefined when it is a head, a header or a whole file. */
  readonly event?: number | undefined
  /** Line of the file, from 1. */
  readonly line?: number | undefined
  readonly what: string
}

/** A head that somebody kept outside of the log. */
export interface KeptHead {
  readonly size: number
  readonly root: string
}

/** What was found. */
export interface Verification {
  readonly events: number
  readonly heads: number
  readonly segments: number
  /** The last head; undefined for an empty log. */
  readonly head: KeptHead & { readonly timestampMillis: number } | undefined
  /** Empty for a log that is what was written. */
  readonly findings: readonly Finding[]
  /** What is no alteration, but worth knowing. */
  readonly remarks: readonly string[]
}

const HASH = /^[0-9a-f]{64}$/
const HEADER = /^\{"segment":\{"version":1,"number":\d+,"firstSequence":(\d+),"previous":"([0-9a-f]{64})","peaks":(\[.*\])\}\}$/
const HEAD = /^\{"head":\{"size":(\d+),"root":"([0-9a-f]{64})","timestampMillis":(\d+),"key":"([0-9a-f]{64})","signature":"([0-9a-f]{128})"\}\}$/
const ENTRY = /^\{"leaf":"([^]{64})","entry":([^]*)\}$/
const SEGMENT = /^audit-(\d{6})\.log$/

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

interface Subtree {
  readonly leaves: number
  readonly root: string
}

const over = (left: string, right: string): string => sha256(Buffer.of(1), Buffer.from(left, 'hex'), Buffer.from(right, 'hex')).toString('hex')

/** The tree so far: whole subtrees, the largest first. @see RFC 9162 section 2.1.1 */
function grown(peaks: readonly Subtree[], leaf: string): Subtree[] {
  const rest = [...peaks]
  let added: Subtree = { leaves: 1, root: leaf }
  while (rest.at(-1)?.leaves === added.leaves) {
    const left = rest.pop() as Subtree
    added = { leaves: left.leaves + added.leaves, root: over(left.root, added.root) }
  }
  return [...rest, added]
}

function rootOf(peaks: readonly Subtree[]): string {
  const roots = peaks.map(({ root }) => root)
  const last = roots.pop()
  return last === undefined ? sha256().toString('hex') : roots.reduceRight((right, left) => over(left, right), last)
}

/** `TreeHeadDataV2` without extensions. @see RFC 9162 section 4.10 */
function signedBytes(size: number, root: string, timestampMillis: number): Buffer {
  const [time, count] = [Buffer.alloc(8), Buffer.alloc(8)]
  time.writeBigUInt64BE(BigInt(timestampMillis))
  count.writeBigUInt64BE(BigInt(size))
  return Buffer.concat([time, count, Buffer.of(32), Buffer.from(root, 'hex'), Buffer.of(0, 0)])
}

/** One run over segments in their order. */
class LogVerifier {
  readonly findings: Finding[] = []
  readonly remarks: string[] = []
  heads = 0
  events = 0
  head: Verification['head']
  readonly #key: KeyObject
  readonly #keyName: string
  readonly #kept: Map<number, string>
  #peaks: Subtree[] = []
  #size = 0
  #previous = '0'.repeat(64)
  #file = ''

  constructor(key: KeyObject, kept: readonly KeptHead[]) {
    this.#key = key
    this.#keyName = sha256(key.export({ type: 'spki', format: 'der' })).toString('hex')
    this.#kept = new Map(kept.map(({ size, root }) => [size, root]))
  }

  /** @param isAlone - Its header is taken at its word, as nothing before it is there to compare. */
  segment(path: string, number: number, isAlone: boolean): void {
    this.#file = basename(path)
    // Latin-1 keeps bytes apart that UTF-8 would replace.
    const lines = readFileSync(path).toString('latin1').split('\n')
    const rest = lines.pop() ?? ''
    const sizeBefore = this.#size
    this.#header(lines[0] ?? '', number, isAlone)
    let unsigned = 0
    for (const [index, line] of lines.entries()) {
      if (index === 0) continue
      if (line.startsWith('{"head":')) {
        this.#head(line, index + 1)
        unsigned = 0
      } else {
        this.#entry(line, index + 1, lines[index + 1] ?? '')
        unsigned++
      }
    }
    if (rest !== '') this.#report('the file does not end with the end of a line: an unfinished write, or its last byte is altered', lines.length + 1, this.#size)
    if (unsigned > 0) this.#report(`${unsigned} events at the end stand under no head`, lines.length, this.#size - unsigned)
    if (this.#size === sizeBefore) this.#report('the segment has no event', lines.length)
  }

  end(): void {
    for (const size of this.#kept.keys()) this.findings.push({ file: this.#file, what: `the log has no more than ${this.#size} events, and a kept head is of ${size}` })
  }

  #header(line: string, number: number, isAlone: boolean): void {
    const match = HEADER.exec(line)
    if (isAlone && match !== null) {
      this.#previous = match[2] as string
      this.#peaks = peaksIn(match[3] as string)
      this.#size = Number(match[1])
    }
    const peaks = this.#peaks.map(({ leaves, root }) => ({ leaves, root }))
    const sum = peaks.reduce((total, { leaves }) => total + leaves, 0)
    const expected = JSON.stringify({ segment: { version: 1, number, firstSequence: this.#size, previous: this.#previous, peaks } })
    if (line !== expected || sum !== this.#size) this.#report('the header of the segment is not what was written', 1)
  }

  #entry(line: string, number: number, next: string): void {
    const sequence = this.#size
    const [, named = '', text = ''] = ENTRY.exec(line) ?? []
    const leaf = sha256(Buffer.of(0), Buffer.from(text, 'latin1')).toString('hex')
    const entry = parsed(text)
    if (!HASH.test(named) || leaf !== named) this.#report('the event is not what was written: its hash differs', number, sequence)
    else if (entry?.['sequence'] !== sequence) this.#report('an event is missing, added or in another place', number, sequence)
    else if (entry['previous'] !== this.#previous) this.#report('the event does not follow on the one before: one of them is not what was written', number, sequence)
    else this.#remark(entry, sequence)
    // One alteration is one finding: whatever stands after it may still be what was written.
    const goesOn = HASH.test(named) && leaf !== named && !this.#follows(next, leaf) ? named : leaf
    this.#peaks = grown(this.#peaks, goesOn)
    this.#previous = goesOn
    this.#size++
    this.events++
    this.#compareKept()
  }

  /** Whether a line was written after an entry of that leaf. */
  #follows(line: string, leaf: string): boolean {
    return line.includes(`"previous":"${leaf}"`) || HEAD.exec(line)?.[2] === rootOf(grown(this.#peaks, leaf))
  }

  #compareKept(): void {
    const root = this.#kept.get(this.#size)
    if (root === undefined) return
    if (root !== rootOf(this.#peaks)) this.#report(`a kept head of ${this.#size} events has another root: the log was written anew`, undefined, this.#size - 1)
    this.#kept.delete(this.#size)
  }

  #head(line: string, number: number): void {
    this.heads++
    const [, size = '', root = '', timestamp = '', key, signature = ''] = HEAD.exec(line) ?? []
    const isSigned = key === this.#keyName && verify(null, signedBytes(Number(size), root, Number(timestamp)), this.#key, Buffer.from(signature, 'hex'))
    if (!isSigned) {
      this.#report(key === undefined ? 'a head is not what was written' : key === this.#keyName ? 'the signature of a head is not valid' : 'a head is of another key', number)
      return
    }
    this.head = { size: Number(size), root, timestampMillis: Number(timestamp) }
    if (Number(size) === this.#size && root === rootOf(this.#peaks)) return
    // Said already, where the event is known.
    if (this.findings.length === 0) this.#report('a head does not fit the events before it', number)
  }

  #remark(entry: Readonly<Record<string, unknown>>, sequence: number): void {
    const event = entry['event'] as { kind?: string; what?: string; cutBytes?: number; events?: number } | undefined
    if (event?.kind !== 'log') return
    if (event.what === 'recovered') this.remarks.push(`event ${sequence}: after a crash ${event.cutBytes ?? 0} bytes of an unfinished write were moved aside`)
    if (event.what === 'queued') this.remarks.push(`event ${sequence}: ${event.events ?? 0} events of emergencies before it were recorded late`)
  }

  #report(what: string, line?: number, event?: number): void {
    this.findings.push({ file: this.#file, what, ...(line === undefined ? {} : { line }), ...(event === undefined ? {} : { event }) })
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    // What is no JSON has no number.
    return undefined
  }
}

function peaksIn(text: string): Subtree[] {
  try {
    const isSubtree = (value: Partial<Subtree> | null): value is Subtree => Number.isSafeInteger(value?.leaves) && HASH.test(value?.root ?? '')
    return (JSON.parse(text) as (Partial<Subtree> | null)[]).filter(isSubtree)
  } catch {
    // The comparison with what is expected reports it.
    return []
  }
}

/**
 * Verifies a folder, or one segment of it; of one alone, what came before is taken at its word.
 *
 * @param publicKeyPem - Of the key that heads are signed with.
 * @param kept - Heads of this log that were kept elsewhere: it must still have them.
 * @throws when the path or the key cannot be read.
 */
export function verifyLog(path: string, publicKeyPem: string, kept: readonly KeptHead[] = []): Verification {
  const run = new LogVerifier(createPublicKey(publicKeyPem), kept)
  const isFolder = statSync(path).isDirectory()
  const names = isFolder ? readdirSync(path).filter(name => SEGMENT.test(name)).sort() : [basename(path)]
  for (const [index, name] of names.entries()) {
    const number = Number(SEGMENT.exec(name)?.[1] ?? index)
    if (isFolder && number !== index) {
      run.findings.push({ file: name, what: `the segment before it is missing` })
      break
    }
    run.segment(isFolder ? join(path, name) : path, number, !isFolder)
  }
  if (isFolder && names.length === 0) run.findings.push({ file: basename(path), what: 'the folder has no segment' })
  run.end()
  const { events, heads, head, findings, remarks } = run
  return { events, heads, segments: names.length, head, findings, remarks }
}
