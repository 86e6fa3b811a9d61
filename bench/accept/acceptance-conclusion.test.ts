import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { writeDocument } from '../write-document.ts'
import { concludeAcceptance } from './acceptance-conclusion.ts'
import { DIRECTIONS } from './acceptance-measurement.ts'
import { planAcceptance } from './acceptance-plan.ts'
import { USES } from './acceptance-verdict.ts'
import { acceptanceSpeaker } from './acceptance-words.ts'
import { requireConsent } from './consent.ts'
import { parsePeer } from './line-ends.ts'
import { beyond, madeUpMeasurement } from './measured-line.ts'

const question = { uses: USES, directions: DIRECTIONS, slideBytes: 1.5e9 }

t.test('exit codes tell scripts the verdict', async t => {
  const codeOf = async (rate: number): Promise<number | undefined> =>
    (await concludeAcceptance(madeUpMeasurement(({ bitsPerSecond }) => beyond(rate, bitsPerSecond, 30)), { question, language: 'en', reportFile: undefined })).exitCode
  t.equal(await codeOf(1e9), 0)
  t.equal(await codeOf(105e6), 1)
  t.equal(await codeOf(60e6), 3)
})

t.test('a report says on its face that a line was simulated, in both languages, and holds no name as markup', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-acceptance-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const reportFile = join(directory, 'report.html')
  const measurement = { ...madeUpMeasurement(), isSimulated: true, line: '<script>alert(1)</script>' }
  for (const [language, words] of [['en', ['SIMULATED LINE', 'GO']], ['ja', ['模擬回線', '合格']]] as const) {
    const { lines = [] } = await concludeAcceptance(measurement, { question, language, reportFile })
    const html = await readFile(reportFile, 'utf8')
    for (const word of words) t.ok(html.includes(word) && lines.some(line => line.includes(word)), word)
    t.notOk(html.includes('<script'))
    t.equal(html.match(/<svg/g)?.length, 3, 'rate, queue and round trip; nothing was lost')
    t.notMatch(html, /\{\w+\}(?![^<]*<\/style>)|undefined|NaN/)
  }
})

t.test('when the disk is full there is no report and no verdict', async t => {
  await t.rejects(concludeAcceptance(madeUpMeasurement(), { question, language: 'en', reportFile: '/dev/full' }), { code: 'storage_full' })
  await t.rejects(writeDocument('/nowhere/at/all.json', '{}'), { code: 'unavailable' })
})

t.test('nobody to ask is no yes', async t => {
  const ask = (isGiven: boolean): Promise<void> => requireConsent({ plan: planAcceptance({ isQuick: false, hours: 0 }), host: 'far.example', paths: 1, isGiven, speak: acceptanceSpeaker('en') }, new AbortController().signal)
  if (process.stdin.isTTY) t.pass('somebody is there')
  else await t.rejects(ask(false), { code: 'bad_config', message: /--yes/ })
  await t.resolves(ask(true))
})

t.test('far ends are read as a person writes them', async t => {
  t.same(parsePeer('a', 'node.example', 7690), { name: 'a', host: 'node.example', port: 7690 })
  t.same(parsePeer('a', '192.0.2.1@[2001:db8::1]:99', 7690), { name: 'a', host: '2001:db8::1', port: 99, localAddress: '192.0.2.1' })
  for (const wrong of ['', 'a b', 'host:0', 'host:99999', 'nobody@host', 'host:port']) t.throws(() => parsePeer('a', wrong, 7690), { code: 'bad_config' }, wrong)
})
