import type { AccessAction, AccessFacts, PracticeRole } from '../../relay/wire/access.ts'

/** One sentence of `docs/AUTHORISATION.md`, and what it says of facts. */
export interface Rule {
  readonly text: string
  readonly applies: (facts: AccessFacts) => boolean
}

const isOfPatient = ({ action }: AccessFacts): boolean => action !== 'administer'
const CAN_WAIT: readonly AccessAction[] = ['record', 'view_recording', 'export_slide', 'use_service', 'administer']
const isReplacedByEmergency = ({ isEmergency, action, role, purpose }: AccessFacts): boolean =>
  isEmergency && !CAN_WAIT.includes(action) && role !== 'trainee' && role !== 'operator' && (purpose === 'consultation' || purpose === 'intraoperative_diagnosis')

/** What is refused, whoever may otherwise do it. */
export const REFUSALS: readonly Rule[] = [
  { text: 'Nothing of a patient goes over a link that the registry does not know.', applies: facts => isOfPatient(facts) && facts.link === 'unregistered' },
  { text: 'A facility that takes no part in the consultation gets nothing of its patient.', applies: facts => isOfPatient(facts) && !facts.isParticipant },
  { text: 'Operation needs no patient: nothing of a patient is done for it.', applies: facts => isOfPatient(facts) && facts.purpose === 'operation' },
  { text: 'A withdrawn consent ends everything of the patient, in an emergency too.', applies: facts => isOfPatient(facts) && facts.consent === 'withdrawn' },
  {
    text: 'Without any consent nothing of the patient is done, unless an emergency stands in for it.',
    applies: facts => isOfPatient(facts) && facts.consent === 'none' && !isReplacedByEmergency(facts),
  },
  {
    text: 'An expired consent is none.',
    applies: facts => isOfPatient(facts) && facts.consent === 'expired' && !isReplacedByEmergency(facts),
  },
  {
    text: 'A consent for another purpose is none for this one: teaching needs a consent to teaching.',
    applies: facts => isOfPatient(facts) && facts.consent === 'other_purpose' && !isReplacedByEmergency(facts),
  },
  { text: 'Over a degraded link nothing is recorded.', applies: ({ action, link }) => action === 'record' && link === 'degraded' },
  { text: 'Over a degraded link nothing is replayed.', applies: ({ action, link }) => action === 'view_recording' && link === 'degraded' },
  { text: 'Over a degraded link no slide is exported.', applies: ({ action, link }) => action === 'export_slide' && link === 'degraded' },
  { text: 'A degraded link is for treatment: a trainee gets nothing over it.', applies: ({ role, link }) => role === 'trainee' && link === 'degraded' },
  {
    text: 'Live images and replays need 2 Mbit/s of head room, unless it is an emergency.',
    applies: ({ action, headRoomBitsPerSecond, isEmergency }) =>
      ['publish_live', 'view_live', 'view_recording'].includes(action) && headRoomBitsPerSecond < 2e6 && !isEmergency,
  },
  {
    text: 'For teaching they need 20 Mbit/s of head room, always.',
    applies: ({ action, purpose, headRoomBitsPerSecond }) =>
      ['publish_live', 'view_live', 'view_recording'].includes(action) && purpose === 'teaching' && headRoomBitsPerSecond < 20e6,
  },
  { text: 'No slide is exported for teaching.', applies: ({ action, purpose }) => action === 'export_slide' && purpose === 'teaching' },
  { text: 'A trainee is there for teaching and for nothing else.', applies: ({ role, purpose }) => role === 'trainee' && purpose !== 'teaching' },
  { text: 'A referring physician is there for the patient, not for teaching.', applies: ({ role, purpose }) => role === 'referring_physician' && purpose === 'teaching' },
  { text: 'Administering is operation, and done for no other purpose.', applies: ({ action, purpose }) => action === 'administer' && purpose !== 'operation' },
]

const may = (who: PracticeRole, ...actions: readonly AccessAction[]) => ({ role, action }: AccessFacts): boolean => role === who && actions.includes(action)

/** What each role may do, where nothing of the above refuses it. All else is refused. */
export const PERMISSIONS: readonly Rule[] = [
  { text: 'A pathologist sees the live image, slides and recordings.', applies: may('pathologist', 'view_live', 'view_slide', 'view_recording') },
  { text: 'A pathologist speaks and points.', applies: may('pathologist', 'speak', 'point') },
  { text: 'A pathologist steers the stage.', applies: may('pathologist', 'steer_stage') },
  { text: 'A pathologist annotates, keeps stills and records.', applies: may('pathologist', 'annotate', 'keep_still', 'record') },
  { text: 'A pathologist exports slides.', applies: may('pathologist', 'export_slide') },
  { text: 'A pathologist uses services.', applies: may('pathologist', 'use_service') },
  { text: 'A technician publishes the live image and sends slides.', applies: may('technician', 'publish_live', 'send_slide') },
  { text: 'A technician sees the live image that is published.', applies: may('technician', 'view_live') },
  { text: 'A technician speaks, points and steers the stage.', applies: may('technician', 'speak', 'point', 'steer_stage') },
  { text: 'A referring physician sees the live image and slides, and does not steer.', applies: may('referring_physician', 'view_live', 'view_slide') },
  { text: 'A referring physician speaks.', applies: may('referring_physician', 'speak') },
  { text: 'A trainee sees the live image, slides and recordings, and does nothing more.', applies: may('trainee', 'view_live', 'view_slide', 'view_recording') },
  { text: 'An operator administers, and sees no image of a patient.', applies: may('operator', 'administer') },
  { text: 'A service publishes the live image and sends slides: agents are services.', applies: may('service', 'publish_live', 'send_slide') },
  { text: 'A service uses services.', applies: may('service', 'use_service') },
]

/** What the text says of facts; written from it, and knowing nothing of the policies. */
export function oracleAllows(facts: AccessFacts): boolean {
  return PERMISSIONS.some(rule => rule.applies(facts)) && !REFUSALS.some(rule => rule.applies(facts))
}
