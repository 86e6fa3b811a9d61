import { randomBytes } from 'node:crypto'
import t from 'tap'
import { RelayFault } from '../../relay/wire/fault.ts'
import { AnsweringEnd } from './answering-end.ts'
import { connectControl, ControlChannel } from './control-channel.ts'
import { AcceptanceAnswer } from './acceptance-messages.ts'
import { measureLine } from './measure-line.ts'
import { loadRecordedShapes } from './traffic-shape.ts'
import type { AcceptancePlan } from './acceptance-plan.ts'
import type { MeasureOptions } from './measure-line.ts'

const shapes = await loadRecordedShapes()
const { signal } = new AbortController()
const PLAN: AcceptancePlan = {
  idleMillis: 300, stepMillis: 300, windows: 0, windowMillis: 0,
  loads: (['out', 'in'] as const).map(direction => ({ direction, shape: 'pyramid', bitsPerSecond: 6e6 })),
}

async function openEnd(key = randomBytes(32)): Promise<{ readonly end: AnsweringEnd; readonly key: Buffer }> {
  return { key, end: await AnsweringEnd.open({ key, address: '127.0.0.1', port: 0, shapes }) }
}

const optionsFor = (port: number, key: Buffer, change: Partial<MeasureOptions> = {}): MeasureOptions => ({
  line: 'loopback', isSimulated: true, plan: PLAN, shapes, say: () => undefined, mostLateMillis: Infinity, paths: [{ name: 'first', host: '127.0.0.1', port, key, shapes }], ...change,
})

t.test('measures a line from end to end, both ways', async t => {
  const { end, key } = await openEnd()
  await using _end = end
  const { paths } = await measureLine(optionsFor(end.port, key), signal)
  const [path] = paths
  t.same(path?.steps.map(({ direction }) => direction), ['out', 'in'])
  for (const step of path?.steps ?? []) {
    t.ok(step.departure.sent > 50)
    t.equal(step.reception.received, step.departure.sent)
    t.ok(step.probes.answered > 0)
  }
  t.equal(path?.mtuBytes, 1500)
})

t.test('two paths to one far end are measured each, and together', async t => {
  const { end, key } = await openEnd()
  await using _end = end
  const path = { host: '127.0.0.1', port: end.port, key, shapes }
  const { paths, secondPath } = await measureLine(optionsFor(end.port, key, { paths: [{ name: 'first', ...path }, { name: 'second', ...path }] }), signal)
  t.equal(paths.length, 2)
  t.match(secondPath, [{ lostFirst: 0, lostSecond: 0, lostBoth: 0 }])
  t.ok((secondPath[0]?.sent ?? 0) > 50)
})

t.test('gives nothing when the far end disappears under load, away from here and towards here', async t => {
  for (const direction of ['out', 'in'] as const) {
    const { end, key } = await openEnd()
    const plan: AcceptancePlan = { ...PLAN, stepMillis: 20_000, loads: [{ direction, shape: 'pyramid', bitsPerSecond: 6e6 }] }
    const say = (line: string): void => {
      // The load is announced right before it begins.
      if (line.includes('Mbit/s')) setTimeout(() => void end[Symbol.asyncDispose](), 200)
    }
    await t.rejects(measureLine(optionsFor(end.port, key, { plan, say }), signal), { code: 'unavailable', message: /far end is gone/ })
  }
})

t.test('stops at once when it is told to, and frees the far end for the next', async t => {
  const { end, key } = await openEnd()
  await using _end = end
  const stop = new AbortController()
  const plan: AcceptancePlan = { ...PLAN, stepMillis: 60_000 }
  const say = (line: string): void => {
    if (line.includes('Mbit/s')) setTimeout(() => stop.abort(new RelayFault('unavailable', 'stopped by SIGINT')), 100)
  }
  await t.rejects(measureLine(optionsFor(end.port, key, { plan, say }), stop.signal), { message: /SIGINT/ })
  await t.resolves(measureLine(optionsFor(end.port, key), signal))
})

t.test('gives nothing when the clock was set meanwhile', async t => {
  const { end, key } = await openEnd()
  await using _end = end
  let ahead = 0
  const say = (line: string): void => {
    if (line.includes('Mbit/s')) ahead = 3600_000
  }
  await t.rejects(measureLine(optionsFor(end.port, key, { say, wallClock: () => Date.now() + ahead }), signal), { code: 'unavailable', message: /clock was set/ })
})

t.test('is refused with another key, and where nobody answers', async t => {
  const { end } = await openEnd()
  const { port } = end
  await t.rejects(measureLine(optionsFor(port, randomBytes(32)), signal), { code: 'unavailable' })
  await end[Symbol.asyncDispose]()
  await t.rejects(measureLine(optionsFor(port, randomBytes(32)), signal), { code: 'unavailable' })
})

t.test('no more than two sessions are let in, and no load beyond the bounds is sent', async t => {
  const { end, key } = await openEnd()
  await using _end = end
  const open = async (...requests: readonly object[]): Promise<{ readonly answers: AcceptanceAnswer[]; readonly channel: ControlChannel<AcceptanceAnswer> }> => {
    const answers: AcceptanceAnswer[] = []
    const told = Promise.withResolvers<undefined>()
    const channel = new ControlChannel(await connectControl(key, '127.0.0.1', end.port, undefined, signal), AcceptanceAnswer, answer => {
      if (answers.push(answer) === requests.length) told.resolve(undefined)
    })
    for (const request of requests) channel.say(request)
    await Promise.race([told.promise, channel.closed])
    return { answers, channel }
  }
  const hello = { type: 'open', protocol: 1 }
  using first = (await open(hello)).channel
  const second = await open(hello, { type: 'send', step: 1, shape: 'pyramid', bitsPerSecond: 6e6, durationMillis: 1000 })
  t.match(second.answers, [{ type: 'opened' }, { type: 'refused', code: 'no_path' }], 'it sends to nobody who has not shown where he is')
  const third = await open(hello)
  t.match(third.answers, [{ type: 'refused', code: 'busy' }])
  third.channel[Symbol.dispose]()
  second.channel.say({ type: 'send', step: 1, shape: 'pyramid', bitsPerSecond: 1e9, durationMillis: 1000 })
  t.ok(await second.channel.closed, 'a rate beyond the bounds ends the session')
  t.notOk(first.socket.destroyed)
})
