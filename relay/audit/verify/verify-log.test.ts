import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { createLogger } from '../../runtime/log.ts'
import { FileAuditLog } from '../file-audit-log.ts'
import { verifyLog } from './verify-log.ts'
import type { Test } from 'tap'

const { privateKey: key } = generateKeyPairSync('ed25519')
const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string
const log = createLogger({ level: 'silent', program: 'test' })

/** A log of two events for each of so many writes, and two more, in segments of at least 5. */
async function written(t: Test, writes = 5): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-verify-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await using audit = await FileAuditLog.open({ directory, key, log, nowMillis: () => 1_764_000_000_000, segment: { entries: 5, bytes: 1_000_000 } })
  for (let index = 0; index < writes; index++) {
    await Promise.all([0, 1].map(each => audit.record({ kind: 'access', atMillis: index, actor: { memberId: `m${each}` }, access: 'open_slide', consultationId: `case-${index}`, outcome: 'ok' })))
  }
  return directory
}

t.test('imports nothing of the project', async t => {
  const source = await readFile(new URL('./verify-log.ts', import.meta.url), 'utf8')
  const imports = [...source.matchAll(/(?:from|import)\s*\(?'([^']+)'/g)].map(match => match[1])
  t.ok(imports.length > 0)
  t.same(imports.filter(name => name?.startsWith('node:') !== true), [])
})

t.test('finds a log that was closed to be what was written', async t => {
  const directory = await written(t)
  const { events, segments, findings, head, remarks } = verifyLog(directory, pem)
  t.same({ events, segments, findings, remarks }, { events: 12, segments: 3, findings: [], remarks: [] })
  t.equal(head?.size, 12)
  t.same(verifyLog(join(directory, 'audit-000001.log'), pem).findings, [], 'a segment alone')
})

t.test('names every altered byte: the event, or the head or header that it is in', async t => {
  const directory = await written(t, 3)
  let altered = 0
  for (const name of (await readdir(directory)).filter(each => each.startsWith('audit-')).sort()) {
    const path = join(directory, name)
    const whole = await readFile(path)
    const lines = whole.toString('latin1').split('\n')
    let start = 0
    for (const [index, line] of lines.entries()) {
      const sequence = line.startsWith('{"leaf"') ? (JSON.parse(line) as { entry: { sequence: number } }).entry.sequence : undefined
      // The end of the line is the line's as well.
      for (let at = start; at <= start + line.length && at < whole.length; at++, altered++) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= [1, 32, 128][altered % 3]!
        await writeFile(path, bytes)
        const [first] = verifyLog(directory, pem).findings
        const isEnd = at === start + line.length
        const isNamed = first?.file === name && (sequence === undefined ? first.line === index + 1 || (isEnd && first.line === index + 2) : first.event === sequence)
        if (!isNamed) t.fail(`byte ${at} of ${name}, line ${index + 1}: ${JSON.stringify(first)}`)
      }
      start += line.length + 1
    }
    await writeFile(path, whole)
  }
  t.ok(altered > 3000, `${altered} bytes`)
  t.same(verifyLog(directory, pem).findings, [])
})

t.test('finds an event that was taken away, moved or written anew with a fresh hash', async t => {
  const directory = await written(t)
  const path = join(directory, 'audit-000001.log')
  const lines = (await readFile(path, 'utf8')).split('\n')
  const entries = lines.flatMap((line, index) => (line.startsWith('{"leaf"') ? [index] : []))
  const [first = 0, second = 0] = entries
  const findings = async (changed: readonly string[]) => {
    await writeFile(path, changed.join('\n'))
    return verifyLog(directory, pem).findings
  }
  t.match((await findings(lines.toSpliced(first, 1)))[0], { event: 5 })
  t.match((await findings(lines.toSpliced(first, 2, lines[second]!, lines[first]!)))[0], { event: 5 })
  const { entry } = JSON.parse(lines[first]!) as { entry: { event: { outcome: string } } }
  entry.event.outcome = 'policy_refused'
  const { entryLine } = await import('../log-lines.ts')
  t.match(await findings(lines.with(first, entryLine(entry as never).line)), [{ event: 6, what: /one of them is not what was written/ }])
})

t.test('finds a segment that was taken away, and another key', async t => {
  const directory = await written(t)
  const other = createPublicKey(generateKeyPairSync('ed25519').privateKey).export({ type: 'spki', format: 'pem' }) as string
  t.match(verifyLog(directory, other).findings[0], { what: 'a head is of another key' })
  await rm(join(directory, 'audit-000001.log'))
  t.match(verifyLog(directory, pem).findings, [{ file: 'audit-000002.log' }])
})

t.test('a head that was kept elsewhere shows a log that was cut back, or written anew', async t => {
  const directory = await written(t)
  const { head } = verifyLog(directory, pem)
  t.same(verifyLog(directory, pem, [head!]).findings, [])
  t.match(verifyLog(await written(t), pem, [{ ...head!, root: head!.root.replace(/^../, '00') }]).findings, [{ event: 11 }], 'another root')
  await rm(join(directory, 'audit-000002.log'))
  t.same(verifyLog(directory, pem).findings, [], 'without it nothing is missing')
  t.match(verifyLog(directory, pem, [head!]).findings, [{ what: /no more than 11 events, and a kept head is of 12/ }])
})
