import { t } from 'tap'
import { FacilityId } from '../../wire/access.ts'
import { ConsultationId } from '../../wire/ids.ts'
import { ConsentStatement, SCOPE_OF_ACTION } from '../consent/consent-statement.ts'
import { ConsultationEntry, takesPart } from '../consultations/consultation-entry.ts'
import { CoreMirror } from './core-mirror.ts'
import { CORE_PATIENCE_MILLIS, decodeCoreMessage } from './core-stream.ts'
import type { ConsentQuery } from '../consent/consent-statement.ts'

const [CASE, OTHER] = [ConsultationId.parse('case-1'), ConsultationId.parse('case-2')]
const [HOSPITAL, UNIVERSITY, STRANGER] = [FacilityId.parse('hospital'), FacilityId.parse('university'), FacilityId.parse('stranger')]

const statement = (change: Partial<ConsentStatement> = {}): ConsentStatement =>
  ConsentStatement.parse({
    consentId: '6f9619ff-8b86-4011-b42d-00cf4fc964ff',
    consultationId: CASE,
    purposes: ['consultation'],
    scopes: ['live', 'slide'],
    recipients: [UNIVERSITY],
    validFromMillis: 1000,
    validUntilMillis: 9000,
    withdrawnAtMillis: null,
    ...change,
  })
const query = (change: Partial<ConsentQuery> = {}): ConsentQuery => ({ consultationId: CASE, purpose: 'consultation', action: 'view_live', facilityId: UNIVERSITY, nowMillis: 5000, ...change })
const entry = (change: Partial<ConsultationEntry> = {}): ConsultationEntry =>
  ConsultationEntry.parse({ consultationId: CASE, hostFacilityId: HOSPITAL, participants: [UNIVERSITY], purpose: 'consultation', validUntilMillis: 9000, ...change })

function open() {
  const time = { now: 0 }
  const snapshots: string[] = []
  const mirror = new CoreMirror({ take: async snapshot => (snapshots.push(snapshot), Promise.resolve(true)) }, () => time.now)
  const heard: string[] = []
  mirror.changed(consultationId => heard.push(consultationId))
  const begin = async (...statements: ConsentStatement[]): Promise<void> => {
    await mirror.take({ type: 'hello', protocol: 1, atMillis: 0 })
    for (const each of statements) await mirror.take({ type: 'consent', statement: each })
    await mirror.take({ type: 'consultation', entry: entry() })
    await mirror.take({ type: 'complete' })
  }
  return { time, mirror, heard, snapshots, begin }
}

t.test('consent stands as it was given: for whom, for what, until when', async t => {
  const { mirror, begin } = open()
  t.match(mirror.stateOf(query()), { state: 'none', consentId: null })
  await begin(statement())
  t.match(mirror.stateOf(query()), { state: 'valid', validUntilMillis: 9000 })
  t.match(mirror.stateOf(query({ facilityId: STRANGER })), { state: 'none' })
  t.match(mirror.stateOf(query({ nowMillis: 999 })), { state: 'none' }, 'not yet')
  t.match(mirror.stateOf(query({ nowMillis: 9000 })), { state: 'expired', validUntilMillis: null })
  t.match(mirror.stateOf(query({ purpose: 'teaching' })), { state: 'other_purpose' })
  t.match(mirror.stateOf(query({ action: 'record' })), { state: 'other_purpose' })
  t.match(mirror.stateOf(query({ action: 'export_slide' })), { state: 'other_purpose' })
  t.match(mirror.stateOf(query({ consultationId: OTHER })), { state: 'none' })
  t.equal(SCOPE_OF_ACTION.administer, null)
})

t.test('a withdrawal is heard at once and ends what it was given for, not what another consent covers', async t => {
  const { mirror, heard, begin } = open()
  await begin(statement())
  heard.length = 0
  await mirror.take({ type: 'consent', statement: statement({ withdrawnAtMillis: 5000 }) })
  t.same(heard, [CASE])
  t.match(mirror.stateOf(query()), { state: 'withdrawn' })
  await mirror.take({ type: 'consent', statement: statement({ consentId: ConsentStatement.shape.consentId.parse('7f9619ff-8b86-4011-b42d-00cf4fc964ff'), validUntilMillis: 6000 }) })
  t.match(mirror.stateOf(query()), { state: 'valid', validUntilMillis: 6000 })
})

t.test('a new stream replaces what the old one told, when it is complete and not before', async t => {
  const { mirror, heard, begin } = open()
  await begin(statement())
  await mirror.take({ type: 'hello', protocol: 1, atMillis: 0 })
  t.match(mirror.stateOf(query()), { state: 'valid' }, 'still the old one')
  heard.length = 0
  await mirror.take({ type: 'complete' })
  t.same(heard, [CASE], 'whoever depended on it looks again')
  t.match(mirror.stateOf(query()), { state: 'none' })
  t.equal(mirror.consultation(CASE), undefined)
})

t.test('the core counts as reachable only once it was heard in full, and ten seconds after its last word', async t => {
  const { time, mirror, begin } = open()
  t.notOk(mirror.isReachable)
  await mirror.take({ type: 'hello', protocol: 1, atMillis: 0 })
  await mirror.take({ type: 'heartbeat', atMillis: 0 })
  t.notOk(mirror.isReachable, 'half a stream')
  await begin()
  t.ok(mirror.isReachable)
  time.now = CORE_PATIENCE_MILLIS + 1
  t.notOk(mirror.isReachable)
  await mirror.take({ type: 'heartbeat', atMillis: 0 })
  t.ok(mirror.isReachable)
})

t.test('a registry goes to the cache', async t => {
  const { mirror, snapshots } = open()
  await mirror.take({ type: 'registry', snapshot: 'a.b.c' })
  t.same(snapshots, ['a.b.c'])
})

t.test('who takes part does so until the case is over', async t => {
  t.ok(takesPart(entry(), HOSPITAL, 8999))
  t.ok(takesPart(entry(), UNIVERSITY, 8999))
  t.notOk(takesPart(entry(), STRANGER, 8999))
  t.notOk(takesPart(entry(), HOSPITAL, 9000))
  t.notOk(takesPart(undefined, HOSPITAL, 0))
})

t.test('lines that are no messages are refused', async t => {
  for (const line of ['', '{', '{}', '{"type":"consent"}', '{"type":"hello","protocol":2,"atMillis":0}', '{"type":"heartbeat","atMillis":0,"more":1}', 'null']) {
    t.throws(() => decodeCoreMessage(line), { code: 'bad_message' }, line)
  }
  t.same(decodeCoreMessage('{"type":"complete"}'), { type: 'complete' })
})
