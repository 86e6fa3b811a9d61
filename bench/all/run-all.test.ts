import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import type { Test } from 'tap'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { FigureSheet } from '../report.ts'
import { AllDocument } from './all-document.ts'
import { formatAll } from './all-table.ts'
import { describeTraces, findTraces, removeTraces, RUN_VARIABLE } from './leftovers.ts'
import { lackOf } from './needs.ts'
import { runAll } from './run-all.ts'
import type { Means } from './needs.ts'
import type { AllOptions } from './run-all.ts'

const host = { cpu: 'test', cores: 2, memoryBytes: 2e9, kernel: '6', node: 'v24', ffmpeg: null }
const bare: Means = { isRoot: false, hasChromium: false, hasViewer: false, hasProgram: () => false }

const sheet = new FigureSheet()
sheet.add({ name: 'delay', unit: 's', goal: { relation: '<=', bound: 1 } }, [0.5])
sheet.add({ name: 'loss', labels: { line: 'x' }, unit: 'ratio', goal: { relation: '<=', bound: 0.01 } }, [0.02])
const report = (scenario: string): string =>
  JSON.stringify({ scenario, commit: 'a', startedAt: '2026-11-24T00:00:00.000Z', host, parameters: {}, figures: sheet.figures, samples: sheet.samples, warnings: [] })

/** A bench whose scenarios are named for what they do. */
const BENCH = `
  import { spawn } from 'node:child_process'
  import { writeFileSync } from 'node:fs'
  import { tmpdir } from 'node:os'
  const [, , scenario, ...args] = process.argv
  if (args[0] === '--quick') writeFileSync(args.at(-1), ${JSON.stringify(report('NAME'))}.replace('NAME', scenario))
  switch (scenario) {
    case 'fails':
      console.error('bench: unavailable: receiver 1 ended with SIGKILL')
      process.exit(1)
    case 'leaves':
      writeFileSync(tmpdir() + '/forgotten', '')
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' }).unref()
      break
    case 'hangs':
      console.error('hangs: hanging')
      setInterval(() => {}, 1000)
  }
`

const open = async (t: Test) => {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-all-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const main = join(directory, 'main.mjs')
  await writeFile(main, BENCH)
  const { signal } = new AbortController()
  const all = (names: readonly string[], options: Partial<AllOptions> = {}, by = signal) =>
    runAll({ scenarios: names.map(name => ({ name, needs: [] })), isQuick: true, limit: millis(20_000), main, means: bare, say: () => undefined, ...options }, by)
  return { directory, all }
}

t.test('goes on after a scenario that fails, and tells what it said last', async t => {
  const { all } = await open(t)
  const { runs, leftovers } = await all(['first', 'fails', 'last'])
  t.match(runs, [{ scenario: 'first', outcome: 'measured' }, { scenario: 'fails', outcome: 'failed', reason: 'unavailable: receiver 1 ended with SIGKILL' }, { scenario: 'last', outcome: 'measured' }])
  t.same(runs[2]?.report?.figures.length, 2)
  t.same(runs[2]?.report?.samples, [])
  t.same(leftovers, [])
})

t.test('takes no exit without a report for a measurement', async t => {
  const { all } = await open(t)
  t.match((await all(['silent'], { isQuick: false })).runs, [{ outcome: 'failed', reason: 'ended with code 0' }])
})

t.test('ends a scenario that hangs, and goes on', async t => {
  const { all } = await open(t)
  const { runs } = await all(['hangs', 'last'], { limit: millis(1500) })
  t.match(runs, [{ outcome: 'failed', reason: /took longer than 1.5 s/ }, { outcome: 'measured' }])
})

t.test('skips what this machine cannot run, and says what it lacks', async t => {
  const { all } = await open(t)
  const { runs } = await all([], { scenarios: [{ name: 'line', needs: ['root', 'iperf3', 'chromium'] }, { name: 'first', needs: [] }] })
  t.match(runs, [{ outcome: 'skipped', reason: 'needs Linux and root, iperf3 (Debian package iperf3), Chromium', seconds: 0 }, { outcome: 'measured' }])
  t.equal(lackOf(['root', 'viewer', 'tcpdump'], { isRoot: true, hasChromium: true, hasViewer: true, hasProgram: () => true }), undefined)
})

