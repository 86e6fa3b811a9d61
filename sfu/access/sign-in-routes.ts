import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { AssertionBody, EnrolmentBody, TicketBody } from '../../relay/wire/sign-in.ts'
import { possessionOf } from '../slides/slide-access.ts'
import { parsePart, refuseByCode } from '../slides/slide-replies.ts'
import type { FastifyInstance, preHandlerHookHandler } from 'fastify'
import type { Passkeys } from '../../relay/access/practitioners/passkeys.ts'
import type { SignInTickets } from '../../relay/access/practitioners/sign-in-tickets.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { SignInAnswer } from '../../relay/wire/sign-in.ts'
import type { SignInDesk } from './sign-in-desk.ts'
import type { SignInLimiter } from './sign-in-limiter.ts'

const BODY_LIMIT_BYTES = 64 * 1024

/** What the routes below `/access/sign-in` stand on. */
export interface SignInRoutesOptions {
  readonly desk: SignInDesk
  readonly limiter: SignInLimiter
  readonly tickets: SignInTickets
  readonly passkeys: Passkeys
  /** Whether a ticket alone suffices. */
  readonly isDemonstration: boolean
  readonly log: Logger
}

/** Signing in at the node's own origin: with passkeys, and with tickets where that is allowed; see `docs/SIGN-IN.md`. */
export class SignInRoutes {
  readonly #options: SignInRoutesOptions

  constructor(options: SignInRoutesOptions) {
    this.#options = options
  }

  /** Adds them to a server. */
  addTo(app: FastifyInstance): void {
    void app.register((scope, _options, done) => {
      this.#addRoutes(scope)
      done()
    }, { prefix: '/access/sign-in' })
  }

  #addRoutes(app: FastifyInstance): void {
    const { desk, limiter, tickets, passkeys, isDemonstration, log } = this.#options
    const limits = { bodyLimit: BODY_LIMIT_BYTES }
    refuseByCode(app, log)
    app.addHook('onRequest', async ({ ip }, reply) => {
      void reply.header('cache-control', 'no-store')
      limiter.take(ip, systemClock.now())
    })
    const requirePasskeys: preHandlerHookHandler = (_request, _reply, done) => {
      done(passkeys.isPossible ? undefined : new RelayFault('unavailable', 'no browser has passkeys for an address'))
    }
    const withPasskeys = { ...limits, preHandler: requirePasskeys }

    app.post('/ticket', limits, (request): Promise<SignInAnswer> => {
      const { ticket } = parsePart(TicketBody, request.body)
      return desk.signIn('demonstration', possessionOf(request), async () => {
        if (!isDemonstration) throw new RelayFault('policy_refused', 'a ticket alone lets nobody in here')
        const { practitionerId, validUntilMillis } = await tickets.read(ticket)
        return { practitionerId, methods: ['demonstration'], holdsUntilMillis: validUntilMillis }
      })
    })
    app.post('/passkeys/enrolment-options', withPasskeys, async request => passkeys.enrolmentOptions(await tickets.read(parsePart(TicketBody, request.body).ticket)))
    app.post('/passkeys/enrolment', withPasskeys, (request): Promise<SignInAnswer> => {
      const { ticket, credential } = parsePart(EnrolmentBody, request.body)
      return desk.signIn('webauthn', possessionOf(request), async () => passkeys.enrol(await tickets.read(ticket), credential))
    })
    app.post('/passkeys/options', withPasskeys, () => passkeys.options())
    app.post('/passkeys', withPasskeys, (request): Promise<SignInAnswer> => {
      const { credential } = parsePart(AssertionBody, request.body)
      return desk.signIn('webauthn', possessionOf(request), () => passkeys.assert(credential))
    })
  }
}
