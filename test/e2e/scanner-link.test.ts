import { createHash, randomUUID } from 'node:crypto'
import { t } from 'tap'
import { NodeAccess } from '../../relay/runtime/node-access.ts'
import { openScannerLink } from '../../clients/scanner/scanner-link.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { parseInvitation } from '../../relay/runtime/invitation-link.ts'
import { Sha256, SlideId } from '../../relay/wire/ids.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'

const sha256Of = (body: Buffer): Sha256 => Sha256.parse(createHash('sha256').update(body).digest('hex'))
const never = new AbortController().signal

t.test('a scanner opens a link, and the node answers for every chunk that it refuses', async t => {
  await using under = await NodeUnderTest.open()
  const address = parseInvitation(await under.invite('scanner'), undefined)
  await using carrier = await openScannerLink({ access: new NodeAccess({ address }), clock: systemClock }, never)
  t.equal(carrier.kind, 'link')
  const slideId = SlideId.parse(randomUUID())
  const chunks = [Buffer.from('a small one'), Buffer.alloc(1024 * 1024, 1), Buffer.alloc(3 * 1024 * 1024 + 5, 2)]
  for (const outcome of await Promise.allSettled(chunks.map(chunk => carrier.put(slideId, sha256Of(chunk), chunk, never)))) {
    t.match(outcome, { status: 'rejected', reason: { code: 'not_found' } })
  }
  t.equal(carrier.unansweredBytes, 0)
})

t.test('chunks fail with unavailable when the node ends, so that they may go another way', async t => {
  const under = await NodeUnderTest.open()
  await using carrier = await openScannerLink({ access: new NodeAccess({ address: parseInvitation(await under.invite('scanner'), undefined) }), clock: systemClock }, never)
  const chunk = Buffer.from('tiles')
  await under[Symbol.asyncDispose]()
  await t.rejects(carrier.put(SlideId.parse(randomUUID()), sha256Of(chunk), chunk, never), { code: 'unavailable' })
})

t.test('a node without links, and one that is not there, are unavailable; one that refuses the invitation says so', async t => {
  await using under = await NodeUnderTest.open({ links: false })
  const address = parseInvitation(await under.invite('scanner'), undefined)
  await t.rejects(openScannerLink({ access: new NodeAccess({ address }), clock: systemClock }, never), { code: 'unavailable' })
  await t.rejects(openScannerLink({ access: new NodeAccess({ address: { ...address, signalingUrl: 'ws://127.0.0.1:9/' } }), clock: systemClock }, never), { code: 'unavailable' })
  await t.rejects(openScannerLink({ access: new NodeAccess({ address: { ...address, invitation: 'x.y.z' } }), clock: systemClock }, never), { code: 'invitation_refused' })
})
