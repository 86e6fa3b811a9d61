import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastify from 'fastify'
import { z } from 'zod'
import { OperatorVerifier } from '../access/operator-token.ts'
import { RegistryContents } from '../access/registry/registry.ts'
import { RelayFault } from '../wire/fault.ts'
import { REGISTRY_KEY_FILE } from './core-keys.ts'
import { refuseByCode } from './refusals.ts'
import { addEnrolmentRoutes } from './enrolment-routes.ts'
import type { AddressInfo } from 'node:net'
import type { JWK } from 'jose'
import type { PlatformCa } from '../access/pki/platform-ca.ts'
import type { CoreDesk } from '../access/core/core-desk.ts'
import type { CeremonyTidings } from '../access/pki/enrolment.ts'
import type { Logger } from '../runtime/log.ts'

/** What operators may change of the registry in one go: everything but its version and its times. */
export const RegistryDraftBody = RegistryContents.omit({ version: true, issuedAtMillis: true, expiresAtMillis: true })

/** What operators did, for the record. */
export type OperatorTidings = CeremonyTidings | { readonly kind: 'configuration'; readonly what: 'registry'; readonly version: number }

/** What the operator's door stands on. */
export interface OperatorDoorOptions {
  /** On loopback; 0 takes any free one. */
  readonly port: number
  readonly stateDir: string
  readonly desk: CoreDesk
  readonly ca: PlatformCa
  /** Returns once it is recorded. @throws {RelayFault} `not_recorded`. */
  readonly record: (tidings: OperatorTidings) => Promise<void>
  readonly log: Logger
}

/** What an operator brings and cannot be is a mistake in it, not a lack of rights. */
const OWN_STATUS = { certificate_refused: 422, registry_refused: 422 } as const

/** Where operators of the core ask and change: on loopback alone, with a token of whoever can read the core's folder. */
export class OperatorDoor implements AsyncDisposable {
  readonly port: number
  readonly #close: () => Promise<void>

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port
    this.#close = close
  }

  /** @throws {RelayFault} `address_in_use`, `bad_config`. */
  static async open({ port, stateDir, desk, ca, record, log }: OperatorDoorOptions): Promise<OperatorDoor> {
    const operators = await OperatorVerifier.open(JSON.parse(await readFile(join(stateDir, REGISTRY_KEY_FILE), 'utf8')) as JWK)
    const app = fastify({ logger: false, bodyLimit: 16 * 1024 * 1024, forceCloseConnections: true })
    refuseByCode(app, log, OWN_STATUS)
    app.addHook('onRequest', async ({ headers }) => operators.verify(headers.authorization))
    app.get('/operator/registry', () => desk.registry.contents)
    app.put('/operator/registry', async request => {
      const draft = RegistryDraftBody.safeParse(request.body)
      if (!draft.success) throw new RelayFault('bad_message', z.prettifyError(draft.error))
      // Recorded first: a registry that nobody can tell the origin of is none.
      await record({ kind: 'configuration', what: 'registry', version: desk.registry.contents.version + 1 })
      return desk.registry.edit(() => draft.data)
    })
    await addEnrolmentRoutes(app, { folder: stateDir, ca, registry: desk.registry, now: () => Date.now(), record })
    app.get('/operator/standing', () => ({ listeners: desk.listeners, registryVersion: desk.registry.contents.version, consultations: desk.store.consultations(), consents: desk.store.consents(), certificates: ca.issued }))
    try {
      await app.listen({ host: '127.0.0.1', port })
    } catch (cause) {
      throw new RelayFault('address_in_use', `cannot listen on 127.0.0.1:${port}`, { cause })
    }
    return new OperatorDoor((app.server.address() as AddressInfo).port, async () => app.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close()
  }
}
