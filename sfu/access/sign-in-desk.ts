import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import type { Possession } from '../../relay/access/grants/proof-of-possession.ts'
import type { ProofReader, SignInEvidence, SignInTokens } from '../../relay/access/practitioners/sign-in-tokens.ts'
import type { RegistryView } from '../../relay/access/registry/registry.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { SignInAnswer } from '../../relay/wire/sign-in.ts'

/** By what somebody signs in, as it is recorded. */
export type SignInMethod = Extract<AuditEventInput, { kind: 'sign_in' }>['method']

/**
 * One way of finding out who somebody is: the card in a reader at the listener for cards, a passkey, a ticket. The
 * second-generation card, which is used over a remote service without a reader, would be another; there is none.
 *
 * @throws {RelayFault} Why it does not count.
 */
export type ProveIdentity = () => Promise<SignInEvidence>

/** What the desk stands on. */
export interface SignInDeskOptions {
  readonly tokens: Pick<SignInTokens, 'issue'>
  readonly registry: Pick<RegistryView, 'facility'>
  readonly audit: { record(event: AuditEventInput): Promise<unknown> }
  readonly log: Logger
}

/** Where every way of signing in ends: with a token that is given out once it is recorded, or a refusal that is recorded. */
export class SignInDesk {
  readonly #options: SignInDeskOptions

  constructor(options: SignInDeskOptions) {
    this.#options = options
  }

  /**
   * Lets somebody sign in, or records why not.
   *
   * @param prove - Finds out who it is.
   * @param proofs - Of the door where it happens, when that has an origin of its own.
   * @throws {RelayFault} whatever `prove` throws, and as `SignInTokens.issue`; `not_recorded`.
   */
  async signIn(method: SignInMethod, possession: Possession, prove: ProveIdentity, proofs?: ProofReader): Promise<SignInAnswer> {
    const { tokens, registry, audit, log } = this.#options
    let evidence: SignInEvidence | undefined
    try {
      evidence = await prove()
      const { token, practitioner, validUntilMillis } = await tokens.issue(evidence, possession, proofs)
      const { id, facilityId, role, displayName } = practitioner
      const facility = registry.facility(facilityId)
      if (facility === undefined) throw new RelayFault('access_revoked', 'the facility does not belong to the platform')
      await audit.record({ kind: 'sign_in', atMillis: Date.now(), actor: { practitionerId: id, facilityId, role }, method, outcome: 'ok' })
      log.info({ practitionerId: id, method }, 'somebody signed in')
      return { token, practitionerId: id, displayName, facilityId, facilityName: facility.displayName, role, methods: [...evidence.methods], validUntilMillis }
    } catch (error) {
      this.#refused(method, error, evidence)
      throw error
    }
  }

  #refused(method: SignInMethod, error: unknown, evidence: SignInEvidence | undefined): void {
    const { audit, log } = this.#options
    const { code } = toFault(error)
    const actor = evidence === undefined ? {} : { practitionerId: evidence.practitionerId }
    // It is refused already: that cannot be refused any more.
    audit.record({ kind: 'sign_in', atMillis: Date.now(), actor, method, outcome: code }).catch((failure: unknown) => log.error({ code: toFault(failure).code }, 'a refused sign-in is not recorded'))
  }
}
