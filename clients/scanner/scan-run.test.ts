import { t } from 'tap'
import { createLogger } from '../../relay/runtime/log.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { OutdatedPreparation, ScanRun } from './scan-run.ts'
import { ScanQueue } from './scan-queue.ts'
import type { Test } from 'tap'
import type { FileLook, WatchedFile } from './file-settling.ts'
import type { FolderNews } from './folder-watch.ts'
import type { ScanJob, SlideProgress } from './scan-job.ts'
import type { ScanEvent, ScanRunOptions } from './scan-run.ts'

const halfWay: SlideProgress = { stage: 'sending', tiles: 4, tilesDone: 4, sent: { chunks: 4, chunksDone: 2, bytes: 40, bytesDone: 20 }, rate: undefined, remaining: undefined }

/** Time that passes as soon as everybody sleeps. */
class RacingClock {
  #now = 0
  readonly now = () => millis(this.#now)

  async sleep(duration: number, signal?: AbortSignal): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    signal?.throwIfAborted()
    this.#now += duration
  }
}

type Send = (job: ScanJob, signal: AbortSignal, progress: (progress: SlideProgress) => void) => Promise<void>

function scanUnderTest(t: Test, change: Partial<ScanRunOptions> & { readonly directory?: string } = {}) {
  const { directory = t.testdir(), ...options } = change
  const queue = ScanQueue.open(directory)
  t.teardown(() => queue[Symbol.dispose]())
  const looks = new Map<string, FileLook>()
  const events: ScanEvent[] = []
  const world = {
    directory, queue, looks, events, sent: [] as string[], forgotten: 0, probeFault: undefined as RelayFault | undefined,
    send: (async () => undefined) as Send,
    add: (path: string, look = { size: 5, modifiedAtMillis: 1 }) => {
      looks.set(path, look)
      return queue.add(path, look, true)
    },
    names: () => events.map(({ event }) => event).filter(event => event !== 'progress'),
  }
  const run = new ScanRun({
    queue, look: async path => looks.get(path), candidates: undefined, isOpen: () => true, settling: { still: millis(3000), patience: millis(20_000) },
    atOnce: 1, maxAttempts: 3, clock: new RacingClock(), log: createLogger({ level: 'silent', program: 'scanner' }), onEvent: event => events.push(event),
    pipeline: {
      probe: async () => {
        if (world.probeFault !== undefined) throw world.probeFault
      },
      send: async (job, on, signal) => {
        world.sent.push(job.path)
        await world.send(job, signal, progress => on.progress(progress))
      },
      forget: async () => {
        world.forgotten++
      },
    },
    ...options,
  })
  return Object.assign(world, { run })
}

/** Until the signal aborts, as a transfer that is under way. */
const forever = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => {
  if (signal.aborted) reject(signal.reason as Error)
  signal.addEventListener('abort', () => reject(signal.reason as Error))
})
const { signal } = new AbortController()

t.test('slides are sent one after the other, and what was kept of them is forgotten', async t => {
  const scan = scanUnderTest(t)
  let [atOnce, most] = [0, 0]
  scan.send = async () => {
    most = Math.max(most, ++atOnce)
    await new Promise(resolve => setImmediate(resolve))
    atOnce--
  }
  for (const path of ['/a', '/b', '/c']) scan.add(path)
  await scan.run.run(signal)
  t.same(scan.sent, ['/a', '/b', '/c'])
  t.match(scan.run.tally, { done: 3, failed: 0, refused: 0, noSlides: 0 })
  t.same([most, scan.forgotten], [1, 3])
  t.same(scan.names(), ['started', 'done', 'started', 'done', 'started', 'done'])
})

t.test('a file that is still written is waited for while another goes', async t => {
  const scan = scanUnderTest(t)
  scan.add('/growing')
  scan.add('/still')
  let looks = 0
  scan.looks.get = path => ({ size: path === '/growing' ? Math.min(40, looks++) : 5, modifiedAtMillis: 1 })
  await scan.run.run(signal)
  t.same(scan.sent, ['/still', '/growing'])
})

