import { presenterOf } from '../../relay/access/doors/presenter.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { GrantRequest } from '../../relay/wire/grant.ts'
import { parsePart, refuseByCode } from '../slides/slide-replies.ts'
import { possessionOf } from '../slides/slide-access.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Possession } from '../../relay/access/grants/proof-of-possession.ts'
import type { SignedIn } from '../../relay/access/practitioners/sign-in-tokens.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AccessStanding, GrantAnswer } from '../../relay/wire/grant.ts'
import type { SignInWays } from '../../relay/wire/sign-in.ts'
import type { AccessDesk, Asker } from './access-desk.ts'

const MAX_TOKEN_CHARACTERS = 4096

/** What the routes of grants stand on. */
export interface GrantRoutesOptions {
  /** Undefined on a node that stands alone. */
  readonly desk: AccessDesk | undefined
  /** Tokens of people who signed in. */
  readonly signIns: { verify(token: string, possession: Possession): Promise<SignedIn> } | undefined
  /** How people sign in; null where they do not. */
  readonly people: () => SignInWays | null
  readonly log: Logger
}

/** `GET /access`, `POST /access/grants` and `/access/grants/renew`; see `docs/ACCESS.md`. */
export class GrantRoutes {
  readonly #options: GrantRoutesOptions

  constructor(options: GrantRoutesOptions) {
    this.#options = options
  }

  /** Adds them to a server. */
  addTo(app: FastifyInstance): void {
    void app.register((scope, _options, done) => {
      this.#addRoutes(scope)
      done()
    })
  }

  #addRoutes(app: FastifyInstance): void {
    const { desk, signIns, log } = this.#options
    refuseByCode(app, log)
    app.addHook('onRequest', async (_request, reply) => void reply.header('cache-control', 'no-store'))
    app.get('/access', (): AccessStanding =>
      desk === undefined
        ? { mode: 'alone', signIns: [], people: null, isCoreReachable: false, nowMillis: Date.now() }
        : { mode: 'platform', signIns: signIns === undefined ? ['certificate'] : ['certificate', 'token'], people: this.#options.people(), isCoreReachable: desk.isCoreReachable, nowMillis: Date.now() })
    if (desk === undefined) return
    app.post('/access/grants', async (request): Promise<GrantAnswer> => {
      const asked = parsePart(GrantRequest, request.body)
      return desk.grant(await this.#asker(request), asked)
    })
    app.delete('/access/grants', async (request, reply) => {
      await desk.giveBack(tokenOf(request), possessionOf(request))
      return reply.code(204).send()
    })
    app.post('/access/grants/renew', (request): Promise<GrantAnswer> => desk.renew(tokenOf(request), possessionOf(request)))
  }

  /** @throws {RelayFault} `sign_in_required` for whoever shows neither; `certificate_refused`, and as `SignInTokens.verify`. */
  async #asker(request: FastifyRequest): Promise<Asker> {
    const { certificateThumbprint, nodeId, facilityId } = presenterOf(request.raw)
    if (certificateThumbprint !== undefined) {
      if (nodeId === undefined || facilityId === undefined) throw new RelayFault('certificate_refused', 'the certificate names no machine of a facility')
      return { facilityId, nodeId, practitionerId: null, practiceRole: 'service', bound: { 'x5t#S256': Buffer.from(certificateThumbprint, 'hex').toString('base64url') } }
    }
    const { signIns } = this.#options
    if (signIns === undefined) throw new RelayFault('sign_in_required', 'a client certificate is needed')
    const person = await signIns.verify(tokenOf(request), possessionOf(request))
    return { facilityId: person.facilityId, practitionerId: person.practitionerId, nodeId: null, practiceRole: person.role, bound: person.bound }
  }
}

function tokenOf({ headers }: FastifyRequest): string {
  const token = /^(?:Bearer|DPoP) ([\w.-]+)$/i.exec(headers.authorization ?? '')?.[1]
  if (token === undefined || token.length > MAX_TOKEN_CHARACTERS) throw new RelayFault('sign_in_required', 'a token is needed')
  return token
}
