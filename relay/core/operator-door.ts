import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastify from 'fastify'
import { OperatorVerifier } from '../access/operator-token.ts'
import { RelayFault } from '../wire/fault.ts'
import { REGISTRY_KEY_FILE } from './core-keys.ts'
import { FOLDER_OPERATOR } from './operator.ts'
import { refuseByCode } from './refusals.ts'
import type { AddressInfo } from 'node:net'
import type { JWK } from 'jose'
import type { Logger } from '../runtime/log.ts'
import type { OperatorRoutes } from './operator-routes.ts'

/** What the operator's door stands on. */
export interface OperatorDoorOptions {
  /** On loopback; 0 takes any free one. */
  readonly port: number
  readonly stateDir: string
  readonly routes: OperatorRoutes
  readonly log: Logger
}

/** What an operator brings and cannot be is a mistake in it, not a lack of rights. */
const OPERATOR_STATUS = { certificate_refused: 422, registry_refused: 422 } as const

/** Where operators' commands ask and change: on loopback alone, with a token of whoever can read the core's folder. */
export class OperatorDoor implements AsyncDisposable {
  readonly port: number
  readonly #close: () => Promise<void>

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port
    this.#close = close
  }

  /** @throws {RelayFault} `address_in_use`, `bad_config`. */
  static async open({ port, stateDir, routes, log }: OperatorDoorOptions): Promise<OperatorDoor> {
    const operators = await OperatorVerifier.open(JSON.parse(await readFile(join(stateDir, REGISTRY_KEY_FILE), 'utf8')) as JWK)
    const app = fastify({ logger: false, bodyLimit: 64 * 1024, forceCloseConnections: true })
    refuseByCode(app, log, OPERATOR_STATUS)
    routes.addTo(app, async ({ headers }) => {
      await operators.verify(headers.authorization)
      return FOLDER_OPERATOR
    })
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
