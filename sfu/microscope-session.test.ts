import { t } from 'tap'
import { createLogger } from '../relay/runtime/log.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { MemberId } from '../relay/wire/ids.ts'
import { SIGNALING_LIMITS } from '../relay/wire/signaling.ts'
import { MicroscopeSession } from './microscope-session.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { LinkListener } from '../relay/links/link-transport.ts'
import type { Consultation } from './consultation.ts'

const PUBLICATION = '00000000-0000-4000-8000-000000000001'
const report = Buffer.from(JSON.stringify({ type: 'reportCapture', requestId: 0, publicationId: PUBLICATION, rtpTimestamp: 1, capturedAtMillis: 1_800_000_000_000 }))

/** A session that has a link and a publication, in a consultation that does what it is told with captures. */
function open(reportCapture: () => void) {
  let listener: LinkListener = {}
  const lost = Promise.withResolvers<RelayFault>()
  const link = {
    contract: { name: 'test', allowedClasses: ['control'] }, lost: lost.promise,
    listen: (it: LinkListener) => (listener = it), close: (reason: RelayFault) => lost.resolve(reason),
  }
  const consultation = { openLink: () => ({ link, reply: {} }), published: { publicationId: PUBLICATION }, reportCapture }
  const admission = { memberId: MemberId.parse('scope-1'), role: 'microscope', expired: new AbortController().signal, release: () => undefined, require: () => undefined, enter: () => () => undefined }
  const logged: Record<string, unknown>[] = []
  const log = createLogger({ level: 'info', program: 'node', destination: { write: line => void logged.push(JSON.parse(line) as Record<string, unknown>) } })
  const session = new MicroscopeSession(admission as unknown as Admission, consultation as unknown as Consultation, () => undefined, log)
  return { session, logged, say: (body: Buffer) => listener.onMessage?.('control', body), settled: () => new Promise(resolve => setImmediate(resolve)) }
}

t.test('what comes by a link has the rate of what comes by signaling, and the rest is dropped and counted', async t => {
  let taken = 0
  const { session, logged, say, settled } = open(() => taken++)
  await session.handle({ type: 'openLink', requestId: 1, paths: [] })
  for (let message = 0; message < 5000; message++) say(report)
  await settled()
  t.ok(taken >= SIGNALING_LIMITS.requestBurst && taken < SIGNALING_LIMITS.requestBurst + 2 * SIGNALING_LIMITS.requestsPerSecond, `${taken} were taken`)
  session.close(new RelayFault('unavailable', 'over'))
  await settled()
  t.match(logged.at(-1), { msg: 'link closed', refusedMessages: 5000 - taken })
})

t.test('a bug met by a message of a link is logged, and ends nothing', async t => {
  const { session, logged, say, settled } = open(() => {
    throw new TypeError('a bug')
  })
  await session.handle({ type: 'openLink', requestId: 1, paths: [] })
  say(report)
  say(Buffer.from('nonsense'))
  await settled()
  t.match(logged, [{ msg: 'a message of a link could not be handled' }])
  t.notOk(session.isClosed)
})

t.test('a link that may carry no live tracks is not published on', async t => {
  const { session } = open(() => undefined)
  await session.handle({ type: 'openLink', requestId: 1, paths: [] })
  await t.rejects(session.handle({ type: 'publishLink', requestId: 2, pyramid: { framesPerSecond: 30, renditions: [] } as never, tracks: [], stage: null }), { code: 'unavailable' })
})
