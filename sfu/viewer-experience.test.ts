import { t } from 'tap'
import { PublicationId } from '../relay/wire/ids.ts'
import { millis } from '../relay/wire/units.ts'
import { ViewerExperience } from './viewer-experience.ts'

const ID = PublicationId.parse('6f2d7a1e-62a5-4d0c-9e1f-0d5a8f4a7b11')
const OTHER = PublicationId.parse('0d9a3f2e-8a3b-4a55-9a3c-6f6f2a3b4c5d')
const report = (longestFreezeMillis = 0, link = 'local') => ({
  publicationId: ID, link, framesPerSecond: 30, freezes: longestFreezeMillis > 0 ? 1 : 0, longestFreezeMillis, nativePixelRatio: 1, captureToGlassMillis: null,
})

t.test('hands out each report once', async t => {
  const experience = new ViewerExperience()
  experience.report(report(200), millis(0))
  experience.report(report(), millis(2000))
  t.same(experience.take().map(({ freezes }) => freezes), [1, 0])
  t.same(experience.take(), [])
})

t.test('a viewer that reports without end holds no more than a few', async t => {
  const experience = new ViewerExperience()
  for (let i = 0; i < 10_000; i++) experience.report(report(10_000 - i), millis(i))
  t.equal(experience.take().length, 32)
  t.ok(experience.longestFreeze('local', millis(10_000)) > 0)
})

t.test('is silent about a viewer that fell silent, and about another publication', async t => {
  const experience = new ViewerExperience()
  t.equal(experience.latest(ID, millis(0)), undefined)
  experience.report(report(), millis(1000))
  t.equal(experience.latest(ID, millis(7000))?.framesPerSecond, 30)
  t.equal(experience.latest(ID, millis(7001)), undefined)
  t.equal(experience.latest(OTHER, millis(1000)), undefined)
})

t.test('remembers the longest freeze of the last minute, by the link that it came by', async t => {
  const experience = new ViewerExperience()
  experience.report(report(900), millis(0))
  experience.report(report(300), millis(2000))
  experience.report(report(400, 'kyoto'), millis(4000))
  t.same([experience.longestFreeze('local', millis(4000)), experience.longestFreeze('kyoto', millis(4000))], [900, 400])
  t.equal(experience.longestFreeze('local', millis(60_000)), 300)
  t.equal(experience.longestFreeze('local', millis(62_000)), 0)
})
