import { z } from 'zod'
import { FacilityId, NodeId, PractitionerId } from '../wire/access.ts'
import { RelayFault } from '../wire/fault.ts'
import type { RegistryLedger } from '../access/registry/registry-ledger.ts'
import type { PlatformCa } from '../access/pki/platform-ca.ts'
import type { AuditActor, AuditEventInput } from '../wire/audit-event.ts'

/** A person who is to operate, and the request for their certificate. */
export const NewOperator = z.strictObject({
  practitionerId: PractitionerId,
  displayName: z.string().min(1).max(128),
  facilityId: FacilityId,
  /** What to call a facility that is new. */
  facilityName: z.string().min(1).max(128).optional(),
  requestPem: z.string().min(1).max(16 * 1024),
})
export type NewOperator = z.infer<typeof NewOperator>

/** What the roster stands on. */
export interface OperatorRosterOptions {
  readonly ca: PlatformCa
  readonly registry: RegistryLedger
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Returns once it is recorded. @throws {RelayFault} `not_recorded`; then nothing happens. */
  readonly record: (event: AuditEventInput) => Promise<void>
}

/** Who operates the platform: people with certificates of its CA. */
export class OperatorRoster {
  readonly #options: OperatorRosterOptions

  constructor(options: OperatorRosterOptions) {
    this.#options = options
  }

  /**
   * Enters a person as an operator and issues their certificate, or a further one.
   *
   * @returns The chain, PEM.
   * @throws {RelayFault} `registry_refused` for a name that a machine or another person has, or a facility that is unknown and was not named; `certificate_refused` for a request that is none.
   */
  async add({ practitionerId, displayName, facilityId, facilityName, requestPem }: NewOperator, by: AuditActor): Promise<string> {
    const { ca, registry, now, record } = this.#options
    const { facilities, nodes, practitioners } = registry.contents
    const known = practitioners.find(({ id }) => id === practitionerId)
    // The certificate names its holder like a machine: no machine may have that name.
    const nodeId = NodeId.parse(practitionerId)
    const isTaken = nodes.some(({ id }) => id === nodeId) || (known !== undefined && (known.role !== 'operator' || known.facilityId !== facilityId))
    if (isTaken) throw new RelayFault('registry_refused', 'somebody or something else has this name')
    const isKnownFacility = facilities.some(({ id }) => id === facilityId)
    if (!isKnownFacility && facilityName === undefined) throw new RelayFault('registry_refused', 'this facility is new: name it')
    await record({ kind: 'configuration', atMillis: now(), actor: by, what: 'registry', version: registry.contents.version + 1 })
    const { entry, chainPem } = await ca.issue(requestPem, { facilityId, nodeId, kind: 'agent', dnsNames: [] }, now())
    await registry.edit(draft => ({
      ...draft,
      facilities: isKnownFacility || facilityName === undefined ? draft.facilities : [...draft.facilities, { id: facilityId, displayName: facilityName, status: 'active' as const }],
      practitioners: [
        ...draft.practitioners.filter(({ id }) => id !== practitionerId),
        { id: practitionerId, facilityId, role: 'operator' as const, displayName, status: 'active' as const, certificates: [...(known?.certificates ?? []), entry.thumbprint].slice(-16) },
      ],
    }))
    return chainPem
  }

  /** Suspends a practitioner of whatever role and revokes their certificates. @throws {RelayFault} `not_found`. */
  async revoke(practitionerId: PractitionerId, by: AuditActor): Promise<void> {
    const { ca, registry, now, record } = this.#options
    const person = registry.contents.practitioners.find(({ id }) => id === practitionerId)
    if (person === undefined) throw new RelayFault('not_found', 'nobody of this name is in the registry')
    const certificates = person.certificates ?? []
    await record({ kind: 'revocation', atMillis: now(), actor: by, revoked: { what: 'practitioner', practitionerId }, endedGrants: [] })
    await registry.edit(draft => ({
      ...draft,
      practitioners: draft.practitioners.map(each => (each.id === practitionerId ? { ...each, status: 'suspended' as const } : each)),
      revokedCertificates: [...new Set([...draft.revokedCertificates, ...certificates])],
    }))
    await ca.revoke(({ thumbprint }) => certificates.includes(thumbprint), now())
  }
}
