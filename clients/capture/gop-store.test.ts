import t from 'tap'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { GopStore } from './gop-store.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'

const TILE = 'tile-0-0' as RenditionId
const frame = (timestamp: number, isKeyFrame = false, bytes = 10) => ({
  renditionId: TILE, mediaTicks: timestamp, timestamp: rtpTimestamp(timestamp), isKeyFrame, payloads: [Buffer.alloc(bytes)],
})
const stamps = (store: GopStore, now: number, maxAge = 9000) => store.current(TILE, rtpTimestamp(now), maxAge).frames.map(({ timestamp }) => timestamp)

t.test('keeps what came since the last keyframe', async t => {
  const store = new GopStore()
  store.push(frame(0))
  t.same(stamps(store, 0), [], 'nothing can be begun in the middle')
  for (const [at, isKey] of [[3000, true], [6000, false], [9000, true], [12_000, false]] as const) store.push(frame(at, isKey))
  t.same(stamps(store, 12_000), [9000, 12_000])
  t.equal(store.current(TILE, rtpTimestamp(12_000), 9000).bytes, 20)
})

t.test('offers nothing that is old, and nothing after a break', async t => {
  const store = new GopStore()
  store.push(frame(0xffff_f000, true))
  t.same(stamps(store, 0x1_0000_0000 + 2000), [0xffff_f000], 'across the wrap')
  t.same(stamps(store, 90_000), [])
  store.break(TILE)
  store.push(frame(3000))
  t.same(stamps(store, 3000), [])
})

t.test('gives up a group of pictures that does not end', async t => {
  const store = new GopStore()
  store.push(frame(0, true))
  for (let index = 1; index <= 300; index++) store.push(frame(index))
  t.same(stamps(store, 300), [])
})
