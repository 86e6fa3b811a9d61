import { DecisionQuestions } from '../../relay/wire/decision.ts'
import { parsePart, refuseByCode } from '../slides/slide-replies.ts'
import type { AccessPolicy } from '../../relay/access/policy/access-policy.ts'
import type { OperatorVerifier } from '../../relay/access/operator-token.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { DecisionAnswers } from '../../relay/wire/decision.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** {@link DecisionQuestions} are about 220 bytes each. */
const BODY_LIMIT_BYTES = 256 * 1024

/** What the routes below `/access` stand on. */
export interface AccessRoutesOptions {
  readonly policy: AccessPolicy
  readonly operators: OperatorVerifier
  readonly log: Logger
}

/** The routes below `/access`; see `docs/ACCESS.md`. */
export class AccessRoutes {
  readonly #options: AccessRoutesOptions

  constructor(options: AccessRoutesOptions) {
    this.#options = options
  }

  /** Adds them to a server. */
  addTo(app: FastifyInstance): void {
    void app.register((scope, _options, done) => {
      this.#addRoutes(scope)
      done()
    }, { prefix: '/access' })
  }

  #addRoutes(app: FastifyInstance): void {
    const { policy, operators, log } = this.#options
    refuseByCode(app, log)
    app.addHook('onRequest', async (_request, reply) => void reply.header('cache-control', 'no-store'))
    // Before the body is read: whoever is no operator costs nothing.
    const operator = { bodyLimit: BODY_LIMIT_BYTES, onRequest: async ({ headers }: Pick<FastifyRequest, 'headers'>) => operators.verify(headers.authorization) }

    app.post('/decide', operator, (request): DecisionAnswers => {
      const { questions } = parsePart(DecisionQuestions, request.body)
      const decisions = questions.map(facts => policy.decide(facts))
      return { decisions: decisions.map(({ policies, ...decision }) => ({ ...decision, policies: [...policies] })) }
    })
  }
}
