import { OperatorOverview } from '../wire/operator.ts'
import type { CoreDesk } from '../access/core/core-desk.ts'
import type { NodeReports } from '../access/core/node-reports.ts'
import type { IssuedCertificate } from '../access/pki/ca-ledger.ts'
import type { PendingRequest } from '../access/pki/enrolment.ts'
import type { NodeId } from '../wire/access.ts'
import type { Operator } from './operator.ts'

/** What an overview is made from. */
export interface OverviewSources {
  readonly desk: CoreDesk
  readonly reports: NodeReports
  readonly issued: readonly IssuedCertificate[]
  readonly pending: { readonly waiting: readonly PendingRequest[]; readonly unreadable: number }
}

/** A consultation that ended longer ago than this is not shown. */
const SHOWN_AFTER_END_MILLIS = 86_400_000

/** The platform at one moment. @param nowMillis - Since the epoch. */
export function overviewOf({ desk, reports, issued, pending }: OverviewSources, { practitionerId }: Operator, nowMillis: number): OperatorOverview {
  const { version, expiresAtMillis, facilities, nodes, practitioners, services } = desk.registry.contents
  const consents = Map.groupBy(desk.store.consents(), ({ consultationId }) => consultationId)
  const newest = newestByNode(issued)
  const listening = desk.listening()
  const known = new Set(nodes.map(({ id }) => id))
  reports.retain(id => known.has(id))
  return OperatorOverview.parse({
    atMillis: nowMillis,
    operator: practitionerId,
    registryVersion: version,
    registryExpiresAtMillis: expiresAtMillis,
    facilities,
    nodes: nodes.map(({ id, facilityId, kind, status }) => ({ id, facilityId, kind, status, certificate: newest.get(id) ?? null, isListening: listening.has(id), reportedAtMillis: reports.reportedAt(id) ?? null })),
    practitioners: practitioners.map(({ id, facilityId, role, status }) => ({ id, facilityId, role, status })),
    services: services.map(({ id, facilityId, kind, status }) => ({ id, facilityId, kind, status })),
    links: linksOf(desk, reports),
    consultations: desk.store
      .consultations()
      .filter(({ validUntilMillis }) => validUntilMillis > nowMillis - SHOWN_AFTER_END_MILLIS)
      .map(entry => ({ ...entry, consents: (consents.get(entry.consultationId) ?? []).map(({ consentId, validUntilMillis, withdrawnAtMillis }) => ({ consentId, validUntilMillis, withdrawnAtMillis })) })),
    grants: reports.grants(nowMillis),
    requests: pending.waiting.map(({ keyThumbprint, request: { facilityId, nodeId, kind, hostNames } }) => ({ keyThumbprint, facilityId, nodeId, kind, hostNames, isNewFacility: !facilities.some(({ id }) => id === facilityId) })),
    unreadableRequests: pending.unreadable,
  } satisfies OperatorOverview)
}

type ShownCertificate = NonNullable<OperatorOverview['nodes'][number]['certificate']>

function newestByNode(issued: readonly IssuedCertificate[]): ReadonlyMap<NodeId, ShownCertificate> {
  const newest = new Map<NodeId, ShownCertificate>()
  for (const { nodeId, thumbprint, notAfterMillis, revokedAtMillis } of issued) {
    if ((newest.get(nodeId)?.notAfterMillis ?? -1) < notAfterMillis) newest.set(nodeId, { thumbprint, notAfterMillis, isRevoked: revokedAtMillis !== null })
  }
  return newest
}

function linksOf({ registry }: CoreDesk, reports: NodeReports): OperatorOverview['links'] {
  const told = reports.links()
  const registered = registry.contents.links
  const named = registered.map(({ name, class: linkClass, between, bitsPerSecond, status }) => ({ name, registered: { class: linkClass, between, bitsPerSecond, status }, reports: [...(told.get(name) ?? [])] }))
  const strange = [...told].filter(([name]) => !registered.some(link => link.name === name)).map(([name, of]) => ({ name, registered: null, reports: [...of] }))
  return [...named, ...strange]
}
