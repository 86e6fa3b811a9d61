import { t } from 'tap'
import { demoRecording } from '../../scripts/demo/record.ts'
import { Stage } from '../harness/stage.ts'
import type { KenkyoHandle } from '../../clients/viewer/inspect.ts'

const STALE_LIMIT_SECONDS = 1
const RETURN_LIMIT_SECONDS = 2

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle }

const recording = await demoRecording({ onProgress: line => t.comment(line) })
const stage = await Stage.open(['--source', 'recording', '--loop', '--input', recording], { width: 1280, height: 720 }, { workers: 1 })
t.teardown(() => stage[Symbol.asyncDispose]())
const { viewer, under } = stage
await viewer.page.evaluate(() => Object.assign(globalThis, { neverReloaded: true }))

/** How old the picture was, in seconds, when the viewer first called it stale; watched inside the page. */
function firstStale(): Promise<number> {
  return viewer.page.evaluate(
    () =>
      new Promise<number>(resolve => {
        const look = (): void => {
          const { truth } = (globalThis as ViewerGlobal).kenkyo.inspect()
          if (truth.kind === 'stale') resolve(truth.staleSeconds)
          else setTimeout(look, 10)
        }
        look()
      }),
  )
}

async function until(predicate: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await predicate())) {
    if (performance.now() > deadline) throw new Error(`did not come back; the agent said: ${stage.microscope.log}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Seconds from now until frames are drawn again, none of them stale. */
async function secondsToFrames(): Promise<number> {
  const start = performance.now()
  await viewer.until('frames again', ({ truth, shown }) => shown !== null && truth.kind !== 'stale' && truth.kind !== 'none').catch((error: unknown) => {
    throw new Error(`no frames; the agent said: ${stage.microscope.log}`, { cause: error })
  })
  return (performance.now() - start) / 1000
}

const isPublishing = () => Promise.resolve(under.node.health.publications > 0)

t.test('a microscope that dies and comes back', async t => {
  const stale = firstStale()
  await stage.killMicroscope()
  t.comment(`called stale when the picture was ${(await stale).toFixed(2)} s old`)
  t.ok((await stale) <= STALE_LIMIT_SECONDS)
  await until(async () => !(await isPublishing()))
  await stage.restartMicroscope()
  await until(isPublishing)
  const seconds = await secondsToFrames()
  t.comment(`frames ${seconds.toFixed(2)} s after the microscope published again`)
  t.ok(seconds <= RETURN_LIMIT_SECONDS)
})

t.test('a media worker that dies and is replaced', async t => {
  const [pid] = under.node.workerPids
  const stale = firstStale()
  const start = performance.now()
  process.kill(pid ?? 0, 'SIGKILL')
  t.comment(`called stale when the picture was ${(await stale).toFixed(2)} s old`)
  t.ok((await stale) <= STALE_LIMIT_SECONDS)
  await until(() => Promise.resolve(under.node.workerPids.length > 0 && under.node.workerPids[0] !== pid))
  const replaced = (performance.now() - start) / 1000
  await secondsToFrames()
  const total = (performance.now() - start) / 1000
  t.comment(`worker replaced after ${replaced.toFixed(2)} s, frames ${(total - replaced).toFixed(2)} s later`)
  t.ok(total - replaced <= RETURN_LIMIT_SECONDS)
  t.equal(await under.metric('kenkyo_worker_deaths_total'), 1)
})

t.test('nothing was reloaded, and nothing was thrown', async t => {
  t.equal(await viewer.page.evaluate(() => (globalThis as { neverReloaded?: boolean }).neverReloaded), true)
  t.same(viewer.pageErrors, [])
})
