import { Command } from 'commander'
import { PasskeyStore } from '../../relay/access/practitioners/passkey-store.ts'
import { SignInTickets } from '../../relay/access/practitioners/sign-in-tickets.ts'
import { PractitionerId } from '../../relay/wire/access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { loadInvitationKey } from '../invitation-key.ts'
import { loadNodeConfig, withNodeOptions } from '../main.ts'

const DEFAULT_LIFETIME_HOURS = '24'
const MAX_LIFETIME_HOURS = 24 * 14

const parseId = (id: string): PractitionerId => {
  const parsed = PractitionerId.safeParse(id)
  if (!parsed.success) throw new RelayFault('bad_config', 'expected a practitioner: 1 to 64 letters, digits, ".", "_" or "-"')
  return parsed.data
}

/** A link that carries a ticket beside its invitation; in the fragment, which no browser sends to a server. */
export function withTicket(link: string, ticket: string): string {
  const url = new URL(link)
  const fields = new URLSearchParams(url.hash.slice(1))
  fields.set('ticket', ticket)
  url.hash = fields.toString()
  return url.href
}

function lifetimeSeconds(hours = DEFAULT_LIFETIME_HOURS): number {
  const count = Number(hours)
  if (!(count > 0 && count <= MAX_LIFETIME_HOURS)) throw new RelayFault('bad_config', `--hours: expected a number from 0 to ${MAX_LIFETIME_HOURS}`)
  return Math.max(1, Math.round(count * 3600))
}

function ticketCommand(): Command {
  return withNodeOptions(new Command('ticket'))
    .description('Print a ticket by which a person makes a passkey at this node, once. Hand it over yourself: whoever has it is that person.')
    .argument('<practitioner>', 'as the registry names them')
    .option('--hours <n>', 'valid for so many hours', DEFAULT_LIFETIME_HOURS)
    .option('--link <link>', 'an invitation link: print it with the ticket in it')
    .action(async (practitioner: string, flags: Record<string, string>) => {
      const { hours, link, ...rest } = flags
      if (link !== undefined && !URL.canParse(link)) throw new RelayFault('bad_config', '--link: expected an invitation link')
      const tickets = await SignInTickets.open(await loadInvitationKey(loadNodeConfig(rest).stateDir))
      const ticket = await tickets.issue(parseId(practitioner), lifetimeSeconds(hours))
      process.stdout.write(`${link === undefined ? ticket : withTicket(link, ticket)}\n`)
    })
}

function passkeysCommand(): Command {
  return withNodeOptions(new Command('passkeys')).description('List the passkeys that this node knows: whose, since when, last used.').action((flags: Record<string, string>) => {
    using store = new PasskeyStore(loadNodeConfig(flags).stateDir)
    const date = (atMillis: number | null): string => (atMillis === null ? 'never' : new Date(atMillis).toISOString())
    for (const { practitionerId, credentialId, madeAtMillis, usedAtMillis } of store.list()) process.stdout.write(`${practitionerId}\t${credentialId}\t${date(madeAtMillis)}\t${date(usedAtMillis)}\n`)
  })
}

function forgetCommand(): Command {
  return withNodeOptions(new Command('forget'))
    .description('Take all passkeys of a person from this node, when one is lost. What they were granted goes on: the registry ends that.')
    .argument('<practitioner>', 'as the registry names them')
    .action((practitioner: string, flags: Record<string, string>) => {
      using store = new PasskeyStore(loadNodeConfig(flags).stateDir)
      process.stdout.write(`${store.forget(parseId(practitioner))} taken\n`)
    })
}

/** `kenkyo practitioner`: people who sign in at this node. Run it as the user that runs the node. */
export function practitionerCommand(): Command {
  return new Command('practitioner').description('People who sign in at this node.').addCommand(ticketCommand()).addCommand(passkeysCommand()).addCommand(forgetCommand())
}
