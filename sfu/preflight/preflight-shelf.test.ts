import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { PREFLIGHT_LIMITS } from '../../relay/wire/preflight.ts'
import { PreflightShelf } from './preflight-shelf.ts'
import type { Test } from 'tap'
import type { PreflightReport } from '../../relay/wire/preflight.ts'

const CASE = ConsultationId.parse('case-1')
const report = (member: string, takenAtMillis: number, end: PreflightReport['end'] = 'viewer'): PreflightReport => ({
  memberId: MemberId.parse(member), end, takenAtMillis, results: [{ check: 'udp', colour: 'green', figure: null, advice: 'fine' }],
})

async function open(t: Test): Promise<{ readonly stateDir: string; readonly shelf: PreflightShelf }> {
  const stateDir = await mkdtemp(join(tmpdir(), 'kenkyo-preflight-'))
  t.teardown(() => rm(stateDir, { recursive: true }))
  return { stateDir, shelf: new PreflightShelf(stateDir) }
}

t.test('the last check of each member and end is kept, over a restart, the latest first', async t => {
  const { stateDir, shelf } = await open(t)
  t.same(await shelf.list(CASE), [])
  for (const each of [report('a', 1), report('a', 3), report('b', 2), report('a', 4, 'agent')]) await shelf.keep(CASE, each)
  t.same(await new PreflightShelf(stateDir).list(CASE), [report('a', 4, 'agent'), report('a', 3), report('b', 2)])
  t.same(await shelf.list(ConsultationId.parse('case-2')), [])
})

t.test('what is no report is passed over', async t => {
  const { stateDir, shelf } = await open(t)
  const directory = join(stateDir, 'consultations', 'case-1', 'preflight')
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'x.viewer.json'), '{"results":[]}')
  await writeFile(join(directory, 'y.viewer.json'), 'not JSON')
  t.same(await shelf.list(CASE), [])
})

t.test('as many are kept as may be, and those may still be replaced', async t => {
  const { stateDir, shelf } = await open(t)
  for (let member = 0; member < PREFLIGHT_LIMITS.kept; member++) await shelf.keep(CASE, report(`m${member}`, member))
  await t.rejects(shelf.keep(CASE, report('another', 1)), { code: 'quota_exceeded' })
  await shelf.keep(CASE, report('m0', 1000))
  t.equal((await shelf.list(CASE))[0]?.memberId, 'm0')
  t.equal((await readdir(join(stateDir, 'consultations', 'case-1', 'preflight'))).length, PREFLIGHT_LIMITS.kept, 'nothing half written is left')
})

t.test('the room on the disk is known', async t => {
  const { shelf } = await open(t)
  t.ok(((await shelf.freeBytes()) ?? 0) > 0)
  t.equal(await new PreflightShelf('/nowhere/at/all').freeBytes(), undefined)
})
