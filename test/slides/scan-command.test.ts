import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { t } from 'tap'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import type { Role } from '../../relay/wire/signaling.ts'

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')
const NAME = 'yamada-taro'

const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())
const folder = t.testdir({ node: {}, state: {}, watched: {} })
const slide = join(folder, `${NAME}.svs`)
await writeSyntheticSlide(slide, SMALL_SLIDE)
const junk = join(folder, `${NAME}.txt`)
writeFileSync(junk, 'no slide')

/** `kenkyo scan` with these words, in a process of its own. */
async function start(state: string, args: readonly string[], role: Role = 'scanner') {
  const environment = { ...process.env, LC_ALL: 'C', KENKYO_INVITATION: await under.invite(role), KENKYO_STATE_DIR: join(folder, 'state', state), KENKYO_STILL_SECONDS: '0.1' }
  const child = spawn(process.execPath, [KENKYO, 'scan', ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  return { child, ended: Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(([stdout, stderr, [code]]) => ({ stdout, stderr, code: code as number })) }
}

const scan = async (state: string, args: readonly string[], role: Role = 'scanner') => (await start(state, args, role)).ended

t.test('a slide arrives and is in the queue as such; what is no slide is told by the exit code', async t => {
  const both = await scan('both', [slide, junk, '--lang', 'ja', '--log-level', 'info'])
  t.equal(both.code, 4)
  t.match(both.stdout, /すべて届きました/)
  t.match(both.stdout, /送信できませんでした \(unsupported_slide\)/)
  t.notMatch(both.stdout + both.stderr, NAME, 'no name is printed or logged')
  const status = await scan('both', ['status'])
  t.match(status.stdout, new RegExp(`arrived +${NAME}\\.svs\n.*failed \\(unsupported_slide\\) +${NAME}\\.txt`))
  t.notMatch((await scan('both', ['status', '--json'])).stdout, NAME)
})

t.test('a mistake in the words ends with 2, an invitation of another role with 3', async t => {
  t.match(await scan('words', [slide, '--between', 'night']), { code: 2, stderr: /bad_config: --between/ })
  t.match(await scan('words', [slide, '--no-such']), { code: 2 })
  t.match(await scan('words', [join(folder, NAME)]), { code: 2, stderr: /file 1: cannot be read/ })
  const refused = await scan('words', [slide], 'viewer')
  t.equal(refused.code, 3)
  t.notMatch(refused.stdout + refused.stderr, NAME)
})

t.test('a watched folder: what appears is sent, a second scan hands its files over, pause holds, and Ctrl-C ends it', async t => {
  const watched = join(folder, 'watched')
  mkdirSync(watched, { recursive: true })
  const { child, ended } = await start('watch', ['--watch', watched, '--json'])
  t.teardown(() => child.kill('SIGKILL'))
  const waiting = new Map<string, (line: string) => void>()
  createInterface(child.stdout).on('line', line => waiting.get((JSON.parse(line) as { event: string }).event)?.(line))
  const heard = (event: string) => new Promise<string>(resolve => waiting.set(event, resolve))
  const done = heard('done')
  copyFileSync(slide, join(watched, `.${NAME}`))
  renameSync(join(watched, `.${NAME}`), join(watched, `${NAME}.svs`))
  t.match(JSON.parse(await done), { event: 'done' })
  const held = heard('held')
  t.equal((await scan('watch', ['pause'])).code, 0)
  t.match(JSON.parse(await held), { reason: 'paused' })
  t.match(await scan('watch', [slide]), { code: 0, stdout: /will take them/ })
  const next = heard('done')
  t.equal((await scan('watch', ['resume'])).code, 0)
  t.match(JSON.parse(await next), { event: 'done' })
  child.kill('SIGINT')
  t.equal((await ended).code, 130)
})
