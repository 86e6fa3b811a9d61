import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { flag, numeric } from '../relay/runtime/config.ts'
import { stateDirectory } from '../relay/runtime/directories.ts'

const port = numeric(z.int().min(0).max(65_535))

/** @see RFC 7065 section 3.1; `transport=udp` makes no sense with TLS */
const TURN_URL = /^(turn:(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?(\?transport=(udp|tcp))?|turns:(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?(\?transport=tcp)?)$/i
const portOf = (url: string): number => Number(/:(\d{1,5})(\?|$)/.exec(url)?.[1] ?? 1)
const TurnUrl = z.string().max(256).regex(TURN_URL, 'expected turn:host[:port][?transport=udp|tcp] or turns:host[:port][?transport=tcp]').refine(url => portOf(url) >= 1 && portOf(url) <= 65_535, 'expected a port from 1 to 65535')

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

/** The settings of a node. `docs/CONFIG.md` explains each. */
export const NodeConfig = z
  .strictObject({
    /** Address of HTTP, HTTPS and signaling. */
    listenHost: z.string().min(1).default('127.0.0.1'),
    /** Port of the same; 0 takes any free one. */
    listenPort: port.default(7680),
    /** Address that media is received on. */
    rtcListenIp: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'),
    /** First media port, UDP and TCP; each worker takes the next one. */
    rtcBasePort: numeric(z.int().min(1024).max(65_000)).default(7690),
    /** Address that browsers are told to send media to, when it is not `rtcListenIp` (behind NAT). */
    rtcAnnouncedAddress: z.string().min(1).optional(),
    /** Address that links are received on; without it the one of media. */
    linkListenIp: z.union([z.ipv4(), z.ipv6()]).optional(),
    /** UDP port of links; without it the number of the listening port. */
    linkPort: port.optional(),
    /** Host that agents send links to, when it is not the one they reach signaling by. */
    linkAnnouncedHost: z.string().min(1).max(253).optional(),
    /** Contracts of links, a JSON file. */
    linksFile: z.string().min(1).optional(),
    /** Whether there are links at all. */
    links: flag().default(true),
    /** TLS certificate chain and private key, PEM files. Both or neither. */
    tlsCertFile: z.string().min(1).optional(),
    tlsKeyFile: z.string().min(1).optional(),
    /** mediasoup workers; each can use one core. */
    workers: numeric(z.int().min(1).max(64)).default(() => availableParallelism()),
    stateDir: z.string().min(1).default(() => stateDirectory()),
    /** Origin that invitation links start with, when it is not the listening address. */
    publicOrigin: z.url({ protocol: /^https?$/ }).transform(url => new URL(url).origin).optional(),
    /** Whether it is recorded who does what. */
    audit: flag().default(true),
    /** Folder of the audit log; without it `audit` in `stateDir`. */
    auditDir: z.string().min(1).optional(),
    /** Whether whole slides are taken and shown. */
    slides: flag().default(true),
    /** Folder of slides; without it `slides` in `stateDir`. */
    slidesDir: z.string().min(1).optional(),
    /** Bytes that slides may take together. */
    slidesQuotaBytes: numeric(z.int().min(1)).default(1_000_000_000_000),
    /** Whether slides may be uploaded as files, with names in them, by tus. */
    slideUploads: flag().default(false),
    /** Bytes that stills may take together; 0: none are kept. */
    stillsQuotaBytes: numeric(z.int().min(0)).default(50_000_000_000),
    /** Whether slides may be uploaded as DICOM, with names in them, by STOW-RS. */
    slideStow: flag().default(false),
    /** Relays for members whom nothing else reaches, separated by commas. */
    turnUrls: z.string().transform(text => text.split(',').map(url => url.trim())).pipe(z.array(TurnUrl).min(1).max(8)).optional(),
    /** File with the secret that the relays share with this node. */
    turnSecretFile: z.string().min(1).optional(),
    /** Bytes that recordings of consultations may take together; 0: nothing is recorded. */
    recordingsQuotaBytes: numeric(z.int().min(0)).default(50_000_000_000),
    /** Folder of Cedar policies; without it those that come with the program. */
    policiesDir: z.string().min(1).optional(),
    /** Origin of the platform's core; with the four files below, or none of them. Without it the node stands alone. */
    coreUrl: z.url({ protocol: /^https$/ }).transform(url => new URL(url).origin).optional(),
    /** The node's certificate chain of the platform CA and its private key, PEM files. */
    nodeCertFile: z.string().min(1).optional(),
    nodeKeyFile: z.string().min(1).optional(),
    /** The platform's root and issuing CA, one PEM file. */
    platformCaFile: z.string().min(1).optional(),
    /** Public key that the registry is signed with, a JWK file. */
    registryKeyFile: z.string().min(1).optional(),
    /** Port of the door for nodes and agents; 0 takes any free one. */
    membersListenPort: port.default(7681),
    /** What the node shows to services in common, a JSON file. */
    serviceCredentialsFile: z.string().min(1).optional(),
    /** Port of the listener where people show their cards; without it there is none. */
    signInListenPort: port.optional(),
    /** Origin that browsers reach it by, when it is not the listening address. */
    signInPublicOrigin: z.url({ protocol: /^https$/ }).transform(url => new URL(url).origin).optional(),
    /** Authorities whose cards are taken there, and their revocation lists, PEM files. */
    signInCaFile: z.string().min(1).optional(),
    signInCrlFile: z.string().min(1).optional(),
    /** Whether a ticket alone lets somebody in: for demonstrations and tests. */
    allowTicketSignIn: flag().default(false),
    maxConsultations: numeric(z.int().min(1).max(1000)).default(64),
    maxViewersPerConsultation: numeric(z.int().min(1).max(1000)).default(64),
    /** How often media statistics are read from the workers, in seconds. */
    statsIntervalSeconds: numeric(z.number().min(0.2).max(60)).default(2),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  })

export type NodeConfig = z.infer<typeof NodeConfig>

/** What contradicts itself in an otherwise well-formed configuration; one sentence each. */
export function configContradictions(config: NodeConfig): string[] {
  const mistakes: string[] = []
  if ((config.tlsCertFile === undefined) !== (config.tlsKeyFile === undefined)) {
    mistakes.push('tlsCertFile and tlsKeyFile: give both or neither')
  }
  if (config.tlsCertFile === undefined && !isLoopback(config.listenHost)) {
    mistakes.push(`listenHost: without TLS material the node listens on loopback only, not on ${config.listenHost}`)
  }
  if (/^(0\.0\.0\.0|::)$/.test(config.rtcListenIp) && config.rtcAnnouncedAddress === undefined) {
    mistakes.push(`rtcAnnouncedAddress: browsers cannot send to ${config.rtcListenIp}; say which address they shall use`)
  }
  if (config.rtcBasePort + config.workers - 1 > 65_535) {
    mistakes.push('rtcBasePort: leaves no room for one port per worker')
  }
  if ((config.turnUrls === undefined) !== (config.turnSecretFile === undefined)) {
    mistakes.push('turnUrls and turnSecretFile: give both or neither')
  }
  const platform = [config.coreUrl, config.nodeCertFile, config.nodeKeyFile, config.platformCaFile, config.registryKeyFile]
  if (platform.some(each => each !== undefined) && platform.includes(undefined)) {
    mistakes.push('coreUrl, nodeCertFile, nodeKeyFile, platformCaFile and registryKeyFile: give all or none')
  }
  if (config.coreUrl !== undefined && !config.audit) {
    mistakes.push('audit: on a platform everything is recorded')
  }
  const cards = [config.signInListenPort, config.signInCaFile]
  if (cards.some(each => each !== undefined) && [...cards, config.tlsCertFile, config.coreUrl].includes(undefined)) {
    mistakes.push('signInListenPort and signInCaFile: give both or neither; with both, coreUrl and TLS material, too')
  }
  return mistakes
}
