#!/usr/bin/env node
/** `node relay/audit/verify/main.ts FOLDER|FILE --key FILE`: verifies an audit log. Needs this folder, Node and nothing else. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { verifyLog } from './verify-log.ts'
import type { Finding, KeptHead } from './verify-log.ts'

const USAGE = 'usage: kenkyo audit verify FOLDER|FILE --key PUBLIC-KEY.pem [--head HEAD.json]…'
/** Findings that are printed: after many the log is another one altogether. */
const MAX_PRINTED = 20

const place = ({ file, line, event }: Finding): string => [file, line === undefined ? '' : ` line ${line}`, event === undefined ? '' : `, event ${event}`].join('')

function keptHead(path: string): KeptHead {
  const { head = {} } = JSON.parse(readFileSync(path, 'utf8')) as { head?: Partial<KeptHead> }
  if (typeof head.size !== 'number' || typeof head.root !== 'string') throw new Error(`${path} is no head`)
  return { size: head.size, root: head.root }
}

/**
 * Runs the command.
 *
 * @param write - Takes lines for a person.
 * @returns The exit code: 0 when everything is what was written, 1 when not, 2 for what cannot be read.
 */
export function verifyCommandLine(args: readonly string[], write: (line: string) => void): number {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: { key: { type: 'string' }, head: { type: 'string', multiple: true } }, allowPositionals: true })
    const [path] = positionals
    if (path === undefined || positionals.length > 1 || values.key === undefined) {
      write(USAGE)
      return 2
    }
    const { findings, remarks, events, heads, segments, head } = verifyLog(path, readFileSync(values.key, 'utf8'), (values.head ?? []).map(keptHead))
    for (const remark of remarks) write(`note: ${remark}`)
    for (const finding of findings.slice(0, MAX_PRINTED)) write(`ALTERED ${place(finding)}: ${finding.what}`)
    if (findings.length > MAX_PRINTED) write(`… and ${findings.length - MAX_PRINTED} more`)
    if (head !== undefined) write(JSON.stringify({ head }))
    write(`${events} events under ${heads} heads in ${segments} segments: ${findings.length === 0 ? 'all as they were written' : `${findings.length} findings`}`)
    return findings.length === 0 ? 0 : 1
  } catch (error) {
    write(`cannot verify: ${error instanceof Error ? error.message : 'unknown'}`)
    return 2
  }
}

if (import.meta.main) process.exitCode = verifyCommandLine(process.argv.slice(2), line => void process.stdout.write(`${line}\n`))
