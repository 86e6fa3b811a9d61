import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { t } from 'tap'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const DEADLINE_MILLIS = 100_000

const bench = (...args: string[]) =>
  new Promise<{ code: number | null; stdout: string; stderr: string }>(resolve => {
    const child = execFile(process.execPath, [MAIN, ...args], { timeout: DEADLINE_MILLIS }, (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }))
  })

t.test('refuses a wrong scenario, option or document with usage and exit code 2', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-bench-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const nonsense = join(directory, 'nonsense.json')
  await writeFile(nonsense, '{"figures":[]}')
  const cases: [string[], RegExp][] = [
    [['speed'], /unknown command|too many arguments/],
    [['admission', '--speed', '3'], /unknown option '--speed'/],
    [['admission', '--sequences', 'many'], /bad_config/],
    [['compare', nonsense], /missing required argument 'b'/],
    [['compare', nonsense, nonsense], /bad_config: .*no document of the bench/],
    [['compare', join(directory, 'none.json'), nonsense], /bad_config: there is no document/],
    [['all', '--only', 'admission,speed'], /bad_config: no scenario is called "speed"/],
    [['admission', '--json', join(directory, 'no', 'such', 'folder.json')], /bad_config: the report cannot be written there/],
  ]
  await Promise.all(cases.map(async ([args, says]) => {
    const { code, stdout, stderr } = await bench(...args)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, says)
    t.equal(stdout, '')
  }))
})

t.test('says nothing of a measurement whose document does not fit on the disk', async t => {
  const { code, stdout, stderr } = await bench('admission', '--sequences', '5', '--json', '/dev/full')
  t.equal(code, 1)
  t.match(stderr, 'bench: storage_full: the disk is full: the report was not written')
  t.equal(stdout, '')
})

t.test('runs several scenarios by one command, leaves nothing, and what it wrote compares', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-bench-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'all.json')
  const { code, stdout } = await bench('all', '--quick', '--only', 'admission,audit', '--json', file)
  t.equal(code, 0)
  t.match(stdout, /audit +measured/)
  t.match(stdout, 'left behind: no process, no namespace, no link, no file')
  const { code: compared, stdout: table } = await bench('compare', file, file)
  t.equal(compared, 0)
  t.match(table, /audit +audit_recorded.* equal/)
})
