import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastify from 'fastify'
import { z } from 'zod'
import { OperatorVerifier } from '../access/operator-token.ts'
import { RegistryContents } from '../access/registry/registry.ts'
import { RelayFault, toFault } from '../wire/fault.ts'
import { REGISTRY_KEY_FILE } from './core-keys.ts'
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

const STATUS: Readonly<Record<string, number>> = { bad_message: 400, sign_in_required: 401, token_refused: 401, certificate_refused: 422, registry_refused: 422, conflict: 409, not_found: 404, not_recorded: 503 }

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
    app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
      const { code, message } = error instanceof RelayFault || error.statusCode === undefined ? toFault(error) : new RelayFault('bad_message', 'the request cannot be read')
      const status = STATUS[code] ?? 500
      if (status === 500) log.error({ err: error }, 'request of an operator failed')
      return reply.code(status).header('cache-control', 'no-store').send({ code, message })
    })
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
