import { z } from 'zod'
import { FacilityId, Purpose } from '../../wire/access.ts'
import { ConsultationId } from '../../wire/ids.ts'

/** One case as the platform knows it: whose it is, who takes part, and what for. */
export const ConsultationEntry = z.strictObject({
  consultationId: ConsultationId,
  /** Where the patient is. */
  hostFacilityId: FacilityId,
  /** Who else takes part. */
  participants: z.array(FacilityId).max(64),
  purpose: Purpose,
  /** Milliseconds since the epoch; after this nobody takes part. */
  validUntilMillis: z.int().min(0),
})
export type ConsultationEntry = z.infer<typeof ConsultationEntry>

/** Whether a facility takes part at this time, in milliseconds since the epoch. */
export function takesPart(entry: ConsultationEntry | undefined, facilityId: FacilityId, nowMillis: number): boolean {
  if (entry === undefined || entry.validUntilMillis <= nowMillis) return false
  return entry.hostFacilityId === facilityId || entry.participants.includes(facilityId)
}
