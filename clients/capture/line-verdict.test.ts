import { t } from 'tap'
import { inColumns, inMillis, inPercent } from './line-figures.ts'
import { describeLine, judgeLine, worstLevel } from './line-verdict.ts'
import { terminalLanguage } from '../../relay/runtime/terminal-language.ts'
import { lineSpeaker } from './line-words.ts'
import type { LineMeasurement } from './line-measurement.ts'

const line = (change: Partial<LineMeasurement> = {}): LineMeasurement => ({
  path: 'main', isUp: true, roundTripIdleMillis: 12, roundTripLoadedMillis: 14, delayVariationMillis: { in: 1, out: 2 }, lossRatio: { in: 0, out: 0.01 },
  lossAfterRepairRatio: 0, droppedRatio: 0, loadBitsPerSecond: 20e6, throughputBitsPerSecond: 20.2e6, capacityBitsPerSecond: null, mtuBytes: 1500,
  clockOffsetMillis: -3.25, outages: 0, ...change,
})
const reasons = (change: Partial<LineMeasurement>) => judgeLine(line(change), 4).findings.map(({ level, reason }) => `${level} ${reason}`)

t.test('a line that repairs its losses in time is good, and says what it carries', async t => {
  const verdict = judgeLine(line(), 4)
  t.equal(verdict.level, 'good')
  t.equal(lineSpeaker('en')('asWished', verdict.findings[0]!.put), 'Carries 20.0 Mbit/s with 0 % lost after repair.')
})

t.test('each figure that is bad is a reason, the worst first', async t => {
  t.same(reasons({ isUp: false }), ['unfit noAnswer'])
  t.same(reasons({ roundTripIdleMillis: 160, roundTripLoadedMillis: 161 }), ['limits slow'])
  t.same(reasons({ roundTripLoadedMillis: 100 }), ['limits queue'])
  t.same(reasons({ lossRatio: { in: 0, out: 0.06 } }), ['limits lossy'])
  t.same(reasons({ mtuBytes: 1200, outages: 2 }), ['limits outages', 'limits smallMtu'])
  t.same(reasons({ lossAfterRepairRatio: 0.001, droppedRatio: 0.6 }), ['unfit shortOfRate', 'limits lossAfterRepair'])
  t.same(reasons({ lossAfterRepairRatio: 0.02 }), ['unfit lossAfterRepair'])
})

t.test('what is on a limit is still within it', async t => {
  t.equal(judgeLine(line({ roundTripIdleMillis: 150, roundTripLoadedMillis: 150, lossRatio: { in: 0.05, out: 0.05 }, mtuBytes: 1280, lossAfterRepairRatio: 0.0001 }), 4).level, 'good')
})

t.test('of several paths the worst counts', async t => {
  t.equal(worstLevel(['good', 'unfit', 'limits']), 'unfit')
  t.equal(worstLevel(['good', 'limits']), 'limits')
})

t.test('a path is described in the language of the person, its columns aligned in both', async t => {
  for (const [language, headline] of [['en', 'Path main: GOOD'], ['ja', '経路 main: 良好']] as const) {
    const lines = describeLine(line(), judgeLine(line(), 4), lineSpeaker(language))
    t.equal(lines[0], headline)
    t.notMatch(lines.join('\n'), /[{}]|NaN|undefined/)
    t.equal(lines.length, 11)
  }
  t.same(describeLine(line({ isUp: false }), judgeLine(line({ isUp: false }), 4), lineSpeaker('en')).length, 2)
  t.same(inColumns([['往復', 'a'], ['x', 'b']]), ['往復  a', 'x     b'])
})

t.test('a loss that is not nothing is not shown as nothing', async t => {
  t.same([0, 0.00001, 0.0123, null].map(inPercent), ['0 %', '<0.01 %', '1.23 %', '–'])
  t.equal(inMillis(-0.001), '0 ms')
})

t.test('the locale says the language', async t => {
  t.equal(terminalLanguage({ LANG: 'ja_JP.UTF-8' }), 'ja')
  t.equal(terminalLanguage({ LC_ALL: 'C', LANG: 'ja_JP.UTF-8' }), 'en')
  t.equal(terminalLanguage({ LC_ALL: '', LC_MESSAGES: 'ja' }), 'ja')
  t.equal(terminalLanguage({ LANG: 'jam' }), 'en')
  t.equal(terminalLanguage({}), 'en')
})
