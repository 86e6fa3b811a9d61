#!/usr/bin/env node
/** `node bench/audit/kill-audit.ts --count 1000`: kills a process that records events, again and again, and looks whether anything acknowledged is gone. */
import { spawn } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { AUDIT_KEY_FILE, loadAuditKey } from '../../relay/audit/audit-key.ts'
import { FileAuditLog } from '../../relay/audit/file-audit-log.ts'
import { verifyLog } from '../../relay/audit/verify/verify-log.ts'
import { createLogger } from '../../relay/runtime/log.ts'

/** What many kills did. */
export interface AuditKillOutcome {
  readonly kills: number
  /** Acknowledged events that were looked for. */
  readonly acknowledged: number
  /** Writes that a kill cut in two. */
  readonly torn: number
  /** What was acknowledged and is not there, or what the offline verifier found. */
  readonly lost: readonly string[]
}

/** A log stands over so many kills: every look reads all of it. */
const STANDING_KILLS = 25

/**
 * Kills a victim with SIGKILL at random moments, opens its log after each, and has it verified offline.
 *
 * @param random - From 0 to 1; the moment is after so many of up to 400 acknowledgements, and up to 3 ms.
 */
export async function killAuditRepeatedly(directory: string, count: number, random: () => number, onKill?: (done: number) => void): Promise<AuditKillOutcome> {
  const key = await loadAuditKey(directory)
  const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string
  const lost: string[] = []
  let [acknowledged, torn] = [0, 0]
  let standing = new Map<number, string>()
  for (let kill = 1; kill <= count; kill++) {
    const log = join(directory, `log-${Math.floor((kill - 1) / STANDING_KILLS)}`)
    if ((kill - 1) % STANDING_KILLS === 0) standing = new Map()
    const newest = await runVictim(log, join(directory, AUDIT_KEY_FILE), random)
    acknowledged += newest.size
    for (const [sequence, leaf] of newest) standing.set(sequence, leaf)
    await (await FileAuditLog.open({ directory: log, key, nowMillis: () => Date.now(), log: createLogger({ level: 'silent', program: 'bench' }) }))[Symbol.asyncDispose]()
    lost.push(...verifyLog(log, pem).findings.map(({ file, line, what }) => `kill ${kill}: ${file} ${line ?? ''} ${what}`))
    const leaves = await leavesOf(log)
    for (const [sequence, leaf] of standing) if (leaves[sequence] !== leaf) lost.push(`kill ${kill}: event ${sequence}`)
    if (kill % STANDING_KILLS === 0 || kill === count) {
      torn += (await readdir(log)).filter(name => name.startsWith('torn-')).length
      await rm(log, { recursive: true })
    }
    onKill?.(kill)
  }
  return { kills: count, acknowledged, torn, lost }
}

async function runVictim(log: string, keyFile: string, random: () => number): Promise<Map<number, string>> {
  const victim = spawn(process.execPath, [join(import.meta.dirname, 'audit-victim.ts'), log, keyFile], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(victim, 'exit')
  const said = new Map<number, string>()
  const after = Math.floor(random() * 400)
  let heard = 0
  for await (const line of createInterface(victim.stdout)) {
    if (heard++ === after) setTimeout(() => victim.kill('SIGKILL'), random() * 3)
    const [sequence, leaf = ''] = line.split(' ')
    said.set(Number(sequence), leaf)
  }
  const [code] = (await ended) as [number | null]
  if (code !== null) throw new Error(`the victim ended by itself with ${code}`)
  return said
}

async function leavesOf(log: string): Promise<string[]> {
  const names = (await readdir(log)).filter(name => name.startsWith('audit-')).sort()
  const texts = await Promise.all(names.map(name => readFile(join(log, name), 'utf8')))
  return texts.flatMap(text => [...text.matchAll(/^\{"leaf":"([0-9a-f]{64})"/gm)].map(match => match[1] ?? ''))
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '1000' } } })
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-kill-audit-'))
  try {
    const { kills, acknowledged, torn, lost } = await killAuditRepeatedly(directory, Number(values.count), Math.random, done => done % 100 === 0 && console.log(`${done} kills`))
    console.log(`${kills} kills, ${acknowledged} acknowledged events looked for, ${torn} unfinished writes moved aside, ${lost.length} findings`)
    for (const what of lost) console.log(what)
    process.exitCode = lost.length === 0 ? 0 : 1
  } finally {
    await rm(directory, { recursive: true })
  }
}
