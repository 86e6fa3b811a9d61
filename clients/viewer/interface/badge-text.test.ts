import t from 'tap'
import { notePhrases, truthPhrase } from './badge-text.ts'
import { formatAge, formatBitRate, formatFactor } from './format.ts'

const facts = {
  truth: { kind: 'native', pixels: 'native', factor: 1, staleSeconds: 0 } as const,
  connection: 'joined' as const,
  source: { state: 'live', framesPerSecond: 30 } as const,
  isWhole: false,
  isApproximate: false,
}

t.test('says the kind of pixels with a number that does not round the truth away', async t => {
  t.same(truthPhrase({ kind: 'native', pixels: 'native', factor: 1, staleSeconds: 0 }), { key: 'native' })
  t.same(truthPhrase({ kind: 'upscaled', pixels: 'upscaled', factor: 1.04, staleSeconds: 0 }), { key: 'upscaled', n: '1.04' })
  t.same(truthPhrase({ kind: 'stale', pixels: 'native', factor: 1, staleSeconds: 2.34 }), { key: 'stale', n: '2.3' })
  t.equal(formatFactor(4), '4')
  t.equal(formatAge(61.4), '61')
  t.equal(formatBitRate(14_230_000), '14.2 Mbit/s')
})

t.test('names both where only the pointer has native pixels', async t => {
  const upscaled = { kind: 'upscaled', pixels: 'upscaled', factor: 2, staleSeconds: 0 } as const
  t.same(truthPhrase(upscaled, 'pointer'), { key: 'nativeAtPointer', n: '2' })
  t.same(truthPhrase(upscaled, 'centre'), { key: 'nativeAtCentre', n: '2' })
  t.same(truthPhrase({ kind: 'stale', pixels: 'upscaled', factor: 2, staleSeconds: 1 }, 'pointer'), { key: 'stale', n: '1.0' })
})

t.test('never says native of a picture that is not yet sharp, wherever the pointer is', async t => {
  t.same(truthPhrase({ kind: 'coarse', pixels: 'coarse', factor: 1, staleSeconds: 0 }, 'pointer'), { key: 'coarse' })
})

t.test('is silent when all is well', async t => {
  t.same(notePhrases(facts), [])
})

t.test('says what is wrong: the connection before the microscope, the microscope before its source', async t => {
  t.same(notePhrases({ ...facts, connection: 'reconnecting', source: undefined }), [{ key: 'reconnecting' }])
  t.same(notePhrases({ ...facts, source: undefined }), [{ key: 'absent' }])
  t.same(notePhrases({ ...facts, source: { state: 'slow', framesPerSecond: 4.25 } }), [{ key: 'slow', n: '4.3' }])
  t.same(notePhrases({ ...facts, source: { state: 'interrupted', framesPerSecond: 0 } }), [{ key: 'interrupted' }])
})
