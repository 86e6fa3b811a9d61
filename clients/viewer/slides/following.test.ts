import { t } from 'tap'
import { MemberId, SlideId } from '../../../relay/wire/ids.ts'
import { Following } from './following.ts'
import type { LedSlide } from '../../../relay/wire/slide-sharing.ts'

const led = (name: string): LedSlide => ({ memberId: MemberId.parse(name), colour: 0, slideId: SlideId.parse('6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11'), area: { x: 0, y: 0, width: 10, height: 10 } })

t.test('nobody is led who does not follow', async t => {
  const following = new Following()
  following.follow()
  t.equal(following.mode, 'free', 'nobody leads')
  following.heard(led('a'))
  t.same([following.mode, following.target], ['free', null])
  following.follow()
  t.equal(following.target?.memberId, 'a')
  following.heard(led('b'))
  t.equal(following.target?.memberId, 'b')
})

t.test('any own gesture ends following, and so does the leader', async t => {
  const following = new Following()
  following.heard(led('a'))
  following.follow()
  following.gesture()
  t.equal(following.mode, 'free')
  following.follow()
  following.heard(null)
  t.same([following.mode, following.target, following.led], ['free', null, null])
})

t.test('leading goes on through own gestures and ends when somebody else leads', async t => {
  const following = new Following()
  following.lead()
  following.gesture()
  t.equal(following.mode, 'leading')
  following.heard(null)
  t.equal(following.mode, 'leading')
  following.heard(led('a'))
  t.equal(following.mode, 'free')
})
