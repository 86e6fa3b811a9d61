import { generateKeyPairSync } from 'node:crypto'
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { createLogger } from '../runtime/log.ts'
import { ConsultationId, MemberId } from '../wire/ids.ts'
import { systemAuditDisk } from './audit-disk.ts'
import { AuditReader } from './audit-reader.ts'
import { FileAuditLog } from './file-audit-log.ts'
import { leafHash, verifyConsistency, verifyInclusion } from './merkle-tree.ts'
import { entryText, isEntryLine, segmentFile } from './log-lines.ts'
import type { Test } from 'tap'
import type { AuditEventInput } from '../wire/audit-event.ts'
import type { AuditDisk, AuditFile } from './audit-disk.ts'
import type { FileAuditLogOptions } from './file-audit-log.ts'

const { privateKey: key } = generateKeyPairSync('ed25519')
const silent = createLogger({ level: 'silent', program: 'test' })

const joinOf = (member: string, consultation = 'case-1', atMillis = 1): AuditEventInput => ({
  kind: 'access', atMillis, actor: { memberId: MemberId.parse(member), seat: 'viewer' }, access: 'join', consultationId: ConsultationId.parse(consultation), outcome: 'ok',
})

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-audit-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

let now = 1000
const openLog = (directory: string, options: Partial<FileAuditLogOptions> = {}): Promise<FileAuditLog> => FileAuditLog.open({ directory, key, nowMillis: () => ++now, log: silent, ...options })
const newest = (directory: string) => new AuditReader(directory).search({ limit: 100 })

t.test('numbers what is recorded, and finds it again after it was closed', async t => {
  const directory = await folder(t)
  {
    await using audit = await openLog(directory)
    const receipts = await Promise.all(['a', 'b', 'c'].map(member => audit.record(joinOf(member))))
    t.same(receipts.map(({ sequence }) => sequence), [1, 2, 3])
    t.equal(audit.head?.size, 4)
  }
  await using audit = await openLog(directory)
  t.equal((await audit.record(joinOf('d'))).sequence, 6)
  const { entries } = await newest(directory)
  t.same(entries.map(({ event }) => (event.kind === 'log' ? event.what : event.actor.memberId)), ['d', 'opened', 'closed', 'c', 'b', 'a', 'opened'])
})

t.test('what is recorded at once shares a write', async t => {
  const directory = await folder(t)
  const commits: number[] = []
  await using audit = await openLog(directory, { observer: { committed: ({ events }) => void commits.push(events.length), refused: () => undefined, queued: () => undefined } })
  await Promise.all(Array.from({ length: 100 }, (_, index) => audit.record(joinOf(`m${index}`))))
  t.same(commits, [1, 100])
})

t.test('lets one writer at a time into its folder', async t => {
  const directory = await folder(t)
  await using audit = await openLog(directory)
  await t.rejects(openLog(directory), { code: 'conflict' })
  await audit.record(joinOf('a'))
})

t.test('refuses what is no event, and writes nothing', async t => {
  const directory = await folder(t)
  await using audit = await openLog(directory)
  await t.rejects(async () => audit.record({ ...joinOf('a'), ...{ name: 'Yamada' } }), { code: 'bad_message' })
  t.equal(audit.head?.size, 1)
})

t.test('goes on in a new segment, and proves across segments', async t => {
  const directory = await folder(t)
  await using audit = await openLog(directory, { segment: { entries: 5, bytes: 1_000_000 } })
  for (let index = 0; index < 22; index++) await audit.record(joinOf(`m${index}`))
  t.same((await readdir(directory)).filter(name => name.startsWith('audit-')).sort(), [0, 1, 2, 3, 4].map(segmentFile))
  const reader = new AuditReader(directory)
  const head = (await reader.head())!
  t.equal(head.size, 23)
  const root = Buffer.from(head.root, 'hex')
  const lines = (await Promise.all([0, 1, 2, 3, 4].map(number => readFile(join(directory, segmentFile(number)), 'utf8')))).join('').split('\n').filter(isEntryLine)
  for (const sequence of [0, 4, 5, 17, 22]) {
    t.ok(verifyInclusion(leafHash(Buffer.from(entryText(lines[sequence]!))), sequence, head.size, await reader.inclusionProof(sequence, head.size), root), `entry ${sequence}`)
  }
  const earlier = JSON.parse((await readFile(join(directory, segmentFile(1)), 'utf8')).trim().split('\n').at(-1)!) as { head: { size: number; root: string } }
  t.ok(verifyConsistency(earlier.head.size, Buffer.from(earlier.head.root, 'hex'), head.size, root, await reader.consistencyProof(earlier.head.size, head.size)), 'an earlier head')
})

