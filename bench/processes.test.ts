import { createServer } from 'node:net'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { t } from 'tap'
import { millis } from '../relay/wire/units.ts'
import { findFreePorts } from './free-ports.ts'
import { readProcessUsage } from './process-usage.ts'
import { ChildProgram } from './processes.ts'

const soon = millis(20_000)
const { signal } = new AbortController()

const run = (code: string, more: Partial<Parameters<typeof ChildProgram.start>[0]> = {}): Promise<ChildProgram> =>
  ChildProgram.start({ name: 'the child', command: process.execPath, args: ['-e', code], ...more })

t.test('finds a line of either output', async t => {
  await using child = await run('console.log("one"); console.error("port 7"); setInterval(() => {}, 1000)')
  t.equal(await child.line(line => /port (\d+)/.exec(line)?.[1], soon, signal), '7')
})

t.test('quotes the last words of a child that ends too early', async t => {
  await using child = await run('console.error("no such recording"); process.exit(3)')
  await t.rejects(child.line(() => undefined, soon, signal), { code: 'unavailable', message: /the child ended with code 3\s+no such recording/ })
  await t.rejects(child.failed, { code: 'unavailable' })
})

t.test('gives up on a child that is too slow, and on an abort', async t => {
  await using child = await run('setInterval(() => {}, 1000)')
  await t.rejects(child.line(() => undefined, millis(20), signal), { code: 'timeout' })
  await t.rejects(child.line(() => undefined, soon, AbortSignal.abort(new Error('enough'))), { message: 'enough' })
})

t.test('talks over IPC, feeds standard input and tells how the child ended', async t => {
  const message = Promise.withResolvers<unknown>()
  await using child = await run('process.stdin.on("data", d => process.send(String(d))); process.on("message", () => process.exit(5))', {
    input: Readable.from(['hello']),
    onMessage: message.resolve,
  })
  t.equal(await child.until(message.promise, soon, signal), 'hello')
  child.send({ type: 'end' })
  t.same(await child.finished(soon, signal), { code: 5, signal: null })
})

t.test('leaves no child behind its scope', async t => {
  let pid: number
  {
    await using child = await run('setInterval(() => {}, 1000)')
    pid = child.pid
    t.ok(readProcessUsage(pid))
  }
  t.notOk(readProcessUsage(pid))
})

t.test('says when a program cannot be started', async t => {
  await t.rejects(ChildProgram.start({ name: 'nothing', command: '/nowhere/at/all', args: [] }), { code: 'unavailable' })
})

t.test('finds ports in a row around one that is taken', async t => {
  const first = await findFreePorts(3)
  const server = createServer().listen(first + 1, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const shares = [(first - 20_000) / (12_000 - 3), 0.5]
  const found = await findFreePorts(3, () => shares.shift() ?? Math.random())
  t.ok(found !== first && found + 2 <= 32_000)
})
