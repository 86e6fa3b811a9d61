import { FacilityId, NodeId } from '../../relay/wire/access.ts'
import { ConsultationId } from '../../relay/wire/ids.ts'
import { TrialPlatform } from '../../scripts/demo/trial-platform.ts'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'
import type { ConsentStatement } from '../../relay/access/consent/consent-statement.ts'
import type { TestCard } from '../../relay/access/consent/test-card.ts'
import type { RegistryDraft } from '../../relay/access/registry/registry-ledger.ts'
import type { SignedTerms } from '../../scripts/demo/trial-platform.ts'

export const [HOSPITAL, UNIVERSITY] = [FacilityId.parse('hospital'), FacilityId.parse('university')]
export const CASE = ConsultationId.parse('case-1')
const HOUR = 3_600_000

const facility = (id: FacilityId) => ({ id, displayName: id, status: 'active' as const })
const machine = (id: string, facilityId: FacilityId, kind: 'node' | 'agent') => ({ id: NodeId.parse(id), facilityId, kind, status: 'active' as const })

/** What a platform of two facilities looks like. */
export const TWO_FACILITIES: RegistryDraft = {
  facilities: [facility(HOSPITAL), facility(UNIVERSITY)],
  nodes: [machine('hospital-desk', HOSPITAL, 'agent'), machine('university-node', UNIVERSITY, 'node')],
  links: [], services: [], practitioners: [], revokedCertificates: [],
}

/** A platform of two facilities, with a case of the hospital that the university takes part in. */
export class PlatformUnderTest extends TrialPlatform {
  static override async open(draft: RegistryDraft = TWO_FACILITIES): Promise<PlatformUnderTest> {
    const { core, folder, cards } = await TrialPlatform.open(draft)
    return new PlatformUnderTest(core, folder, cards)
  }

  /** Opens the case at the hospital, with the university taking part. */
  openCase(desk: CoreCredentials): Promise<void> {
    return this.openConsultation(desk, { consultationId: CASE, hostFacilityId: HOSPITAL, participants: [UNIVERSITY], purpose: 'consultation', validUntilMillis: Date.now() + HOUR })
  }

  /** A patient signs at the hospital's desk. */
  consent(desk: CoreCredentials, card: TestCard, change: Partial<SignedTerms> = {}): Promise<ConsentStatement> {
    return this.sign(desk, card, {
      consultationId: CASE, hostFacilityId: HOSPITAL, recipients: [HOSPITAL, UNIVERSITY], purposes: ['consultation'], scopes: ['live', 'slide'],
      validFromMillis: Date.now() - 1000, validUntilMillis: Date.now() + HOUR, ...change,
    })
  }
}
