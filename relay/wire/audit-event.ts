/**
 * What is recorded of the platform: that somebody did something, was allowed or refused it, or how good it was.
 * Ids, numbers and words of closed sets only: nothing here can name a patient, and no text of a person's fits in.
 * `docs/AUDIT.md` explains each kind.
 */
import { z } from 'zod'
import { AccessAction, ConsentId, ConsentState, EmergencyReason, FacilityId, GrantId, LinkCondition, NodeId, PracticeRole, PractitionerId, Purpose, ServiceId } from './access.ts'
import { FAULT_CODES } from './fault.ts'
import { ConsultationId, MAX_RENDITIONS, MemberId, PublicationId, RecordingId, RenditionId, SessionId, Sha256, SlideId, StillId } from './ids.ts'
import { LinkName } from './link.ts'

/** Milliseconds since the epoch. */
const epochMillis = z.int().min(0).max(8_640_000_000_000_000)
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const ratio = z.number().min(0).max(1)
const millis = z.number().min(0).max(86_400_000)
/** Serial number of a certificate, or its SHA-256 thumbprint, in lower-case hexadecimal. */
const certificate = z.string().regex(/^[0-9a-f]{1,64}$/, 'expected 1 to 64 lower-case hexadecimal digits')

/** Who did it, as far as it is verified. Alone a node knows members by their invitations; on the platform it knows all of it. */
export const AuditActor = z.strictObject({
  memberId: MemberId.optional(),
  practitionerId: PractitionerId.optional(),
  facilityId: FacilityId.optional(),
  nodeId: NodeId.optional(),
  role: PracticeRole.optional(),
  /** What the member does in the consultation. */
  seat: z.enum(['microscope', 'viewer', 'technician', 'scanner']).optional(),
})
export type AuditActor = z.infer<typeof AuditActor>

/** How it went: `ok`, or the code of the fault that it was refused with or failed by. */
const Outcome = z.enum(['ok', ...FAULT_CODES])

const who = { /** When it happened, by the clock of the recording node. */ atMillis: epochMillis, actor: AuditActor }

/** What was decided about one action. */
export const AuditedVerdict = z.strictObject({
  action: AccessAction,
  isAllowed: z.boolean(),
  consent: ConsentState,
})

/** Somebody asked for a grant, and was given or refused it. */
export const DecisionEvent = z.strictObject({
  kind: z.literal('decision'),
  ...who,
  consultationId: ConsultationId.nullable(),
  purpose: Purpose,
  isEmergency: z.boolean(),
  /** Why, where somebody said so. */
  emergencyReason: EmergencyReason.optional(),
  isParticipant: z.boolean(),
  consentId: ConsentId.nullable(),
  /** Null when nothing was granted. */
  grantId: GrantId.nullable(),
  validUntilMillis: epochMillis.nullable(),
  outcome: Outcome,
  verdicts: z.array(AuditedVerdict).max(AccessAction.options.length),
  links: z
    .array(z.strictObject({ link: LinkName, condition: LinkCondition, headRoomBitsPerSecond: z.number().min(0), reservedBitsPerSecond: z.number().min(0) }))
    .max(16),
  /** What it was decided by. */
  policySha256: Sha256.nullable(),
  registryVersion: count.nullable(),
})

/** What somebody did with what. */
export const ACCESSES = [
  'join', 'leave', 'publish', 'view_live', 'speak',
  'take_stage', 'release_stage', 'hand_over_stage', 'stop_stage',
  'keep_still', 'view_still', 'delete_still',
  'start_recording', 'stop_recording', 'view_recording', 'delete_recording',
  'send_slide', 'complete_slide', 'list_slides', 'open_slide', 'annotate_slide', 'export_slide', 'delete_slide',
  'use_service', 'administer',
] as const

/** Somebody did something. Recorded before it is done, with `ok`; what fails afterwards is recorded once more, with why. */
export const AccessEvent = z.strictObject({
  kind: z.literal('access'),
  ...who,
  access: z.enum(ACCESSES),
  consultationId: ConsultationId.nullable(),
  grantId: GrantId.optional(),
  subject: z
    .strictObject({
      sessionId: SessionId.optional(),
      /** Whom the stage was handed to. */
      toSessionId: SessionId.optional(),
      publicationId: PublicationId.optional(),
      slideId: SlideId.optional(),
      stillId: StillId.optional(),
      recordingId: RecordingId.optional(),
      serviceId: ServiceId.optional(),
    })
    .default({}),
  outcome: Outcome,
})

/** What one member was sent of one slide within a minute: one event, however many tiles. */
export const ReadingEvent = z.strictObject({
  kind: z.literal('reading'),
  ...who,
  consultationId: ConsultationId,
  grantId: GrantId.optional(),
  slideId: SlideId,
  fromMillis: epochMillis,
  tiles: count,
  /** By level, 0 the finest; `area` in tiles of the level, both ends included. */
  levels: z
    .array(z.strictObject({ level: z.int().min(0).max(63), tiles: count, area: z.strictObject({ left: count, top: count, right: count, bottom: count }) }))
    .max(64),
})

/** How one member steered the microscope's stage within a minute: one event, however many moves. */
export const SteeringEvent = z.strictObject({
  kind: z.literal('steering'),
  ...who,
  consultationId: ConsultationId,
  grantId: GrantId.optional(),
  fromMillis: epochMillis,
  /** Commands that were passed on, and that were not. */
  moves: count,
  refused: count,
})

/** A consent was registered. */
export const ConsentEvent = z.strictObject({ kind: z.literal('consent'), ...who, consentId: ConsentId, validUntilMillis: epochMillis, sha256: Sha256 })

