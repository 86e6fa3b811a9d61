import { Command } from 'commander'
import { InvitationIssuer } from '../relay/access/invitation.ts'
import { parseConfig } from '../relay/runtime/config.ts'
import { createLogger } from '../relay/runtime/log.ts'
import { Purpose, PURPOSES } from '../relay/wire/access.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../relay/wire/ids.ts'
import { ROLES } from '../relay/wire/signaling.ts'
import { configContradictions, NodeConfig } from './config.ts'
import { loadInvitationKey } from './invitation-key.ts'
import { invitationLink, KenkyoNode } from './node.ts'
import type { Role } from '../relay/wire/signaling.ts'

const DEFAULT_LIFETIME_HOURS = '8'

/**
 * Parses a node's settings from all their sources.
 *
 * @throws {RelayFault} `bad_config` naming every mistake.
 */
export function loadNodeConfig(flags: Readonly<Record<string, unknown>>): NodeConfig {
  const { config: file, ...rest } = flags
  const config = parseConfig(NodeConfig, { file: file as string | undefined, environment: process.env, flags: rest })
  const mistakes = configContradictions(config)
  if (mistakes.length > 0) throw new RelayFault('bad_config', mistakes.join('\n'))
  return config
}

/** Adds the options that say which node is meant. */
export function withNodeOptions(command: Command): Command {
  return command
    .option('--config <file>', 'JSON file with any of the settings below, in camelCase')
    .option('--listen-host <address>', 'address of HTTP(S) and signaling (default 127.0.0.1)')
    .option('--listen-port <port>', 'port of the same (default 7680)')
    .option('--public-origin <url>', 'origin that invitation links start with')
    .option('--state-dir <path>', 'where the invitation key is kept')
}

/** `kenkyo node`: runs a node until it is told to stop. */
export function nodeCommand(): Command {
  return withNodeOptions(new Command('node'))
    .description('Run a node: signaling, media workers, viewer, /healthz and /metrics.')
    .option('--rtc-listen-ip <ip>', 'address that media is received on (default 127.0.0.1)')
    .option('--rtc-base-port <port>', 'first media port, UDP and TCP; each worker takes the next (default 7690)')
    .option('--rtc-announced-address <address>', 'address that browsers send media to, when it is not the former')
    .option('--link-listen-ip <ip>', 'address that links are received on (default: the one of media)')
    .option('--link-port <port>', 'UDP port of links (default: the number of the listening port)')
    .option('--link-announced-host <host>', 'host that agents send links to, when it is not the one they reach signaling by')
    .option('--links-file <file>', 'contracts of links, a JSON file')
    .option('--links <bool>', 'whether there are links at all (default true)')
    .option('--tls-cert-file <file>', 'TLS certificate chain, PEM; without it the node listens on loopback only')
    .option('--tls-key-file <file>', 'its private key, PEM')
    .option('--workers <n>', 'media workers (default: one per core)')
    .option('--turn-urls <urls>', 'TURN relays for members whom nothing else reaches, separated by commas')
    .option('--turn-secret-file <file>', 'the secret that they share with this node')
    .option('--audit <bool>', 'whether it is recorded who does what (default true)')
    .option('--audit-dir <path>', 'where that is recorded (default: audit in the state folder)')
    .option('--slides <bool>', 'whether whole slides are taken and shown (default true)')
    .option('--slides-dir <path>', 'where slides are kept (default: slides in the state folder)')
    .option('--slides-quota-bytes <n>', 'how much they may take together (default 1,000,000,000,000)')
    .option('--stills-quota-bytes <n>', 'how much kept frames may take together; 0: none are kept (default 50,000,000,000)')
    .option('--recordings-quota-bytes <n>', 'how much recordings of consultations may take together; 0: nothing is recorded (default 50,000,000,000)')
    .option('--slide-uploads <bool>', 'whether slides may be uploaded as files, with names in them, by tus (default false)')
    .option('--slide-stow <bool>', 'the same for DICOM by STOW-RS (default false)')
    .option('--core-url <url>', "origin of the platform's core; with the four files below")
    .option('--node-cert-file <file>', 'certificate chain of the platform CA, PEM')
    .option('--node-key-file <file>', 'its private key, PEM')
    .option('--platform-ca-file <file>', "the platform's root and issuing CA, PEM")
    .option('--registry-key-file <file>', 'public key that the registry is signed with, JWK')
    .option('--members-listen-port <port>', 'port of the door for nodes and agents; 0 takes any free one')
    .option('--sign-in-listen-port <port>', 'port of the listener where people show their cards; 0 takes any free one (default: none)')
    .option('--sign-in-public-origin <url>', 'origin that browsers reach it by')
    .option('--sign-in-ca-file <file>', 'authorities whose cards are taken there, PEM')
    .option('--sign-in-crl-file <file>', 'their revocation lists, PEM')
    .option('--allow-ticket-sign-in <bool>', 'whether a ticket alone lets somebody in: for demonstrations and tests (default false)')
    .option('--policies-dir <path>', 'folder of Cedar policies (default: those that come with the program)')
    .option('--service-credentials-file <file>', 'what the node shows to services in common, JSON')
    .option('--max-consultations <n>', 'consultations at once (default 64)')
    .option('--max-viewers-per-consultation <n>', 'viewers in one consultation (default 64)')
    .option('--stats-interval-seconds <s>', 'how often media statistics are read (default 2)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (default info)')
    .action(async (flags: Record<string, unknown>) => runNode(loadNodeConfig(flags)))
}