t.test('files that are no slides are told from those that failed', async t => {
  const scan = scanUnderTest(t)
  scan.probeFault = new RelayFault('bad_slide', 'cut off')
  scan.add('/broken')
  await scan.run.run(signal)
  t.match(scan.run.tally, { noSlides: 1, failed: 0 })
  t.match(scan.queue.latest(1), [{ state: 'failed', fault: 'bad_slide' }])
  const other = scanUnderTest(t)
  other.probeFault = new RelayFault('unsupported_slide', 'a text')
  other.add('/text')
  await other.run.run(signal)
  t.match(other.run.tally, { noSlides: 1 })
  const gone = scanUnderTest(t)
  gone.add('/gone')
  gone.looks.clear()
  await gone.run.run(signal)
  t.match(gone.run.tally, { failed: 1 })
})

t.test('what may pass is tried again so many times, what the node refuses is not', async t => {
  const scan = scanUnderTest(t)
  scan.add('/share')
  scan.add('/refused')
  scan.send = async ({ path }) => {
    throw path === '/share' ? new Error('EIO') : new RelayFault('quota_exceeded', 'no room')
  }
  await scan.run.run(signal)
  t.same(scan.sent.filter(path => path === '/share').length, 3)
  t.same(scan.sent.filter(path => path === '/refused').length, 1)
  t.match(scan.run.tally, { failed: 1, refused: 1 })
})

t.test('an invitation that is refused ends the run and loses nothing of the queue', async t => {
  const scan = scanUnderTest(t)
  scan.add('/a')
  scan.add('/b')
  scan.send = () => Promise.reject(new RelayFault('invitation_expired', 'over'))
  await t.rejects(scan.run.run(signal), { code: 'invitation_expired' })
  t.match(scan.queue.pending(9), [{ path: '/a', state: 'waiting' }, { path: '/b', state: 'waiting' }])
})

t.test('an interrupted slide stays in the queue under its id, and the next run goes on without waiting for the file', async t => {
  const scan = scanUnderTest(t)
  const { slideId } = scan.add('/a')
  const stop = new AbortController()
  scan.send = async (_job, aborted, progress) => {
    progress(halfWay)
    stop.abort(new RelayFault('unavailable', 'interrupted'))
    await forever(aborted)
  }
  await scan.run.run(stop.signal)
  t.match(scan.queue.pending(9), [{ slideId, state: 'sending', sent: halfWay.sent, look: { size: 5, modifiedAtMillis: 1 } }])
  const next = scanUnderTest(t, { directory: scan.directory })
  next.looks.set('/a', { size: 5, modifiedAtMillis: 1 })
  await next.run.run(signal)
  t.match(next.queue.job(slideId), { state: 'done' })
})

t.test('another file in the place of one that was begun is a slide of its own', async t => {
  const scan = scanUnderTest(t)
  const { slideId } = scan.add('/a')
  scan.queue.update(slideId, { state: 'sending', look: { size: 4, modifiedAtMillis: 1 } })
  await scan.run.run(signal)
  t.equal(scan.queue.job(slideId), undefined)
  t.match(scan.queue.latest(1), [{ state: 'done' }])
  t.equal(scan.forgotten, 2)
})

t.test('what was prepared by another program begins anew', async t => {
  const scan = scanUnderTest(t)
  const { slideId } = scan.add('/a')
  scan.send = async job => {
    if (job.slideId === slideId) throw new OutdatedPreparation('other levels')
  }
  await scan.run.run(signal)
  t.match(scan.queue.latest(1), [{ state: 'done' }])
  t.equal(scan.sent.length, 2)
})