t.test('names and removes what a scenario leaves behind', async t => {
  const { all } = await open(t)
  const { leftovers } = await all(['leaves', 'first'])
  t.equal(leftovers.length, 2)
  t.match(leftovers[0], /^leaves: process \d+ \(/)
  t.equal(leftovers[1], 'leaves: file forgotten')
  const pid = /process (\d+)/.exec(leftovers[0] ?? '')?.[1] ?? ''
  t.notOk(isRunning(pid), 'it was ended')
})

t.test('ends at once when asked to, and leaves nothing', async t => {
  const { all } = await open(t)
  const stop = new AbortController()
  const folders = async (): Promise<string[]> => (await readdir(tmpdir())).filter(name => /^kenkyo-all-\w{6}$/.test(name))
  const before = await folders()
  const begun = performance.now()
  const say = (line: string): void => {
    if (line === 'hangs: hanging') stop.abort(new RelayFault('unavailable', 'stopped by SIGINT'))
  }
  const running = all(['hangs', 'never'], { say }, stop.signal)
  await t.rejects(running, { message: 'stopped by SIGINT' })
  t.ok(performance.now() - begun < 15_000, 'long before its limit')
  t.same((await folders()).filter(name => !before.includes(name)), [])
})

t.test('finds a process by its environment or by its arguments, and files by their folder', async t => {
  const { directory } = await open(t)
  const folder = join(directory, 'tmp')
  await mkdir(join(folder, 'kept'), { recursive: true })
  const idle = ['-e', 'setInterval(() => {}, 1000)']
  const marked = spawn(process.execPath, idle, { env: { ...process.env, [RUN_VARIABLE]: 'run-of-this-test' }, stdio: 'ignore' })
  const named = spawn(process.execPath, [...idle, folder], { stdio: 'ignore' })
  const other = spawn(process.execPath, idle, { stdio: 'ignore' })
  t.teardown(() => void other.kill('SIGKILL'))
  const ended = [marked, named].map(child => new Promise(resolve => child.once('exit', resolve)))
  const traces = await findTraces('run-of-this-test', folder)
  t.same(traces.processes.map(({ pid }) => pid).toSorted(), [marked.pid, named.pid].toSorted())
  t.same(traces.files, ['kept'])
  t.ok(describeTraces(traces).includes('file kept'))
  await removeTraces({ ...traces, namespaces: [], links: [] }, folder)
  await Promise.all(ended)
  t.equal(other.exitCode ?? other.signalCode, null, 'others run on')
  t.notOk(existsSync(join(folder, 'kept')))
})

t.test('prints what became of each, the goals that were missed, and what was left', async t => {
  const { all } = await open(t)
  const outcome = await all([], { scenarios: [{ name: 'first', needs: [] }, { name: 'fails', needs: [] }, { name: 'line', needs: ['root'] }] })
  const text = formatAll(outcome)
  t.match(text, /first +measured +\d+ +2 +1 +1\n/)
  t.match(text, /line +skipped +- +- +- +- +needs Linux and root/)
  t.match(text, '  first loss{line="x"} 0.02 (≤ 0.01)')
  t.match(text, 'left behind: no process, no namespace, no link, no file')
  t.match(formatAll({ ...outcome, leftovers: ['fails: file x'] }), 'LEFT BEHIND, and removed:\n  fails: file x')
  t.ok(AllDocument.safeParse({ kind: 'kenkyo-bench-all', commit: 'a', startedAt: '2026-11-24T00:00:00.000Z', host, quick: true, ...outcome }).success)
})

function isRunning(pid: string): boolean {
  return existsSync(`/proc/${pid}/exe`) && existsSync(`/proc/${pid}/cwd`)
}
