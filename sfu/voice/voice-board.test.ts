import { randomUUID } from 'node:crypto'
import t from 'tap'
import { MemberId, ProducerId, SessionId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { VoiceBoard } from './voice-board.ts'

const speaker = (name: string) => ({
  sessionId: SessionId.parse(randomUUID()), memberId: MemberId.parse(name), producerId: ProducerId.parse(`voice-${name}`), isMicrophoneOpen: true,
})
const told = (board: VoiceBoard, now: number) => board.step(millis(now)).tell?.map(({ memberId, isMicrophoneOpen, isSpeaking }) => `${memberId} ${isMicrophoneOpen ? 'open' : 'closed'} ${isSpeaking ? 'speaks' : 'silent'}`)

t.test('tells of the first at once, and of what changes right after it together', async t => {
  const board = new VoiceBoard()
  t.same(board.step(millis(1000)), { tell: undefined, wakeAt: undefined })
  const [one, two] = [speaker('one'), speaker('two')]
  board.add(one)
  t.same(told(board, 1000), ['one open silent'])
  board.add(two)
  board.setOpen(one.producerId, false)
  t.same(board.step(millis(1010)), { tell: undefined, wakeAt: 1100 })
  t.same(told(board, 1100), ['one closed silent', 'two open silent'])
  board.remove(one.producerId)
  t.same(told(board, 1300), ['two open silent'])
  t.equal(told(board, 1500), undefined, 'once')
})

t.test('who was loud speaks until a pause is longer than between words', async t => {
  const board = new VoiceBoard()
  const one = speaker('one')
  board.add(one)
  board.loud([one.producerId], millis(1000))
  t.same(board.step(millis(1000)).wakeAt, 1700)
  board.loud([one.producerId], millis(1600))
  t.equal(told(board, 1700), undefined)
  t.same(told(board, 2300), ['one open silent'])
})

t.test('a closed microphone does not speak, whatever is said of it', async t => {
  const board = new VoiceBoard()
  const one = speaker('one')
  board.add(one)
  board.loud([one.producerId], millis(1000))
  board.setOpen(one.producerId, false)
  board.loud([one.producerId, ProducerId.parse('another')], millis(1001))
  t.same(told(board, 1001), ['one closed silent'])
  board.setOpen(ProducerId.parse('another'), true)
  t.equal(board.size, 1)
})

t.test('ten thousand changes a second are ten notifications', async t => {
  const board = new VoiceBoard()
  const one = speaker('one')
  board.add(one)
  let tellings = 0
  for (let change = 0; change < 10_000; change++) {
    board.setOpen(one.producerId, change % 2 === 0)
    if (board.step(millis(1000 + change / 10)).tell !== undefined) tellings++
  }
  t.ok(tellings > 5 && tellings <= 11, String(tellings))
})
