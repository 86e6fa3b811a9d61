import { t } from 'tap'
import { ConsultationId, MemberId, SlideId } from '../relay/wire/ids.ts'
import { SHARED_PER_SECOND } from '../relay/wire/slide-sharing.ts'
import { millis } from '../relay/wire/units.ts'
import { nextColour, SlideSharing } from './slide-sharing.ts'
import type { SlideSummary } from '../relay/wire/slide.ts'
import type { Notification } from '../relay/wire/signaling.ts'
import type { SharingMember, SlideNews } from './slide-sharing.ts'

const CASE = ConsultationId.parse('case-1')
const SLIDE = SlideId.parse('6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11')
const OTHER = SlideId.parse('7f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b12')
const AREA = { x: 0, y: 0, width: 100, height: 50 }
const summary = (slideId: SlideId): SlideSummary => ({ slideId, pseudonym: 'S-0001', state: 'arriving', levels: 3, chunksHere: 0, chunks: 1, bytesHere: 0 })

class Viewer implements SharingMember {
  readonly memberId: MemberId
  readonly colour: number
  readonly heard: Notification[] = []

  constructor(name: string, colour: number) {
    this.memberId = MemberId.parse(name)
    this.colour = colour
  }

  notify(notification: Notification): void {
    this.heard.push(notification)
  }
}

function room() {
  const [first, second, third] = [new Viewer('first', 0), new Viewer('second', 1), new Viewer('third', 2)]
  const listeners: Parameters<SlideNews['onSlidesChanged']>[1][] = []
  const arrived: Parameters<SlideNews['onTilesArrived']>[1][] = []
  const annotated: Parameters<SlideNews['onAnnotationsChanged']>[1][] = []
  const stop = (list: unknown[], item: unknown) => (): void => void list.splice(list.indexOf(item), 1)
  const news: SlideNews = {
    slidesOf: () => [summary(SLIDE)],
    onSlidesChanged: (_id, listener) => (listeners.push(listener), stop(listeners, listener)),
    onTilesArrived: (_id, listener) => (arrived.push(listener), stop(arrived, listener)),
    onAnnotationsChanged: (_id, listener) => (annotated.push(listener), stop(annotated, listener)),
  }
  let now = 0
  const sharing = new SlideSharing(CASE, news, new Set([first, second, third]), { now: () => millis(now) })
  return { sharing, first, second, third, listeners, arrived, annotated, advance: (by: number) => (now += by) }
}

t.test('a pointer reaches the others with its name and colour, and not the one who points', async t => {
  const { sharing, first, second, third } = room()
  sharing.point(first, SLIDE, { x: 1, y: 2 })
  t.same(second.heard, [{ type: 'slidePointed', memberId: 'first', colour: 0, slideId: SLIDE, at: { x: 1, y: 2 } }])
  t.same(third.heard, second.heard)
  t.same(first.heard, [])
})

t.test('refuses slides of other consultations', async t => {
  const { sharing, first, second } = room()
  t.throws(() => sharing.point(first, OTHER, { x: 1, y: 2 }), { code: 'not_found' })
  t.throws(() => sharing.lead(first, { slideId: OTHER, area: AREA }), { code: 'not_found' })
  t.same(second.heard, [])
})

t.test('passes on so many pointers a second, and the end of pointing always', async t => {
  const { sharing, first, second, advance } = room()
  for (let index = 0; index < 5 * SHARED_PER_SECOND; index++) sharing.point(first, SLIDE, { x: index, y: 0 })
  t.equal(second.heard.length, SHARED_PER_SECOND)
  sharing.point(first, SLIDE, null)
  t.match(second.heard.at(-1), { at: null })
  advance(1000)
  sharing.point(first, SLIDE, { x: 7, y: 7 })
  t.match(second.heard.at(-1), { at: { x: 7 } })
})

t.test('the last to lead leads, and the one before hears of it', async t => {
  const { sharing, first, second, third } = room()
  sharing.lead(first, { slideId: SLIDE, area: AREA })
  t.match(third.heard, [{ type: 'slideLed', led: { memberId: 'first', area: AREA } }])
  sharing.lead(second, { slideId: SLIDE, area: AREA })
  t.match(first.heard, [{ type: 'slideLed', led: { memberId: 'second' } }])
  t.equal(third.heard.length, 2)
  sharing.left(first)
  t.equal(third.heard.length, 2, 'who was replaced ends nothing')
  sharing.left(second)
  t.same(third.heard.at(-1), { type: 'slideLed', led: null })
})

t.test('tells newcomers of slides and leader, everybody of news, and listens no longer when disposed of', async t => {
  const { sharing, first, second, listeners, arrived, annotated } = room()
  sharing.lead(first, { slideId: SLIDE, area: AREA })
  const late = new Viewer('late', 3)
  sharing.welcome(late)
  t.match(late.heard, [{ type: 'slidesChanged', slides: [{ slideId: SLIDE }] }, { type: 'slideLed', led: { memberId: 'first' } }])
  listeners[0]?.([summary(SLIDE), summary(OTHER)])
  t.match(second.heard.at(-1), { type: 'slidesChanged', slides: { length: 2 } })
  arrived[0]?.({ slideId: OTHER, level: 2, firstTile: 64, tiles: 9, signedBy: 'level' })
  t.same(second.heard.at(-1), { type: 'slideTilesArrived', slideId: OTHER, level: 2, firstTile: 64, tiles: 9, signedBy: 'level' })
  sharing.point(first, OTHER, null)
  annotated[0]?.(OTHER, 4)
  t.same(first.heard.at(-1), { type: 'annotationsChanged', slideId: OTHER, version: 4 })
  sharing[Symbol.dispose]()
  t.same([listeners.length, arrived.length, annotated.length], [0, 0, 0])
})

t.test('gives every viewer another colour as long as there are some', async t => {
  t.equal(nextColour([]), 0)
  t.equal(nextColour([0, 2]), 1)
  t.equal(nextColour([0, 1, 2, 3, 4, 5, 6, 7]), 0)
  t.equal(nextColour([0, 0, 1, 2, 3, 4, 5, 6, 7]), 1)
})