t.test('finds by consultation, member, kind and time, page by page', async t => {
  const directory = await folder(t)
  await using audit = await openLog(directory, { segment: { entries: 4, bytes: 1_000_000 } })
  for (let index = 0; index < 12; index++) await audit.record(joinOf(`m${index % 3}`, `case-${index % 2}`, 100 + index))
  const reader = new AuditReader(directory)
  const sequences = async (query: object): Promise<number[]> => (await reader.search({ limit: 100, ...query })).entries.map(({ sequence }) => sequence)
  t.same(await sequences({ consultationId: 'case-1' }), [12, 10, 8, 6, 4, 2])
  t.same(await sequences({ memberId: 'm0', consultationId: 'case-0' }), [7, 1])
  t.same(await sequences({ kind: 'log' }), [0])
  t.same(await sequences({ fromMillis: 103, untilMillis: 106 }), [6, 5, 4])
  const first = await reader.search({ memberId: MemberId.parse('m1'), limit: 2 })
  t.same(first.entries.map(({ sequence }) => sequence), [11, 8])
  const second = await reader.search({ memberId: MemberId.parse('m1'), limit: 2, before: first.next! })
  t.same(second.entries.map(({ sequence }) => sequence), [5, 2])
  t.same(await reader.search({ memberId: MemberId.parse('m1'), limit: 2, before: second.next! }), { entries: [], next: null })
})

t.test('moves an unfinished write aside, wherever it was cut, and keeps what was acknowledged', async t => {
  const directory = await folder(t)
  let kept: number
  {
    await using audit = await openLog(directory)
    await audit.record(joinOf('a'))
    kept = (await readFile(join(directory, segmentFile(0)))).length
    await Promise.all([audit.record(joinOf('b')), audit.record(joinOf('c'))])
  }
  const path = join(directory, segmentFile(0))
  const whole = await readFile(path)
  const unfinished = whole.subarray(kept, whole.indexOf('\n{"leaf"', whole.indexOf('"memberId":"c"')))
  for (let cut = 1; cut < unfinished.length; cut += 7) {
    await rm(directory, { recursive: true })
    {
      await using audit = await openLog(directory)
      await audit.record(joinOf('a'))
    }
    await writeFile(path, Buffer.concat([whole.subarray(0, kept), unfinished.subarray(0, cut)]))
    await using audit = await openLog(directory)
    const { entries } = await newest(directory)
    if (entries[0]?.event.kind !== 'log' || entries[0].event.cutBytes !== cut || entries.length !== 3) t.fail(`cut at ${cut}`)
    const [torn = ''] = (await readdir(directory)).filter(name => name.startsWith('torn-'))
    if (!(await readFile(join(directory, torn))).equals(unfinished.subarray(0, cut))) t.fail(`what was cut at ${cut} is not kept`)
    await audit.record(joinOf('d'))
  }
  t.pass('every seventh byte')
})

t.test('a segment that was only begun is moved aside', async t => {
  const directory = await folder(t)
  {
    await using audit = await openLog(directory, { segment: { entries: 2, bytes: 1_000_000 } })
    for (const member of ['a', 'b', 'c']) await audit.record(joinOf(member))
  }
  const last = join(directory, segmentFile(2))
  await truncate(last, 40)
  await using _audit = await openLog(directory)
  const { entries } = await newest(directory)
  t.same(entries.map(({ sequence }) => sequence), [4, 3, 2, 1, 0])
  t.match(entries[0], { event: { what: 'recovered', cutBytes: 40 } })
})

t.test('does not open over what was altered, its last byte included', async t => {
  const directory = await folder(t)
  {
    await using audit = await openLog(directory)
    await audit.record(joinOf('a'))
  }
  const path = join(directory, segmentFile(0))
  const whole = await readFile(path)
  for (let at = 0; at < whole.length; at++) {
    const altered = Buffer.from(whole)
    altered[at]! ^= 1
    await writeFile(path, altered)
    const code = await openLog(directory).then(async audit => (await audit[Symbol.asyncDispose](), 'ok'), (error: unknown) => (error as { code: string }).code)
    if (code !== 'bad_audit_log') t.fail(`byte ${at}: ${code}`)
    await writeFile(path, whole)
  }
  await appendFile(path, '{"leaf":"\n')
  await t.rejects(openLog(directory), { code: 'bad_audit_log' }, 'a whole line that nobody wrote')
  const other = generateKeyPairSync('ed25519').privateKey
  await writeFile(path, whole)
  await t.rejects(openLog(directory, { key: other }), { code: 'bad_audit_log' }, 'another key')
})

