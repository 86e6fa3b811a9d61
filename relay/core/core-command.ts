import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { OperatorTokens } from '../access/operator-token.ts'
import { parseConfig } from '../runtime/config.ts'
import { createLogger } from '../runtime/log.ts'
import { FAULT_CODES, RelayFault } from '../wire/fault.ts'
import { CoreConfig } from './core-config.ts'
import { REGISTRY_KEY_FILE } from './core-keys.ts'
import { RegistryDraftBody } from './operator-routes.ts'
import { PlatformCore } from './platform-core.ts'
import type { JWK } from 'jose'

/** The core's settings of flags, environment and file. @throws {RelayFault} `bad_config`. */
export function loadCoreConfig(flags: Readonly<Record<string, unknown>>): CoreConfig {
  const { config: file, ...rest } = flags
  return parseConfig(CoreConfig, { file: file as string | undefined, environment: process.env, flags: rest })
}

async function runCore(config: CoreConfig): Promise<void> {
  const log = createLogger({ level: config.logLevel, program: 'core' })
  const stop = Promise.withResolvers<string>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve(signal))
  await using core = await PlatformCore.open(config, log)
  if (config.cardCaFile === undefined) log.warn('no card authorities: no consent is taken')
  log.info({ port: core.port, operatorPort: core.operatorPort, registryVersion: core.desk.registry.contents.version }, 'core is ready')
  log.info({ signal: await stop.promise }, 'core is stopping')
}

/** Asks the running core on this machine, as its operator. @throws {RelayFault} the core's own code; `unavailable`, `bad_config`. */
export async function askOperatorDoor({ stateDir, operatorPort }: CoreConfig, method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown): Promise<unknown> {
  const key = await readJson(join(stateDir, REGISTRY_KEY_FILE))
  const authorization = `Bearer ${await (await OperatorTokens.open(key as JWK)).issue()}`
  const content = body === undefined ? {} : { body: JSON.stringify(body) }
  const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
  const response = await fetch(`http://127.0.0.1:${operatorPort}${path}`, { method, headers, ...content }).catch((cause: unknown) => {
    throw new RelayFault('unavailable', 'no core answers on this machine', { cause })
  })
  const answer: unknown = await response.json()
  if (response.ok) return answer
  const { code, message } = answer as { code?: string; message?: string }
  throw new RelayFault(FAULT_CODES.find(each => each === code) ?? 'internal', message ?? `the core answers ${response.status}`)
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch (cause) {
    throw new RelayFault('bad_config', `${path} cannot be read as JSON`, { cause })
  }
}

function registryCommand(): Command {
  const show = new Command('show').description('Print the registry as JSON.')
  const apply = new Command('apply').description('Make the contents of a file the next version of the registry; all of it or nothing.').argument('<file>', 'as `show` prints it; version and times are ignored')
  withPlace(show).action(async (flags: Record<string, unknown>) => {
    process.stdout.write(`${JSON.stringify(await askOperatorDoor(loadCoreConfig(flags), 'GET', '/operator/registry'), null, 2)}\n`)
  })
  withPlace(apply).action(async (file: string, flags: Record<string, unknown>) => {
    const { version: _, issuedAtMillis: __, expiresAtMillis: ___, ...draft } = (await readJson(file)) as Record<string, unknown>
    const read = RegistryDraftBody.safeParse(draft)
    if (!read.success) throw new RelayFault('bad_config', `${file} is not a registry: ${read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`)
    const { version } = (await askOperatorDoor(loadCoreConfig(flags), 'PUT', '/operator/registry', read.data)) as { version: number }
    process.stdout.write(`The registry has version ${version}.\n`)
  })
  return new Command('registry').description('Who and what belongs to the platform.').addCommand(show).addCommand(apply)
}

/** Adds the options that say where the core is. */
export function withPlace(command: Command): Command {
  return command
    .option('--config <file>', 'JSON file with any of the core\'s settings, in camelCase')
    .option('--state-dir <path>', 'the core\'s folder')
    .option('--operator-port <port>', 'port of the operator\'s commands, on loopback (default 7641)')
}

/** `kenkyo core`: runs the platform's core, and asks it as its operator. */
export function coreCommand(): Command {
  const run = withPlace(new Command('run'))
    .description('Run the core: registry, certificates, consents, and the stream that nodes hear.')
    .option('--listen-host <address>', 'address of the door for nodes and agents (default 127.0.0.1)')
    .option('--listen-port <port>', 'port of the same (default 7640)')
    .option('--host-names <names>', 'host names by which nodes reach it, separated by commas (default localhost)')
    .option('--card-ca-file <file>', 'authorities whose patients\' cards are taken, PEM; without it no consent is taken')
    .option('--policies-dir <path>', 'folder of Cedar policies in place of the built-in ones; they say who operates')
    .option('--registry-lifetime-hours <n>', 'how long a version of the registry is good for (default 24)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (default info)')
    .action(async (flags: Record<string, unknown>) => runCore(loadCoreConfig(flags)))
  return new Command('core').description('The platform\'s core: who belongs to it, and what patients consented to.').addCommand(run).addCommand(registryCommand())
}
