import { Command } from 'commander'
import { renewInFolder } from '../access/pki/certificate-renewal.ts'
import { acceptAnswer, MEMBER_FILES, requestInto } from '../access/pki/enrolment-folder.ts'
import { askOperatorDoor, loadCoreConfig, withPlace } from './core-command.ts'

interface Waiting {
  readonly waiting: readonly { keyThumbprint: string; facilityId: string; nodeId: string; kind: string; hostNames: readonly string[] }[]
  readonly unreadable: number
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function requestCommand(): Command {
  return new Command('request')
    .description('Facility: make a key and the request that goes to the operator.')
    .requiredOption('--facility <id>', 'the facility, as the operator knows it')
    .requiredOption('--node <id>', 'the machine, a name that no other machine of the platform has')
    .option('--kind <kind>', '`node` relays; `agent` sends: a microscope or a scanner', 'node')
    .option('--host-names <names>', 'host names by which a node is reached, separated by commas', '')
    .requiredOption('--folder <path>', 'where the key and later the certificate are kept')
    .action(async ({ facility, node, kind, hostNames, folder }: Record<'facility' | 'node' | 'kind' | 'hostNames' | 'folder', string>) => {
      const names = hostNames.split(',').map(name => name.trim()).filter(name => name !== '')
      const thumbprint = await requestInto(folder, { facilityId: facility, nodeId: node, kind, hostNames: names })
      say(`Send ${MEMBER_FILES.request} in that folder to the operator, and read this out by telephone:\n${thumbprint}`)
    })
}

function fetchCommand(): Command {
  return new Command('fetch')
    .description('Facility: take the operator\'s answer.')
    .argument('<answer>', 'the file that the operator sent')
    .requiredOption('--folder <path>', 'the folder of the request')
    .requiredOption('--root <sha256>', 'the platform\'s root, as the operator read it out')
    .action(async (answer: string, { folder, root }: { folder: string; root: string }) => {
      const { facilityId, nodeId } = await acceptAnswer(folder, answer, root, Date.now())
      say(`${nodeId} of ${facilityId} has joined: ${MEMBER_FILES.certificate}, ${MEMBER_FILES.key} and ${MEMBER_FILES.trust} are in that folder.`)
    })
}

function renewCommand(): Command {
  return new Command('renew')
    .description('Facility: renew the certificate when less than 30 days are left of it; for a timer, once a day.')
    .requiredOption('--folder <path>', 'the folder of the machine')
    .requiredOption('--core <url>', 'the core, https:// host and port')
    .action(async ({ folder, core }: { folder: string; core: string }) => {
      const { isNew, notAfterMillis } = await renewInFolder(folder, core, Date.now())
      say(`${isNew ? 'Renewed' : 'Not due'}: good until ${new Date(notAfterMillis).toISOString()}.`)
    })
}

function pendingCommand(): Command {
  return withPlace(new Command('pending')).description('Operator: list what waits in the requests folder of the core.').action(async (flags: Record<string, unknown>) => {
    const { waiting, unreadable } = (await askOperatorDoor(loadCoreConfig(flags), 'GET', '/operator/requests')) as Waiting
    for (const { keyThumbprint, facilityId, nodeId, kind, hostNames } of waiting) say(`${keyThumbprint} ${kind} ${nodeId} of ${facilityId} ${hostNames.join(',')}`.trimEnd())
    say(`${waiting.length} waiting${unreadable > 0 ? `, ${unreadable} files that are no request` : ''}`)
  })
}

function approveCommand(): Command {
  return withPlace(new Command('approve'))
    .description('Operator: issue the certificate of a request, after the facility read out its key.')
    .argument('<key>', 'SHA-256 of the key, as `pending` prints it')
    .option('--facility-name <name>', 'what to call a facility that is new')
    .action(async (key: string, { facilityName, ...flags }: Record<string, unknown>) => {
      const { answer, root } = (await askOperatorDoor(loadCoreConfig(flags), 'POST', `/operator/requests/${encodeURIComponent(key)}/approve`, facilityName === undefined ? {} : { facilityName })) as { answer: string; root: string }
      say(`Send ${answer} back, and read this out by telephone:\n${root}`)
    })
}

function rejectCommand(): Command {
  return withPlace(new Command('reject')).description('Operator: turn a request down.').argument('<key>', 'SHA-256 of the key').action(async (key: string, flags: Record<string, unknown>) => {
    await askOperatorDoor(loadCoreConfig(flags), 'POST', `/operator/requests/${encodeURIComponent(key)}/reject`, {})
    say('Turned down.')
  })
}

function revokeCommand(): Command {
  return withPlace(new Command('revoke')).description('Operator: revoke the certificates of a machine and suspend it.').argument('<node>', 'the machine').action(async (node: string, flags: Record<string, unknown>) => {
    const { revoked } = (await askOperatorDoor(loadCoreConfig(flags), 'POST', `/operator/machines/${encodeURIComponent(node)}/revoke`, {})) as { revoked: number }
    say(`${node} is suspended, ${revoked} certificate${revoked === 1 ? '' : 's'} revoked.`)
  })
}

/** `kenkyo facility`: the ceremony by which a machine of a facility joins the platform, and how it leaves. `docs/JOINING.md` */
export function facilityCommand(): Command {
  return [requestCommand(), pendingCommand(), approveCommand(), rejectCommand(), fetchCommand(), renewCommand(), revokeCommand()].reduce((all, each) => all.addCommand(each), new Command('facility').description('Join the platform, and leave it.'))
}
