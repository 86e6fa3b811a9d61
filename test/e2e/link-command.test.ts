import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { t } from 'tap'
import { NodeUnderTest } from '../harness/node-under-test.ts'

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())

/** `kenkyo link` with these words, in a process of its own. */
function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [KENKYO, 'link', ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(([stdout, stderr, [code]]) => ({ stdout, stderr, code: code as number }))
  return { child, ended }
}

const link = (...args: readonly string[]) => start(args).ended

t.test('a line within a machine is measured and found good, and its load is announced', async t => {
  const invitation = await under.invite('viewer')
  const probing = start(['probe', '--invitation', invitation, '--seconds', '3', '--load', '5', '--json'], { LC_ALL: 'ja_JP.UTF-8' })
  const { stdout, stderr, code } = await probing.ended
  t.match(stderr, /経路 main: 5\.00 Mbit\/s を 2\.0 秒間送信します/)
  const { verdict, paths } = JSON.parse(stdout) as { verdict: string; paths: Record<string, unknown>[] }
  t.comment(stdout)
  t.match(paths, [{ path: 'main', isUp: true, capacityBitsPerSecond: null, outages: 0, reasons: [{ text: /./ }] }])
  // The machine may be busy: then the line is what it is. The figures still have to be there.
  t.equal(code, ['good', 'limits', 'unfit'].indexOf(verdict))
  const [path] = paths
  t.ok((path?.['throughputBitsPerSecond'] as number) > 2e6 && (path?.['throughputBitsPerSecond'] as number) < 12e6)
  t.ok((path?.['roundTripIdleMillis'] as number) < 100)
  t.type(path?.['lossAfterRepairRatio'], 'number')
  t.type(path?.['clockOffsetMillis'], 'number')
})

t.test('status shows the link while somebody probes, and Ctrl-C ends the probe at once', async t => {
  const invitation = await under.invite('viewer')
  const probing = start(['probe', '--invitation', invitation, '--seconds', '60', '--load', '1', '--lang', 'en'])
  await once(probing.child.stderr, 'data')
  let shown = ''
  // The probe of before is still shown, as closed.
  for (const deadline = Date.now() + 30_000; !/open since[^]*main +up/.test(shown) && Date.now() < deadline; ) shown = (await link('status', '--node', under.node.origin)).stdout
  t.match(shown, /^probe-1 {2}best-effort, open since/m)
  t.match(shown, /main +up/)
  t.match(shown, /control +hitless/)
  probing.child.kill('SIGINT')
  t.equal((await probing.ended).code, 130)
})

t.test("a microscope's invitation is refused before anything is sent, and a node that is not there cannot be asked", async t => {
  const [probe, status] = await Promise.all([link('probe', '--invitation', await under.invite('microscope')), link('status', '--node', 'http://127.0.0.1:9')])
  t.same([probe.code, status.code], [3, 3])
  t.match(probe.stderr, /wrong_role: this is a microscope's invitation/)
  t.match(status.stderr, /unavailable/)
})
