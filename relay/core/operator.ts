import { presenterOf } from '../access/doors/presenter.ts'
import { RelayFault } from '../wire/fault.ts'
import type { IncomingMessage } from 'node:http'
import type { AccessPolicy } from '../access/policy/access-policy.ts'
import type { RegistryContents } from '../access/registry/registry.ts'
import type { PractitionerId } from '../wire/access.ts'
import type { AuditActor } from '../wire/audit-event.ts'

/** Who acts for the platform. */
export interface Operator {
  /** Null for whoever can read the core's folder. */
  readonly practitionerId: PractitionerId | null
  /** As they stand in records. */
  readonly actor: AuditActor
}

/** Whoever can read the core's folder. */
export const FOLDER_OPERATOR: Operator = { practitionerId: null, actor: { role: 'operator' } }

/**
 * Who operates, by the certificate of the connection, the registry and the policy.
 *
 * @throws {RelayFault} `registry_refused` for a certificate of nobody in the registry; `policy_refused` for somebody whom the policy does not let administer, with the actor noted by `onRefused` before.
 */
export async function operatorOf(request: IncomingMessage, { facilities, practitioners }: RegistryContents, policy: AccessPolicy, onRefused: (actor: AuditActor) => Promise<void>): Promise<Operator> {
  const { certificateThumbprint } = presenterOf(request)
  const isKnownBy = (certificates: readonly string[] = []): boolean => certificateThumbprint !== undefined && certificates.includes(certificateThumbprint)
  const person = practitioners.find(({ certificates, status }) => status === 'active' && isKnownBy(certificates))
  const isOfActive = facilities.some(({ id, status }) => id === person?.facilityId && status === 'active')
  if (person === undefined || !isOfActive) throw new RelayFault('registry_refused', 'nobody in the registry has this certificate')
  const { id: practitionerId, facilityId, role } = person
  const actor = { practitionerId, facilityId, role }
  // Nothing of a patient's is at the core, and no link is crossed to it.
  const decision = policy.decide({ role, action: 'administer', purpose: 'operation', consent: 'none', link: 'sinet', headRoomBitsPerSecond: 0, isParticipant: false, isEmergency: false })
  if (decision.isAllowed) return { practitionerId, actor }
  await onRefused(actor)
  throw new RelayFault(decision.fault ?? 'policy_refused', 'the policy does not let this person administer')
}