t.test('paused or outside of the hours nothing is sent, and what is under way stops and goes on', async t => {
  let isOpen = true
  const scan = scanUnderTest(t, { isOpen: () => isOpen })
  scan.add('/a')
  let waits = 0
  scan.send = async (_job, aborted) => {
    if (scan.sent.length > 2) return
    if (scan.sent.length === 1) scan.queue.isPaused = true
    else isOpen = false
    await forever(aborted)
  }
  scan.events.push = event => {
    if (event.event === 'held' && event.reason !== undefined && ++waits <= 2) setImmediate(() => {
      scan.queue.isPaused = false
      isOpen = true
    })
    scan.events[scan.events.length] = event
    return scan.events.length
  }
  await scan.run.run(signal)
  t.same(scan.events.filter(({ event }) => event === 'held').map(event => 'reason' in event && event.reason), ['paused', undefined, 'hours', undefined])
  t.equal(scan.sent.length, 3)
  t.match(scan.run.tally, { done: 1, failed: 0 })
})

t.test('a watched folder is taken up as files appear, until it is ended', async t => {
  const stop = new AbortController()
  const folder: string[] = []
  const scan = scanUnderTest(t, { candidates: async () => folder })
  const appear = (path: string): void => {
    folder.push(path)
    scan.looks.set(path, { size: 5, modifiedAtMillis: 1 })
  }
  scan.send = async () => {
    if (folder.length === 1) appear('/second')
    else stop.abort(new RelayFault('unavailable', 'interrupted'))
  }
  appear('/first')
  await scan.run.run(stop.signal)
  t.same(scan.sent, ['/first', '/second'])
})

/** A folder in which one file appears after a while, and what is told of it. */
function newsOf(watched: WatchedFile | undefined) {
  const clock = new RacingClock()
  const [folder, first] = [[] as string[], Promise.withResolvers<undefined>()]
  let hasNews = false
  const news: FolderNews = {
    takeNews: () => {
      const had = hasNews
      hasNews = false
      return had
    },
    get next() {
      return hasNews ? first.promise : new Promise<undefined>(() => undefined)
    },
    of: () => watched,
  }
  return { clock, news, folder, appear: () => {
    folder.push('/new')
    hasNews = true
    first.resolve(undefined)
  } }
}

for (const [name, watched, isFolder, within] of [
  ['a file that came whole into a watched folder begins within half a second', { cameWhole: true }, false, 500],
  ['a file that was written there begins within two seconds', { cameWhole: false }, false, 2000],
] as const) {
  t.test(name, async t => {
    const stop = new AbortController()
    const { clock, news, folder, appear } = newsOf(watched)
    const scan = scanUnderTest(t, { clock, news, candidates: async () => folder })
    let appearedAt = 0
    scan.looks.get = path => {
      if (path !== '/new') return undefined
      return { size: 5, modifiedAtMillis: 1, isFolder }
    }
    scan.send = async () => {
      t.ok(clock.now() - appearedAt <= within, `${clock.now() - appearedAt} ms`)
      stop.abort(new RelayFault('unavailable', 'interrupted'))
    }
    appearedAt = clock.now()
    appear()
    await scan.run.run(stop.signal)
    t.same(scan.sent, ['/new'])
  })
}

for (const [name, watched, isFolder] of [
  ['what a folder tells of a slide that is a folder itself says nothing of the files within', { cameWhole: true }, true],
  ['a file that nothing is told of has to stand still for as long as was asked for', undefined, false],
] as const) {
  t.test(name, async t => {
    const stop = new AbortController()
    const { clock, news, folder, appear } = newsOf(watched)
    const scan = scanUnderTest(t, { clock, news, candidates: async () => folder })
    scan.looks.get = () => ({ size: 5, modifiedAtMillis: 1, isFolder })
    scan.send = async () => {
      t.ok(clock.now() >= 3000, `${clock.now()} ms`)
      stop.abort(new RelayFault('unavailable', 'interrupted'))
    }
    appear()
    await scan.run.run(stop.signal)
    t.same(scan.sent, ['/new'])
  })
}

t.test('events name no file', async t => {
  const scan = scanUnderTest(t)
  scan.add('/yamada-taro.svs')
  scan.send = async (_job, _signal, progress) => progress(halfWay)
  await scan.run.run(signal)
  t.notOk(JSON.stringify(scan.events).includes('yamada'))
})
