import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { Command } from 'commander'
import { RelayFault } from '../wire/fault.ts'
import { AuditReader } from './audit-reader.ts'
import { fhirAuditEvent } from './fhir-audit-event.ts'
import { headLine } from './log-lines.ts'
import { verifyCommandLine } from './verify/main.ts'

async function exportEvents(folder: string, site: string, sink: NodeJS.WritableStream): Promise<void> {
  try {
    for await (const entry of new AuditReader(folder).entries()) {
      if (!sink.write(`${JSON.stringify(fhirAuditEvent(entry, site))}\n`)) await once(sink, 'drain')
    }
  } catch (cause) {
    throw cause instanceof RelayFault ? cause : new RelayFault('bad_audit_log', 'the audit log cannot be read', { cause })
  }
}

function exportCommand(): Command {
  return new Command('export')
    .description('Print every event as a FHIR R4 AuditEvent, one a line (NDJSON).')
    .argument('<folder>', 'folder of the log')
    .option('--site <name>', 'what the source of the events is called', 'kenkyo')
    .option('--out <file>', 'a new file to write to, in place of standard output')
    .action(async (folder: string, { site, out }: { site: string; out?: string }) => {
      if (out === undefined) return exportEvents(folder, site, process.stdout)
      const file = createWriteStream(out, { flags: 'wx', mode: 0o600 })
      await exportEvents(folder, site, file)
      file.end()
      await once(file, 'finish')
    })
}

function headCommand(): Command {
  return new Command('head')
    .description('Print the newest signed head. Keep it elsewhere: with it, a log that was cut back is found out.')
    .argument('<folder>', 'folder of the log')
    .action(async (folder: string) => {
      const head = await new AuditReader(folder).head()
      if (head === undefined) throw new RelayFault('bad_audit_log', 'the log is empty')
      process.stdout.write(`${headLine(head)}\n`)
    })
}

/** `kenkyo audit`: verifies and exports what was recorded. */
export function auditCommand(): Command {
  const verify = new Command('verify')
    .description('Verify a log, or one segment of it, with its public key and nothing of the server.')
    .argument('<path>', 'folder of the log, or a segment')
    .requiredOption('--key <file>', 'public key, PEM: audit-key.pub.pem of the state folder')
    .option('--head <file...>', 'heads that were kept elsewhere')
    .action((path: string, { key, head = [] }: { key: string; head?: string[] }) => {
      const heads = head.flatMap(file => ['--head', file])
      process.exitCode = verifyCommandLine([path, '--key', key, ...heads], line => void process.stdout.write(`${line}\n`))
    })
  return new Command('audit').description('Verify and export the audit log.').addCommand(verify).addCommand(exportCommand()).addCommand(headCommand())
}
