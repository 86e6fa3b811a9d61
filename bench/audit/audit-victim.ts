/** A process that records events and says on standard output what was acknowledged, until somebody kills it. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeSync } from 'node:fs'
import { FileAuditLog } from '../../relay/audit/file-audit-log.ts'
import { createLogger } from '../../relay/runtime/log.ts'

/** How many record at a time. */
const RECORDERS = 16
const [directory, keyFile, entries] = process.argv.slice(2)
if (directory === undefined || keyFile === undefined) throw new Error('usage: audit-victim.ts DIRECTORY KEY [ENTRIES-PER-SEGMENT]')
const key = createPrivateKey(readFileSync(keyFile))
const audit = await FileAuditLog.open({
  directory, key, nowMillis: () => Date.now(), log: createLogger({ level: 'silent', program: 'bench' }),
  segment: { entries: Number(entries ?? 500), bytes: 64 * 1024 * 1024 },
})

/** One write to a pipe is whole or not there at all (POSIX, PIPE_BUF), also for a process that is killed. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, line)
      return
    } catch (error) {
      // The pipe is full, and whoever reads it is busy.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}

await Promise.all(Array.from({ length: RECORDERS }, async (_, recorder) => {
  for (let round = 0; ; round++) {
    const { sequence, leaf } = await audit.record({ kind: 'access', atMillis: Date.now(), actor: { memberId: `member-${recorder}`, seat: 'viewer' }, access: 'open_slide', consultationId: `case-${round % 10}`, outcome: 'ok' })
    say(`${sequence} ${leaf}\n`)
  }
}))
