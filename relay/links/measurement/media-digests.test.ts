import { t } from 'tap'
import { OVERVIEW, tileId } from '../../wire/ids.ts'
import { MediaDigests } from './media-digests.ts'

const MINUTE = 60 * 90_000
const packet = (timestamp: number, payload: string): Buffer => {
  const bytes = Buffer.alloc(12 + payload.length)
  bytes.writeUInt32BE(timestamp >>> 0, 4)
  bytes.write(payload, 12)
  return bytes
}

t.test('both ends of a link agree on a minute of which everything came, and disagree on one of which anything is missing or altered', async t => {
  const [sent, received] = [new MediaDigests(), new MediaDigests()]
  for (let frame = 0; frame < 3 * 60 * 30; frame++) {
    const bytes = packet(frame * 3000, `frame ${frame}`)
    sent.take(OVERVIEW, bytes)
    if (frame === 2000) continue
    received.take(OVERVIEW, frame === 4000 ? packet(frame * 3000, 'fr4me 4000') : bytes)
  }
  const [ours, theirs] = [sent.takeDone(), received.takeDone()]
  t.same(ours.map(({ window, packets }) => [window, packets]), [[0, 1800], [1, 1800]])
  t.same(ours[0], theirs[0])
  t.match(theirs[1], { window: 1, packets: 1799 })
  t.not(ours[1]?.sha256, theirs[1]?.sha256)
  sent.take(OVERVIEW, packet(3 * MINUTE, 'x'))
  received.take(OVERVIEW, packet(3 * MINUTE, 'x'))
  const [third, its] = [sent.takeDone(), received.takeDone()]
  t.match([third[0]?.packets, its[0]?.packets], [1800, 1800])
  t.not(third[0]?.sha256, its[0]?.sha256, 'one byte was another')
})

t.test('a minute of a rendition that nobody asks for any more ends with the others, also where the clock begins anew', async t => {
  const digests = new MediaDigests()
  const end = 2 ** 32
  digests.take(tileId(0, 0), packet(end - 90_000, 'tile'))
  digests.take(OVERVIEW, packet(end - 90_000, 'overview'))
  digests.take(OVERVIEW, packet(end + 90_000, 'overview'))
  t.same(digests.takeDone().map(({ renditionId }) => renditionId), [OVERVIEW], 'a packet of the tile may still come')
  digests.take(OVERVIEW, packet(end + 6 * 90_000, 'overview'))
  t.same(digests.takeDone().map(({ renditionId }) => renditionId), [tileId(0, 0)])
  t.same(digests.takeDone(), [])
})
