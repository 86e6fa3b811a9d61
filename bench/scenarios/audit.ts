import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadAuditKey } from '../../relay/audit/audit-key.ts'
import { FileAuditLog } from '../../relay/audit/file-audit-log.ts'
import { verifyLog } from '../../relay/audit/verify/verify-log.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { createPublicKey } from 'node:crypto'
import { FigureSheet } from '../report.ts'
import type { Scenario } from './scenario.ts'

/** How many record at a time: alone, as a busy node, and as many as may share a write. */
const RECORDERS = [1, 16, 256]

/** How many events a second are on disk for good, and how long each waits for that. */
export const audit: Scenario = {
  name: 'audit',
  needs: [],
  summary: 'events per second of the audit log, each on disk before it is acknowledged',
  configure: command => command.option('--folder <path>', 'disk that is measured (default: the temporary folder)'),
  run: async ({ folder }, { isQuick, signal, say }) => {
    const seconds = isQuick ? 1 : 10
    const directory = await mkdtemp(join(typeof folder === 'string' ? folder : tmpdir(), 'kenkyo-bench-audit-'))
    const sheet = new FigureSheet()
    try {
      const key = await loadAuditKey(directory)
      for (const recorders of RECORDERS) {
        const log = join(directory, `log-${recorders}`)
        const waits: number[] = []
        const rates: number[] = []
        {
          await using open = await FileAuditLog.open({ directory: log, key, nowMillis: () => Date.now(), log: createLogger({ level: 'silent', program: 'bench' }) })
          for (let second = 0; second < seconds; second++) {
            signal.throwIfAborted()
            const [began, before] = [performance.now(), waits.length]
            await Promise.all(Array.from({ length: recorders }, async (_, recorder) => {
              while (performance.now() - began < 1000) {
                const asked = performance.now()
                await open.record({ kind: 'access', atMillis: Date.now(), actor: { memberId: `member-${recorder}`, seat: 'viewer' }, access: 'open_slide', consultationId: 'bench', outcome: 'ok' })
                waits.push(performance.now() - asked)
              }
            }))
            rates.push((waits.length - before) / ((performance.now() - began) / 1000))
          }
        }
        const labels = { recorders: String(recorders) }
        sheet.add({ name: 'audit_recorded', unit: '1/s', labels }, rates)
        sheet.add({ name: 'audit_wait', unit: 'ms', labels }, waits)
        const began = performance.now()
        const { events, findings } = verifyLog(log, createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string)
        if (findings.length > 0) throw new Error('the log that was measured does not verify')
        sheet.add({ name: 'audit_verified', unit: '1/s', labels }, [events / ((performance.now() - began) / 1000)])
        say(`${recorders} at a time: ${events} events`)
      }
    } finally {
      await rm(directory, { recursive: true })
    }
    return { parameters: { seconds, recorders: RECORDERS.join(' ') }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
  },
}
