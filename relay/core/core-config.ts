import { join } from 'node:path'
import { z } from 'zod'
import { numeric } from '../runtime/config.ts'
import { stateDirectory } from '../runtime/directories.ts'

const port = numeric(z.int().min(0).max(65_535))

/** The settings of the platform's core. `docs/CONFIG.md` explains each. */
export const CoreConfig = z.strictObject({
  /** Address of the door for nodes and agents. */
  listenHost: z.string().min(1).default('127.0.0.1'),
  /** Port of the same; 0 takes any free one. */
  listenPort: port.default(7640),
  /** Host names by which nodes reach the core, separated by commas; they stand in its certificate. */
  hostNames: z.string().transform(text => text.split(',').map(name => name.trim())).pipe(z.array(z.string().min(1).max(253)).min(1).max(16)).default(['localhost']),
  /** Port of the operator's page and commands, on loopback only. */
  operatorPort: port.default(7641),
  stateDir: z.string().min(1).default(() => join(stateDirectory(), 'core')),
  /** Certificates of the authorities whose patients' cards are taken, PEM. Without it no consent is taken. */
  cardCaFile: z.string().min(1).optional(),
  /** Folder of Cedar policies that replaces the built-in ones; they say who operates. */
  policiesDir: z.string().min(1).optional(),
  /** How long a version of the registry is good for, in hours: so long a node may work without the core before everything is unknown to it. */
  registryLifetimeHours: numeric(z.number().min(0.1).max(24 * 31)).default(24),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
})
export type CoreConfig = z.infer<typeof CoreConfig>
