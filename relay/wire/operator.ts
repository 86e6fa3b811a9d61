/** What operators of the platform see: what the core knows, and what nodes tell it of themselves. No patient, and no member's own name. */
import { z } from 'zod'
import { AccessAction, ConsentId, FacilityId, GrantId, NodeId, PracticeRole, PractitionerId, Purpose, ServiceId } from './access.ts'
import { AUDIT_KINDS, AuditEvent } from './audit-event.ts'
import { ConsultationId, Sha256 } from './ids.ts'
import { LINK_CLASSES, LinkName } from './link.ts'

const epochMillis = z.int().min(0).max(8_640_000_000_000_000)
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const rate = z.number().min(0).max(1e13)
const status = z.enum(['active', 'suspended'])

/** How often a node tells the core of itself, in milliseconds. */
export const REPORT_INTERVAL_MILLIS = 2000
/** What a node said longer ago than this is told as old, in milliseconds. */
export const REPORT_STALE_MILLIS = 10_000
/** Grants in one report; a node with more says how many it has. */
export const MAX_REPORTED_GRANTS = 1000
/** Entries of one answer to a search. */
export const MAX_AUDIT_ENTRIES = 100

/** How one link is, as a node of it measures. */
export const ReportedLink = z.strictObject({
  link: LinkName,
  paths: z.int().min(0).max(64),
  livePaths: z.int().min(0).max(64),
  /** Of the quickest path that lives; null while unknown. */
  roundTripMillis: z.number().min(0).max(600_000).nullable(),
  /** Lost of what was sent towards the node in ten seconds, before repair: the worst path. */
  lossRatio: z.number().min(0).max(1).nullable(),
  inBitsPerSecond: rate,
  outBitsPerSecond: rate,
  /** It falls short of what was agreed. */
  isDegraded: z.boolean(),
})
export type ReportedLink = z.infer<typeof ReportedLink>

/** A permission that holds at a node now. */
export const ReportedGrant = z.strictObject({
  grantId: GrantId,
  consultationId: ConsultationId,
  facilityId: FacilityId,
  practitionerId: PractitionerId.nullable(),
  nodeId: NodeId.nullable(),
  role: PracticeRole,
  purpose: Purpose,
  isEmergency: z.boolean(),
  actions: z.array(AccessAction).max(AccessAction.options.length),
  validUntilMillis: epochMillis,
})
export type ReportedGrant = z.infer<typeof ReportedGrant>

/** What a node tells the core of itself. */
export const NodeReport = z.strictObject({
  links: z.array(ReportedLink).max(1024),
  grants: z.array(ReportedGrant).max(MAX_REPORTED_GRANTS),
  /** All that it has, reported or not. */
  grantCount: count,
})
export type NodeReport = z.infer<typeof NodeReport>

/** What is looked for in audit logs. All that is named has to fit. */
export const AuditSearch = z.strictObject({
  kind: z.enum(AUDIT_KINDS).optional(),
  consultationId: ConsultationId.optional(),
  practitionerId: PractitionerId.optional(),
  facilityId: FacilityId.optional(),
  fromMillis: epochMillis.optional(),
  untilMillis: epochMillis.optional(),
  limit: z.int().min(1).max(MAX_AUDIT_ENTRIES).default(50),
})
export type AuditSearch = z.infer<typeof AuditSearch>

/** What came of verifying a log: by whom it was is said where this stands. */
export const LogCheck = z.strictObject({
  /** `busy`: it is being verified for the first time. */
  state: z.enum(['intact', 'altered', 'unreadable', 'busy']),
  events: count,
  /** Places that are not what was written. */
  findings: count,
  /** Root of the tree under the last signed head; null for an empty log. */
  root: Sha256.nullable(),
  checkedAtMillis: epochMillis.nullable(),
})
export type LogCheck = z.infer<typeof LogCheck>

/** One event and its number in its log. */
export const FoundEntry = z.strictObject({ sequence: count, recordedAtMillis: epochMillis, event: AuditEvent })
export type FoundEntry = z.infer<typeof FoundEntry>

/** What one log has of what was looked for, the newest first. */
export const AuditFindings = z.strictObject({ entries: z.array(FoundEntry).max(MAX_AUDIT_ENTRIES), hasMore: z.boolean(), check: LogCheck })
export type AuditFindings = z.infer<typeof AuditFindings>

/** The answer to a search: of the core's own log and of those of the nodes that hear it. */
export const AuditSearchAnswer = z.strictObject({
  logs: z.array(
    z.strictObject({
      /** The node whose log it is; null for the core's. */
      nodeId: NodeId.nullable(),
      /** Null where the node did not answer in time. */
      findings: AuditFindings.nullable(),
    }),
  ),
})
export type AuditSearchAnswer = z.infer<typeof AuditSearchAnswer>

const certificate = z.strictObject({ thumbprint: Sha256, notAfterMillis: epochMillis, isRevoked: z.boolean() })

/** Everything of the page but audit, as it stands at one moment. */
export const OperatorOverview = z.strictObject({
  atMillis: epochMillis,
  /** Who looks; null for whoever can read the core's folder. */
  operator: PractitionerId.nullable(),
  registryVersion: count,
  registryExpiresAtMillis: epochMillis,
  facilities: z.array(z.strictObject({ id: FacilityId, displayName: z.string(), status })),
  nodes: z.array(
    z.strictObject({
      id: NodeId,
      facilityId: FacilityId,
      kind: z.enum(['node', 'agent']),
      status,
      /** The newest; null where none was issued. */
      certificate: certificate.nullable(),
      /** It hears the core at this moment. */
      isListening: z.boolean(),
      /** Null when it never told anything since the core started. */
      reportedAtMillis: epochMillis.nullable(),
    }),
  ),
  practitioners: z.array(z.strictObject({ id: PractitionerId, facilityId: FacilityId, role: PracticeRole, status })),
  services: z.array(z.strictObject({ id: ServiceId, facilityId: FacilityId, kind: z.string(), status: z.enum(['active', 'suspended', 'quarantined']) })),
  links: z.array(
    z.strictObject({
      name: LinkName,
      /** Null for one that a node has and the registry does not. */
      registered: z.strictObject({ class: z.enum(LINK_CLASSES), between: z.tuple([FacilityId, FacilityId]), bitsPerSecond: rate, status }).nullable(),
      reports: z.array(z.strictObject({ nodeId: NodeId, atMillis: epochMillis, report: ReportedLink })),
    }),
  ),
  consultations: z.array(
    z.strictObject({
      consultationId: ConsultationId,
      hostFacilityId: FacilityId,
      participants: z.array(FacilityId),
      purpose: Purpose,
      validUntilMillis: epochMillis,
      consents: z.array(z.strictObject({ consentId: ConsentId, validUntilMillis: epochMillis, withdrawnAtMillis: epochMillis.nullable() })),
    }),
  ),
  grants: z.array(z.strictObject({ at: NodeId, grant: ReportedGrant })),
  requests: z.array(
    z.strictObject({ keyThumbprint: Sha256, facilityId: FacilityId, nodeId: NodeId, kind: z.enum(['node', 'agent']), hostNames: z.array(z.string()), isNewFacility: z.boolean() }),
  ),
  /** Files among the requests that are none. */
  unreadableRequests: count,
})
export type OperatorOverview = z.infer<typeof OperatorOverview>