/** A consent was withdrawn, and what ended by that. */
export const WithdrawalEvent = z.strictObject({
  kind: z.literal('withdrawal'),
  ...who,
  consentId: ConsentId,
  by: z.enum(['patient', 'desk']),
  endedGrants: z.array(GrantId).max(1024),
})

/** Somebody or something may no longer take part. */
export const RevocationEvent = z.strictObject({
  kind: z.literal('revocation'),
  ...who,
  revoked: z.discriminatedUnion('what', [
    z.strictObject({ what: z.literal('certificate'), certificate }),
    z.strictObject({ what: z.literal('facility'), facilityId: FacilityId }),
    z.strictObject({ what: z.literal('node'), nodeId: NodeId }),
    z.strictObject({ what: z.literal('practitioner'), practitionerId: PractitionerId }),
    z.strictObject({ what: z.literal('service'), serviceId: ServiceId }),
    z.strictObject({ what: z.literal('grant'), grantId: GrantId }),
  ]),
  endedGrants: z.array(GrantId).max(1024),
})

/** What is decided by is another. */
export const ConfigurationEvent = z.strictObject({
  kind: z.literal('configuration'),
  ...who,
  what: z.enum(['node_started', 'node_stopped', 'settings', 'registry', 'policy', 'link', 'service']),
  version: count.optional(),
  sha256: Sha256.optional(),
  link: LinkName.optional(),
  serviceId: ServiceId.optional(),
})

/** A step of joining the platform, or of leaving it. */
export const CeremonyEvent = z.strictObject({
  kind: z.literal('ceremony'),
  ...who,
  step: z.enum(['requested', 'approved', 'refused', 'issued', 'accepted', 'renewed', 'left']),
  facilityId: FacilityId,
  nodeId: NodeId.optional(),
  certificate: certificate.optional(),
})

/** Somebody signed in, or was turned away. */
export const SignInEvent = z.strictObject({ kind: z.literal('sign_in'), ...who, method: z.enum(['hpki', 'webauthn', 'certificate', 'demonstration']), outcome: Outcome })

/** What was sent or received of one rendition within a minute: how much, and its digest. */
export const MediaDigest = z.strictObject({ packets: count, bytes: count, sha256: Sha256 })
export type MediaDigest = z.infer<typeof MediaDigest>

/** How good a consultation was in one minute. */
export const QualityEvent = z.strictObject({
  kind: z.literal('quality'),
  ...who,
  consultationId: ConsultationId,
  publicationId: PublicationId,
  fromMillis: epochMillis,
  link: LinkName.or(z.literal('local')),
  renditions: z
    .array(
      z.strictObject({
        renditionId: RenditionId,
        packets: count,
        bytes: count,
        lostPackets: count,
        /** The last minute of media that ended within this one, as the agent computed it over what it sent, and as the link's receiver did over what came; null where nobody did. */
        sent: MediaDigest.nullable(),
        received: MediaDigest.nullable(),
      }),
    )
    .max(MAX_RENDITIONS),
  viewers: z
    .array(
      z.strictObject({
        memberId: MemberId,
        /** The least reported. */
        framesPerSecond: z.number().min(0).max(1000),
        /** The least reported part of the visible image that was shown in all its detail. */
        nativePixelRatio: ratio,
        freezes: count,
        longestFreezeMillis: millis,
      }),
    )
    .max(1000),
  /** Null where media come by no link. */
  linkQuality: z.strictObject({ roundTripMillis: millis.nullable(), lossRatio: ratio.nullable(), lostPackets: count }).nullable(),
})

/** What befell the log itself. */
export const LogEvent = z.strictObject({
  kind: z.literal('log'),
  ...who,
  what: z.enum(['opened', 'recovered', 'closed', 'queued', 'dropped']),
  /** `recovered`: bytes of an unfinished write that a crash left, which were moved aside. */
  cutBytes: count.optional(),
  /** `queued`, `dropped`: events of an emergency that could not be recorded in time, or at all. */
  events: count.optional(),
})

/** Everything that is recorded, by kind. */
export const AuditEvent = z.discriminatedUnion('kind', [
  DecisionEvent, AccessEvent, ReadingEvent, SteeringEvent, ConsentEvent, WithdrawalEvent, RevocationEvent,
  ConfigurationEvent, CeremonyEvent, SignInEvent, QualityEvent, LogEvent,
])
export type AuditEvent = z.infer<typeof AuditEvent>
/** What an event is given as: `subject` of an access may be left out. */
export type AuditEventInput = z.input<typeof AuditEvent>
export type AuditKind = AuditEvent['kind']
/** Every kind. */
export const AUDIT_KINDS = ['decision', 'access', 'reading', 'steering', 'consent', 'withdrawal', 'revocation', 'configuration', 'ceremony', 'sign_in', 'quality', 'log'] as const satisfies readonly AuditKind[]

/** Proof that an event is on disk: its number, counted from 0, and its leaf in the log's tree. @see RFC 9162 section 2.1.1 */
export interface AuditReceipt {
  readonly sequence: number
  readonly leaf: Sha256
}

/** Where events are recorded. */
export interface AuditLog {
  /**
   * Settles when the event is on disk for good: what it is about may proceed then, and not before.
   *
   * @throws {RelayFault} `not_recorded`; `bad_message` for an event that is none.
   */
  record(event: AuditEventInput): Promise<AuditReceipt>
  /**
   * The same for an emergency, which proceeds in any case: what cannot be recorded waits in memory and is tried again.
   *
   * @returns Undefined while it waits.
   * @throws {RelayFault} `not_recorded` when too many wait already.
   */
  recordEmergency(event: AuditEventInput): Promise<AuditReceipt | undefined>
}
