import { t } from 'tap'
import { LinkDialer } from '../../relay/links/link-sockets.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { MemberId } from '../../relay/wire/ids.ts'
import { PathName } from '../../relay/wire/link.ts'
import { millis } from '../../relay/wire/units.ts'
import { LinkContracts } from './link-contracts.ts'
import { LinkHistory } from './link-history.ts'
import { NodeLinks } from './node-links.ts'

const HOST = '127.0.0.1'

t.test('a goodbye ends a link at once, also one that nobody listens to, and its last event is shown', async t => {
  await using links = await NodeLinks.open({ address: HOST, port: 0, announcedHost: null, contracts: LinkContracts.none, clock: systemClock })
  const { link, reply } = links.openFor(MemberId.parse('technician'), 'viewer', [{ name: PathName.parse('main') }])
  const history = new LinkHistory()
  const { association, secret, contract, port } = reply
  await using dialer = await LinkDialer.open({ association, secret: Buffer.from(secret, 'base64url'), contract }, { host: HOST, port }, systemClock)
  const deadline = systemClock.now() + 5000
  while (link.snapshot().paths[0]?.state !== 'up' && systemClock.now() < deadline) await systemClock.sleep(millis(5))
  history.step(1000, links.snapshots(), links.takeClosed())
  t.equal(links.snapshots().length, 1)
  await dialer[Symbol.asyncDispose]()
  t.match(await link.lost, { code: 'unavailable' })
  t.equal(links.snapshots().length, 0)
  history.step(2000, links.snapshots(), links.takeClosed())
  const [record] = history.records
  t.equal(record?.isOpen, false)
  t.match(record?.snapshot.events.at(-1), { kind: 'link_closed', evidence: { by: 'far end' } })
  t.same(links.takeClosed(), [])
})
