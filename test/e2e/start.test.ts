import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { findFreePorts } from '../../bench/free-ports.ts'
import { readPatternTile } from '../../clients/capture/pattern.ts'
import type { ChildProcess } from 'node:child_process'

const START = join(import.meta.dirname, '../../scripts/start.ts')

/** `npm start` after its setup, on ports and in a state directory of its own. */
async function start(stateDir: string, args: readonly string[]) {
  const child = spawn(process.execPath, [START, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KENKYO_LISTEN_PORT: String(await findFreePorts(1)), KENKYO_RTC_BASE_PORT: String(await findFreePorts(2)), KENKYO_STATE_DIR: stateDir, TMPDIR: stateDir, KENKYO_WORKERS: '2' },
  })
  let printed = ''
  const link = Promise.withResolvers<string>()
  const read = (chunk: Buffer): void => {
    printed += chunk.toString()
    const url = /https?:\/\/\S+(?=\s)/.exec(printed)?.[0]
    if (url !== undefined) link.resolve(url)
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  child.once('exit', () => link.reject(new Error(`it ended before it printed a link: ${printed}`)))
  return { child, link: await link.promise, printed: () => printed }
}

/** Process ids of everything below a process. */
function descendants(pid: number): number[] {
  const children = readdirSync('/proc').filter(entry => {
    if (!/^\d+$/.test(entry)) return false
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid
    } catch {
      // It ended while we looked.
      return false
    }
  })
  return children.flatMap(child => [Number(child), ...descendants(Number(child))])
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    // No such process.
    return false
  }
}

async function stop(child: ChildProcess): Promise<{ code: number | null; left: number[] }> {
  const family = descendants(child.pid ?? 0)
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  const [code] = (await exited) as [number | null]
  return { code, left: family.filter(isAlive) }
}

t.test('the first link that the demo prints signs in on a platform of three facilities and opens moving 8K, and Ctrl-C ends everything', async t => {
  const folder = t.testdir()
  const { child, link, printed } = await start(folder, [])
  t.teardown(() => child.kill('SIGKILL'))
  const { origin, hash } = new URL(link)
  t.match(hash, /^#invitation=.+&ticket=/)
  for (const facility of ['demo-hospital', 'demo-platform', 'demo-university']) t.match(printed(), facility)
  t.match(await (await fetch(`${origin}/healthz`)).json(), { status: 'ok', publications: 1 })
  t.match(await (await fetch(`${origin}/access`)).json(), { mode: 'platform', people: { isDemonstration: true }, isCoreReachable: true })
  t.match(await (await fetch(`${origin}/metrics`)).text(), /^kenkyo_workers 2$/m)
  {
    await using viewer = await BrowserViewer.open(link, { width: 1280, height: 720, locale: 'ja-JP' })
    t.match(await viewer.until('the field', ({ shown }) => shown !== null), { image: { width: 7680, height: 4320 }, truth: { pixels: 'reduced' } })
    await viewer.view({ x: 3100, y: 2050, scale: 1 })
    const { framesDrawn } = await viewer.until('native pixels', ({ truth }) => truth.kind === 'native')
    await viewer.until('motion', now => now.framesDrawn > framesDrawn + 10)
    t.same(viewer.pageErrors, [])
  }
  t.same(await stop(child), { code: 0, left: [] })
  t.notMatch(printed(), /error|fault/i)
  t.same(readdirSync(folder).filter(name => name.startsWith('kenkyo-platform-')), [], 'the platform is forgotten')
})

t.test('the test card can be started without a platform, and is read from the screen', async t => {
  const { child, link } = await start(t.testdir(), ['--alone', '--source', 'pattern', '--frames-per-second', '2'])
  t.teardown(() => child.kill('SIGKILL'))
  t.match(await (await fetch(`${new URL(link).origin}/access`)).json(), { mode: 'alone' })
  await using viewer = await BrowserViewer.open(link, { width: 1400, height: 800 })
  await viewer.until('the field', ({ shown }) => shown !== null, 60)
  // Tile 3,2 in the middle of the canvas.
  await viewer.view({ x: 3.5 * 1280, y: 2.5 * 720, scale: 1 })
  await viewer.until('native pixels', ({ truth }) => truth.pixels === 'native')
  const pixels = await viewer.capturePixels({ x: 0, y: 0, width: 1400, height: 800 })
  t.match(readPatternTile(pixels, { x: 60, y: 40, tileWidth: 1280, tileHeight: 720 }), { column: 3, row: 2 })
  t.match(await stop(child), { left: [] })
})

t.test('a mistake in what is asked for ends it with one line', async t => {
  const child = spawn(process.execPath, [START], { env: { ...process.env, KENKYO_LISTEN_PORT: 'none' }, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [code] = (await once(child, 'exit')) as [number | null]
  t.equal(code, 1)
  t.match(said, /^kenkyo: bad_config: KENKYO_LISTEN_PORT: .*\n$/)
})
