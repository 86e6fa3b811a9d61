#!/usr/bin/env node
/** The `kenkyo` command: every program of the project behind one name. */
import { Command, CommanderError } from 'commander'
import { coreCommand } from '../relay/core/core-command.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { practitionerCommand } from '../sfu/access/practitioner-command.ts'
import { inviteCommand, nodeCommand } from '../sfu/main.ts'
import { linkCommand } from '../clients/capture/link-command.ts'
import { preflightCommand } from '../clients/capture/preflight-command.ts'
import { facilityCommand } from '../relay/core/facility-command.ts'
import { operatorCommand } from '../relay/core/operator-command.ts'
import { consentCommand, consultationCommand } from '../relay/core/desk-command.ts'
import { auditCommand } from '../relay/audit/audit-command.ts'
import { captureCommand } from '../clients/capture/main.ts'
import { scanCommand } from '../clients/scanner/main.ts'

const kenkyo = new Command('kenkyo')
  .description('Live 8K microscope video and whole-slide images between hospitals.')
  .addCommand(coreCommand())
  .addCommand(operatorCommand())
  .addCommand(facilityCommand())
  .addCommand(consultationCommand())
  .addCommand(consentCommand())
  .addCommand(nodeCommand())
  .addCommand(inviteCommand())
  .addCommand(practitionerCommand())
  .addCommand(captureCommand())
  .addCommand(linkCommand())
  .addCommand(preflightCommand())
  .addCommand(scanCommand())
  .addCommand(auditCommand())
  .showHelpAfterError('(--help lists the options)')

try {
  await kenkyo.parseAsync()
} catch (error) {
  if (error instanceof RelayFault) process.stderr.write(`kenkyo: ${error.code}: ${error.message}\n`)
  else if (!(error instanceof CommanderError)) throw error
  process.exitCode = 1
}
