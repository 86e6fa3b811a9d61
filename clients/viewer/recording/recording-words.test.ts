import t from 'tap'
import { formatDuration, recordingText } from './recording-words.ts'

t.test('says durations as clocks do', async t => {
  t.same([0, 999, 61_000, 3_599_999, 3_600_000, 36_061_000].map(formatDuration), ['0:00', '0:00', '1:01', '59:59', '1:00:00', '10:01:01'])
})

t.test('says who records in both languages', async t => {
  t.equal(recordingText('en', 'recordedBy', 'tanaka'), 'recorded by tanaka')
  t.equal(recordingText('ja', 'recordedBy', 'tanaka'), 'tanaka が録画')
})