async function runNode(config: NodeConfig): Promise<void> {
  const log = createLogger({ level: config.logLevel, program: 'node' })
  const stop = Promise.withResolvers<string>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve(signal))
  await using node = await KenkyoNode.open(config, log)
  if (config.tlsCertFile === undefined) log.warn('no TLS material: listening on loopback only')
  log.info({ origin: node.origin, workers: config.workers }, 'node is ready')
  log.info({ signal: await stop.promise }, 'node is stopping')
}

/** `kenkyo invite`: prints an invitation link, signed with the node's key. */
export function inviteCommand(): Command {
  return withNodeOptions(new Command('invite'))
    .description('Print an invitation link for one consultation and role. Run it as the user that runs the node.')
    .requiredOption('--consultation <id>', 'consultation: letters, digits, ".", "_", "-"; never a patient\'s name or number')
    .requiredOption('--member <id>', 'who is invited, same alphabet')
    .requiredOption('--role <role>', ROLES.join(', '))
    .option('--hours <n>', 'valid for so many hours', DEFAULT_LIFETIME_HOURS)
    .option('--purpose <purpose>', `on a platform: what it is for, so that nobody is asked (${PURPOSES.join(', ')})`)
    .action(async (flags: Record<string, string>) => {
      const { consultation, member, role, hours, purpose, ...rest } = flags
      const said = Purpose.optional().safeParse(purpose)
      if (!said.success) throw new RelayFault('bad_config', `--purpose: expected ${PURPOSES.join(', ')}`)
      const config = loadNodeConfig(rest)
      const issuer = await InvitationIssuer.open(await loadInvitationKey(config.stateDir))
      const token = await issuer.issue(parseTerms(consultation, member, role, hours))
      const scheme = config.tlsCertFile === undefined ? 'http' : 'https'
      const link = invitationLink(config.publicOrigin ?? `${scheme}://${config.listenHost}:${config.listenPort}`, token)
      process.stdout.write(`${link}${said.data === undefined ? '' : `&purpose=${said.data}`}\n`)
      if (config.coreUrl !== undefined) process.stderr.write(onPlatform(role))
    })
}

/** What an invitation is worth on a platform, for whoever passes it on. */
function onPlatform(role = ''): string {
  const who = role === 'viewer' || role === 'technician' ? 'whoever opens it signs in first' : 'the program needs its certificate as well'
  return `This node is part of a platform: the link alone lets nobody in; ${who}, and consent and policy decide.\n`
}

function parseTerms(consultation = '', member = '', role = '', hours = DEFAULT_LIFETIME_HOURS) {
  const consultationId = ConsultationId.safeParse(consultation)
  const memberId = MemberId.safeParse(member)
  const lifetimeSeconds = Math.round(Number(hours) * 3600)
  const mistakes = [
    consultationId.success ? '' : '--consultation: expected 1 to 64 letters, digits, ".", "_" or "-"',
    memberId.success ? '' : '--member: expected 1 to 64 letters, digits, ".", "_" or "-"',
    (ROLES as readonly string[]).includes(role) ? '' : `--role: expected ${ROLES.join(', ')}`,
    lifetimeSeconds > 0 && lifetimeSeconds <= 366 * 86_400 ? '' : '--hours: expected a number from 0 to 8784',
  ].filter(mistake => mistake !== '')
  if (!consultationId.success || !memberId.success || mistakes.length > 0) throw new RelayFault('bad_config', mistakes.join('\n'))
  return { consultationId: consultationId.data, memberId: memberId.data, role: role as Role, lifetimeSeconds }
}
