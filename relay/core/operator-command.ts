import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { createRequest } from '../access/pki/certificate-request.ts'
import { replaceDurably } from '../runtime/durable-file.ts'
import { RelayFault } from '../wire/fault.ts'
import { askOperatorDoor, loadCoreConfig, withPlace } from './core-command.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function addCommand(): Command {
  return withPlace(new Command('add'))
    .description('Enter a person as an operator, and make the certificate that their browser shows.')
    .argument('<practitioner>', 'a name that nobody and no machine of the platform has')
    .requiredOption('--facility <id>', 'whom the person acts for')
    .option('--facility-name <name>', 'what to call a facility that is new')
    .requiredOption('--name <name>', 'the person\'s name, for the registry')
    .requiredOption('--folder <path>', 'where key and certificate are put; it goes to that person')
    .action(async (practitionerId: string, { facility: facilityId, facilityName, name: displayName, folder, ...flags }: Record<string, unknown> & { folder: string }) => {
      const keyPath = join(folder, 'operator-key.pem')
      await mkdir(folder, { recursive: true, mode: 0o700 })
      if (await stat(keyPath).then(() => true, () => false)) throw new RelayFault('conflict', `${keyPath} is there already`)
      const { keyPem, requestPem } = await createRequest('operator')
      const body = { practitionerId, displayName, facilityId, requestPem, ...(facilityName === undefined ? {} : { facilityName }) }
      const { chainPem, trustPem } = (await askOperatorDoor(loadCoreConfig(flags), 'POST', '/operator/operators', body)) as { chainPem: string; trustPem: string }
      await replaceDurably(keyPath, keyPem)
      await replaceDurably(join(folder, 'operator.pem'), chainPem)
      await replaceDurably(join(folder, 'platform-ca.pem'), trustPem)
      say(`${practitionerId} operates. For a browser:\nopenssl pkcs12 -export -in ${join(folder, 'operator.pem')} -inkey ${keyPath} -out ${join(folder, 'operator.p12')}`)
    })
}

function revokeCommand(): Command {
  return withPlace(new Command('revoke')).description('Suspend a person, and revoke their certificates.').argument('<practitioner>', 'their name').action(async (id: string, flags: Record<string, unknown>) => {
    await askOperatorDoor(loadCoreConfig(flags), 'POST', `/operator/practitioners/${encodeURIComponent(id)}/revoke`, {})
    say(`${id} is suspended.`)
  })
}

/** `kenkyo operator`: who operates the platform. `docs/OPERATOR.md` */
export function operatorCommand(): Command {
  return new Command('operator').description('Who operates the platform, on the core\'s machine.').addCommand(addCommand()).addCommand(revokeCommand())
}
