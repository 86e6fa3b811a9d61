import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { t } from 'tap'
import { exportSlide } from '../../clients/scanner/slide-export.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { openTiffSlide } from '../../relay/slides/formats/tiff-slide.ts'
import { SlideHttp } from '../../relay/slides/transfer/slide-http.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { columnsOf, rowsOf } from '../../relay/wire/slide.ts'
import { millis } from '../../relay/wire/units.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { TestSlide } from '../harness/test-slide.ts'
import type { SlideAsking } from '../../relay/slides/transfer/stored-slide.ts'
import type { SlideHttp as Http } from '../../relay/slides/transfer/slide-http.ts'

const KENKYO = fileURLToPath(new URL('../../scripts/kenkyo.ts', import.meta.url))
const never = new AbortController().signal
const under = await NodeUnderTest.open()
t.teardown(() => under[Symbol.asyncDispose]())
const scanner = await under.invite('scanner', { member: 'scanner' })
const sent = await TestSlide.open(scanner)
t.teardown(() => sent[Symbol.asyncDispose]())
const { slideId } = sent

/** @returns Exit code and output of `kenkyo scan export`. */
async function kenkyo(args: readonly string[], link = scanner): Promise<{ readonly code: number; readonly output: string }> {
  const run = promisify(execFile)(process.execPath, [KENKYO, 'scan', 'export', ...args], { env: { ...process.env, KENKYO_INVITATION: link, LC_ALL: 'C' }, timeout: 60_000 })
  try {
    return { code: 0, output: (await run).stdout }
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string }
    return { code, output: stderr }
  }
}

/** The node's answers, as somebody in between makes them. */
function between(change: (path: string, answer: Awaited<ReturnType<Http['send']>>) => Awaited<ReturnType<Http['send']>>): SlideAsking & Disposable {
  const url = new URL(scanner)
  const http = new SlideHttp({ origin: url.origin, token: new URLSearchParams(url.hash.slice(1)).get('invitation') ?? '' })
  return { send: async (request, signal) => change(request.path, await http.send(request, signal)), [Symbol.dispose]: () => http[Symbol.dispose]() }
}
const quick = { first: millis(1), cap: millis(2) }
const plan = (http: SlideAsking, path: string) => ({ http, slideId, path, isReplaced: false, clock: systemClock, onProgress: () => undefined, onFault: () => undefined, retry: quick })

t.test('a slide that has not wholly arrived is not exported', async t => {
  await sent.announce()
  const { code, output } = await kenkyo([slideId, '--out', join(t.testdir(), 'slide.svs')])
  t.equal(code, 1)
  t.match(output, 'wrong_state')
  await sent.sendAll()
})

t.test('a stored slide becomes a file that has its tiles bit for bit', async t => {
  const path = join(t.testdir(), 'slide.svs')
  const { code, output } = await kenkyo([slideId, '--out', path, '--json'])
  t.equal(code, 0, output)
  t.match(JSON.parse(output.trim().split('\n').at(-1) ?? ''), { slideId, event: 'done', key: /^[\w-]{43}$/ })
  await using file = await openTiffSlide(path)
  t.same(file.levels.map(({ width, height }) => [width, height]), sent.structure.levels.map(({ width, height }) => [width, height]))
  t.same(file.micronsPerPixel, sent.structure.micronsPerPixel)
  for (const [level, shape] of sent.structure.levels.entries()) {
    for (const [column, row] of [[0, 0], [columnsOf(shape) - 1, rowsOf(shape) - 1]] as const) {
      const answer = await fetch(`${under.node.origin}/slides/${slideId}/tiles/${level}/${column}/${row}`, { headers: { authorization: `Bearer ${new URLSearchParams(new URL(scanner).hash.slice(1)).get('invitation') ?? ''}` } })
      t.ok((await file.readTile(level, column, row)).equals(Buffer.from(await answer.arrayBuffer())), `${level}/${column}/${row}`)
    }
  }
  t.match(await kenkyo([slideId, '--out', path]), { code: 1, output: /conflict/ }, 'a file that is there stays')
  t.match(await kenkyo([slideId, '--out', path, '--force']), { code: 0, output: /each proven/ })
})

t.test('what is refused has an exit code of its own', async t => {
  const out = join(t.testdir(), 'slide.svs')
  t.match(await kenkyo(['not-an-id', '--out', out]), { code: 2, output: /bad_config/ })
  t.match(await kenkyo([crypto.randomUUID(), '--out', out]), { code: 3, output: /not_found/ })
  t.match(await kenkyo([slideId, '--out', out], await under.invite('scanner', { consultation: 'other', member: 'scanner' })), { code: 3, output: /grant_refused/ })
  t.notOk(existsSync(out))
})

t.test('a tile that was changed on its way ends the export and leaves no file', async t => {
  const directory = t.testdir()
  using http = between((path, answer) => (path.endsWith('/tiles/0/3/3') ? { ...answer, body: Buffer.concat([answer.body, Buffer.of(0)]) } : answer))
  await t.rejects(exportSlide(plan(http, join(directory, 'slide.svs')), never), { code: 'hash_mismatch' })
  using silent = between((_, answer) => ({ ...answer, headers: {} }))
  await t.rejects(exportSlide(plan(silent, join(directory, 'slide.svs')), never), { code: 'hash_mismatch' }, 'without proofs')
  t.same(await readdir(directory), [])
})

t.test('heads that sign another slide, or are of another key, are refused', async t => {
  const directory = t.testdir()
  for (const forge of [(said: { key: { x: string } }) => ({ ...said, key: { ...said.key, x: 'A'.repeat(43) } }), (said: { levels: object[] }) => ({ ...said, levels: said.levels.slice(1) }), (said: { levels: { head: string }[] }) => ({ ...said, head: said.levels[0]?.head })]) {
    using http = between((path, answer) => (path.includes('/tiles/') ? answer : { ...answer, body: Buffer.from(JSON.stringify(forge(JSON.parse(answer.body.toString()) as never))) }))
    await t.rejects(exportSlide(plan(http, join(directory, 'slide.svs')), never), { code: 'signature_refused' })
  }
  t.same(await readdir(directory), [])
})

t.test('a line that fails is waited for, and what another run left is begun anew', async t => {
  const directory = t.testdir()
  const path = join(directory, 'slide.svs')
  await writeFile(`${path}.part`, 'half of a slide')
  let count = 0
  const faults: string[] = []
  using http = between((_, answer) => {
    if (count++ % 5 === 0) throw new RelayFault('unavailable', 'planted')
    return answer
  })
  const { tiles, tilesDone } = await exportSlide({ ...plan(http, path), onFault: code => faults.push(code) }, never)
  t.equal(tilesDone, tiles)
  t.ok(faults.length > 10 && faults.every(code => code === 'unavailable'))
  t.same(await readdir(directory), ['slide.svs'])
  const abort = new AbortController()
  await t.rejects(exportSlide({ ...plan(http, join(directory, 'other.svs')), onProgress: () => abort.abort(new Error('enough')) }, abort.signal), { message: 'enough' })
  t.same(await readdir(directory), ['slide.svs'], 'an export that is ended leaves nothing')
})