/** A disk that can be full, or fail to make sure. */
class FailingDisk implements AuditDisk {
  mode: 'well' | 'full' | 'unsure' = 'well'

  async create(path: string): Promise<AuditFile> {
    return this.#wrap(await systemAuditDisk.create(path))
  }

  async reopen(path: string): Promise<AuditFile> {
    return this.#wrap(await systemAuditDisk.reopen(path))
  }

  remove(path: string): Promise<void> {
    return systemAuditDisk.remove(path)
  }

  #wrap(file: AuditFile): AuditFile {
    return {
      append: async bytes => {
        if (this.mode !== 'full') return file.append(bytes)
        await file.append(bytes.subarray(0, 100))
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      },
      sync: () => (this.mode === 'unsure' ? Promise.reject(Object.assign(new Error('input/output error'), { code: 'EIO' })) : file.sync()),
      truncate: length => file.truncate(length),
      close: () => file.close(),
    }
  }
}

t.test('a full disk refuses, and when there is room again the log goes on where it was', async t => {
  const directory = await folder(t)
  const disk = new FailingDisk()
  await using audit = await openLog(directory, { disk, segment: { entries: 3, bytes: 1_000_000 } })
  await audit.record(joinOf('a'))
  disk.mode = 'full'
  await t.rejects(audit.record(joinOf('b')), { code: 'not_recorded' })
  disk.mode = 'well'
  t.equal((await audit.record(joinOf('c'))).sequence, 2)
  disk.mode = 'full'
  await t.rejects(audit.record(joinOf('d')), { code: 'not_recorded' }, 'in a new segment too')
  disk.mode = 'well'
  t.equal((await audit.record(joinOf('e'))).sequence, 3)
  t.same((await newest(directory)).entries.map(({ event }) => event.actor.memberId), ['e', 'c', 'a', undefined])
})

t.test('a disk that cannot make sure refuses for good', async t => {
  const directory = await folder(t)
  const disk = new FailingDisk()
  {
    await using audit = await openLog(directory, { disk })
    await audit.record(joinOf('a'))
    disk.mode = 'unsure'
    await t.rejects(audit.record(joinOf('b')), { code: 'not_recorded' })
    disk.mode = 'well'
    await t.rejects(audit.record(joinOf('c')), { code: 'not_recorded' })
  }
  await using audit = await openLog(directory)
  await audit.record(joinOf('d'))
})

t.test('an emergency goes on when it cannot be recorded, says so, and is recorded when it can be', async t => {
  const directory = await folder(t)
  const disk = new FailingDisk()
  const said: string[] = []
  const queued: number[] = []
  const log = createLogger({ level: 'fatal', program: 'test', destination: { write: (line: string) => void said.push(line) } })
  {
    await using audit = await openLog(directory, { disk, log, observer: { committed: () => undefined, refused: () => undefined, queued: events => void queued.push(events) } })
    disk.mode = 'full'
    t.equal(await audit.recordEmergency(joinOf('a')), undefined)
    t.equal(await audit.recordEmergency(joinOf('b')), undefined)
    await t.rejects(audit.record(joinOf('c')), { code: 'not_recorded' })
    t.match(JSON.parse(said[0]!), { event: { actor: { memberId: 'a' } }, msg: /goes on unrecorded/ })
    disk.mode = 'well'
  }
  t.same(queued, [1, 2, 0])
  const { entries } = await newest(directory)
  t.same(entries.map(({ event }) => (event.kind === 'log' ? `${event.what} ${event.events ?? ''}` : event.actor.memberId)), ['closed ', 'queued 2', 'b', 'a', 'opened '])
})

t.test('an action does not wait for ever for a disk that hangs', async t => {
  const directory = await folder(t)
  let release = (): void => undefined
  let isHanging = false
  const hanging: AuditDisk = {
    ...systemAuditDisk,
    create: async path => {
      const file = await systemAuditDisk.create(path)
      return { append: bytes => file.append(bytes), truncate: length => file.truncate(length), close: () => file.close(), sync: async () => {
        if (isHanging) await new Promise<void>(resolve => (release = resolve))
        await file.sync()
      } }
    },
  }
  await using audit = await openLog(directory, { disk: hanging, deadlineMillis: 20 })
  isHanging = true
  await t.rejects(audit.record(joinOf('a')), { code: 'not_recorded' })
  isHanging = false
  release()
})
