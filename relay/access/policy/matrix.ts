import { ACCESS_ACTIONS, CONSENT_STATES, LINK_CONDITIONS, PRACTICE_ROLES } from '../../wire/access.ts'
import type { AccessFacts, PracticeRole, Purpose } from '../../wire/access.ts'

/** What each role is there for in the matrix. */
export const MATRIX_PURPOSES: Readonly<Record<PracticeRole, Purpose>> = {
  pathologist: 'consultation',
  technician: 'consultation',
  referring_physician: 'consultation',
  trainee: 'teaching',
  operator: 'operation',
  service: 'consultation',
}

/** What all cells have in common: a facility that takes part, a line with room, no emergency. */
const COMMON = { headRoomBitsPerSecond: 1_000_000_000, isParticipant: true, isEmergency: false } as const

/** The authorisation matrix: every role, action, consent state and link condition, in this order. 1,680 questions. */
export function matrixCells(): AccessFacts[] {
  return PRACTICE_ROLES.flatMap(role =>
    ACCESS_ACTIONS.flatMap(action =>
      CONSENT_STATES.flatMap(consent => LINK_CONDITIONS.map(link => ({ ...COMMON, role, action, purpose: MATRIX_PURPOSES[role], consent, link }))),
    ),
  )
}
