/** The words of the network core: who asks, for what, why, and what stands in the way. */
import { z } from 'zod'
import { name } from './ids.ts'

/** A hospital, university or company that joined the platform. */
export const FacilityId = name.brand('FacilityId')
export type FacilityId = z.infer<typeof FacilityId>

/** A machine of a facility that runs kenkyo: a node, a capture or a scanner agent. The name in its certificate. */
export const NodeId = name.brand('NodeId')
export type NodeId = z.infer<typeof NodeId>

/** A person who acts for a facility; never a patient. */
export const PractitionerId = name.brand('PractitionerId')
export type PractitionerId = z.infer<typeof PractitionerId>

/** Something that is offered to all members by name. */
export const ServiceId = name.brand('ServiceId')
export type ServiceId = z.infer<typeof ServiceId>

/** One patient's signed consent. Named at random, never for the patient. */
export const ConsentId = z.uuid().brand('ConsentId')
export type ConsentId = z.infer<typeof ConsentId>

/** One permission given to one member. */
export const GrantId = z.uuid().brand('GrantId')
export type GrantId = z.infer<typeof GrantId>

/** What somebody is to the platform, as the registry and the certificate say. */
export const PRACTICE_ROLES = ['pathologist', 'technician', 'referring_physician', 'trainee', 'operator', 'service'] as const
export const PracticeRole = z.enum(PRACTICE_ROLES)
export type PracticeRole = z.infer<typeof PracticeRole>

/** What can be asked of a node. */
export const ACCESS_ACTIONS = [
  'publish_live',
  'view_live',
  'speak',
  'point',
  'steer_stage',
  'keep_still',
  'record',
  'view_recording',
  'send_slide',
  'view_slide',
  'annotate',
  'export_slide',
  'use_service',
  'administer',
] as const
export const AccessAction = z.enum(ACCESS_ACTIONS)
export type AccessAction = z.infer<typeof AccessAction>

/** How the patient's consent stands towards what is asked. `other_purpose`: valid, but not for this. */
export const CONSENT_STATES = ['none', 'valid', 'withdrawn', 'expired', 'other_purpose'] as const
export const ConsentState = z.enum(CONSENT_STATES)
export type ConsentState = z.infer<typeof ConsentState>

/** How the link stands that is asked to carry it: its class by contract; `degraded` while it measurably is; `unregistered` when the registry knows none. */
export const LINK_CONDITIONS = ['sinet', 'best_effort', 'degraded', 'unregistered'] as const
export const LinkCondition = z.enum(LINK_CONDITIONS)
export type LinkCondition = z.infer<typeof LinkCondition>

/** What it is asked for. */
export const PURPOSES = ['intraoperative_diagnosis', 'consultation', 'teaching', 'operation'] as const
export const Purpose = z.enum(PURPOSES)
export type Purpose = z.infer<typeof Purpose>

/** Why the glass is broken: chosen from a list, since what people write freely may name a patient. */
export const EMERGENCY_REASONS = ['frozen_section', 'danger_to_life', 'cannot_consent'] as const
export const EmergencyReason = z.enum(EMERGENCY_REASONS)
export type EmergencyReason = z.infer<typeof EmergencyReason>

/** Everything a decision is made from: verified facts only. */
export const AccessFacts = z
  .strictObject({
    role: PracticeRole,
    action: AccessAction,
    purpose: Purpose,
    consent: ConsentState,
    link: LinkCondition,
    /** What the link can still carry, in bits per second, after what is reserved on it. */
    headRoomBitsPerSecond: z.number().min(0),
    /** Whether the asker's facility takes part in the consultation that this is about. */
    isParticipant: z.boolean(),
    /** Somebody broke the glass: loud, time-boxed and always audited. */
    isEmergency: z.boolean(),
  })
  .readonly()
export type AccessFacts = z.infer<typeof AccessFacts>
