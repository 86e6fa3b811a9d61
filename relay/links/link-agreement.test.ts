import { t } from 'tap'
import { seededRandom } from '../../bench/scenarios/viewport-renditions.ts'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { LinkSimulation } from '../../bench/simulation/link-simulation.ts'
import { LinkName, PathName } from '../wire/link.ts'
import { millis } from '../wire/units.ts'
import { FRAME, LIVE_HEADER_BYTES, writeClassReport, writeDataHeader } from './carrier/frames.ts'
import { completeContract } from './link-classes.ts'
import type { SymmetricLineOptions } from '../../bench/lines/profiles.ts'
import type { SimulatedEnd } from '../../bench/simulation/link-simulation.ts'
import type { LinkContractInput } from './link-classes.ts'

function simulate(lines: readonly SymmetricLineOptions[], input: Partial<LinkContractInput> = {}): LinkSimulation {
  const contract = completeContract({ name: LinkName.parse('test'), class: 'best-effort', paths: lines.map((_line, index) => ({ name: PathName.parse(`path-${index}`) })), ...input })
  const simulation = new LinkSimulation({ contract, lines: lines.map(symmetricLine), random: seededRandom(1) })
  simulation.run(millis(300))
  return simulation
}

/** Live packets of so many bytes on one flow, evenly, for so long. */
function play({ time, initiator }: LinkSimulation, perSecond: number, duration: number, size = 1200): void {
  const end = time.now + duration
  const one = (): void => {
    initiator.sendLive(0, Buffer.alloc(size))
    if (time.now < end) time.after(millis(1000 / perSecond), one)
  }
  one()
  time.run(millis(end))
}

const pathOf = ({ endpoint, now }: SimulatedEnd, path = 0) => endpoint.snapshot(now).paths[path]!
const classOf = ({ endpoint, now }: SimulatedEnd, id: string) => endpoint.snapshot(now).classes.find(each => each.class === id)!

t.test('a capacity is shown once it was used, or was the limit, and not while it is a guess', async t => {
  const simulation = simulate([{ roundTripMillis: 20, rateBitsPerSecond: 100e6 }])
  play(simulation, 100, 1500)
  t.same([pathOf(simulation.initiator).capacity, pathOf(simulation.initiator).headroom], [undefined, undefined])
  play(simulation, 1500, 1500)
  t.ok(pathOf(simulation.initiator).capacity! >= 10e6, 'of the 20 Mbit/s of the guess 15 were used')
  t.ok(pathOf(simulation.initiator).headroom! > 0)
  t.equal(pathOf(simulation.responder).capacity, undefined, 'nothing was sent the other way')

  const narrow = simulate([{ roundTripMillis: 20, rateBitsPerSecond: 4e6 }])
  play(narrow, 800, 3000)
  const { capacity } = pathOf(narrow.initiator)
  t.ok(capacity !== undefined && capacity < 6e6, `${capacity}`)
})

t.test('a stated rate is the one of the direction from the end that opens the link', async t => {
  const paths = [{ name: PathName.parse('main'), rateBitsPerSecond: 5e6 }]
  const { initiator, responder } = simulate([{ roundTripMillis: 20, rateBitsPerSecond: 100e6 }], { paths })
  t.equal(pathOf(initiator).capacity, 5e6)
  t.ok(initiator.endpoint.paths[0]!.out.pace < 6e6)
  t.equal(pathOf(responder).capacity, undefined)
  t.equal(responder.endpoint.paths[0]!.out.pace, 20e6)
})

t.test('a path whose MTU shrinks in the middle carries new live traffic again within two seconds', async t => {
  const simulation = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 50e6 }])
  const arrivals: number[] = []
  simulation.responder.hooks = { ...simulation.responder.hooks, live: () => arrivals.push(simulation.time.now) }
  play(simulation, 500, 2000, 1300)
  t.equal(pathOf(simulation.initiator).mtu, 1500)
  const shrunkAt = simulation.time.now
  for (const direction of Object.values(simulation.directions[0]!)) direction.mtu = 1280
  play(simulation, 500, 5000, 1300)
  t.equal(pathOf(simulation.initiator).outages, 0, 'probes pass all the time')
  const last = arrivals.filter(at => at > shrunkAt + 2000)
  t.ok(last.length > 1450, `${last.length} of 1500 arrived after two seconds`)
  t.ok(arrivals.find(at => at > shrunkAt + 100)! < shrunkAt + 2000)
  simulation.run(millis(30_000))
  t.equal(pathOf(simulation.initiator).mtu, 1280, 'and what passes is found again')
})

t.test('bulk waits for its hours, what is under way is repaired, and waiting is no fault of the line', async t => {
  const simulation = simulate([{ roundTripMillis: 20, rateBitsPerSecond: 50e6, lossRatio: 0.1 }], { bulkHours: { from: '22:00', to: '05:00' } })
  const { initiator } = simulation
  const clock = (minute: number): void => {
    initiator.minuteOfDay = minute
    // It is looked at every 50 ms.
    simulation.run(millis(60))
  }
  clock(12 * 60)
  const arrived: number[] = []
  initiator.hooks = { ...initiator.hooks, arrived: (_id, ticket) => arrived.push(ticket) }
  const send = (): number | undefined => initiator.endpoint.sendMessage('bulk', Buffer.alloc(20_000), initiator.now)
  t.equal(send(), 1)
  simulation.run(millis(60_000))
  t.same(arrived, [], 'it is midday')
  t.equal(classOf(initiator, 'bulk').totals.out.packets, 0)
  t.equal(classOf(initiator, 'bulk').queueDelay, 0)
  clock(22 * 60)
  t.ok(classOf(initiator, 'bulk').queueDelay < 100)
  clock(5 * 60)
  const sent = classOf(initiator, 'bulk').totals.out.packets
  t.ok(sent > 10)
  send()
  simulation.run(millis(70_000))
  t.same(arrived, [1])
  t.equal(classOf(initiator, 'bulk').totals.out.packets, sent)
  clock(4 * 60)
  simulation.run(millis(1000))
  t.same(arrived, [1, 2])
  t.notOk(initiator.endpoint.snapshot(initiator.now).events.some(({ kind }) => kind === 'class_degraded'))
})

t.test('both ends count the same payload, and the sender knows what came about at the far end', async t => {
  const simulation = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 50e6 }])
  play(simulation, 500, 1000)
  simulation.initiator.endpoint.sendMessage('tiles', Buffer.alloc(30_000), simulation.initiator.now)
  simulation.run(millis(1000))
  for (const id of ['live', 'tiles']) {
    const [sent, received] = [classOf(simulation.initiator, id).totals.out, classOf(simulation.responder, id).totals.in]
    t.equal(sent.bytes, received.bytes, id)
    t.equal(sent.bytes % 100, 0, 'without headers')
    t.equal(sent.deadlineMisses, 0)
  }
  const { up } = simulation.directions[0]!
  for (let outage = 0; outage < 3; outage++) {
    up.isCut = true
    play(simulation, 500, 120)
    up.isCut = false
    play(simulation, 500, 1000)
  }
  simulation.run(millis(1500))
  const misses = classOf(simulation.responder, 'live').totals.in.deadlineMisses
  t.ok(misses > 0)
  t.equal(classOf(simulation.initiator, 'live').totals.out.deadlineMisses, misses)
})

t.test('a report of more than was sent is a lie, and an older one is no news', async t => {
  const { initiator } = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 50e6 }])
  t.equal(initiator.endpoint.snapshot(initiator.now).lies, 0)
  const report = (packets: number, misses: number): boolean => initiator.endpoint.live.hear({ classId: 0, values: [packets, 0, 0, 0, 0, 0, 0, misses] })
  t.notOk(report(1, 0), 'nothing was sent yet')
  for (let packet = 0; packet < 10; packet++) initiator.sendLive(0, Buffer.alloc(100))
  t.ok(report(8, 2))
  t.ok(report(7, 1))
  t.notOk(report(9, 2))
  t.equal(classOf(initiator, 'live').totals.out.deadlineMisses, 2)
  const frame = Buffer.alloc(100)
  const plaintext = Buffer.concat([Buffer.alloc(4), frame.subarray(0, writeClassReport(frame, 0, { classId: 0, values: [1e6, 0, 0, 0, 0, 0, 0, 0] }))])
  initiator.receive(0, 1e6, plaintext)
  t.equal(initiator.endpoint.snapshot(initiator.now).lies, 1)
})

t.test('a class that the contract does not allow is neither sent nor taken', async t => {
  const simulation = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 50e6 }], { allowedClasses: ['control'] })
  const { initiator, responder } = simulation
  const got: number[] = []
  responder.hooks = { ...responder.hooks, live: flow => got.push(flow) }
  initiator.sendLive(0, Buffer.alloc(100))
  t.equal(initiator.endpoint.live.droppedPackets, 1)
  t.equal(initiator.endpoint.live.out.sequence, 0)
  const data = Buffer.alloc(4 + 9 + LIVE_HEADER_BYTES + 100)
  writeDataHeader(data, 4, 0, 0, 1, LIVE_HEADER_BYTES + 100)
  responder.receive(0, 1e6, data)
  t.same(got, [])
  t.equal(responder.endpoint.lies, 1)
  simulation.run(millis(2000))
  t.equal(responder.endpoint.lies, 1, 'and what the far end says of itself is none')
})

t.test('the end of a link is its last event, at both ends', async t => {
  const { time, initiator, responder } = simulate([{ roundTripMillis: 40, rateBitsPerSecond: 50e6 }])
  initiator.endpoint.close(initiator.now)
  time.run(millis(time.now + 100))
  responder.endpoint.close(responder.now)
  for (const [{ endpoint, now }, by] of [[initiator, 'this end'], [responder, 'far end']] as const) {
    t.match(endpoint.snapshot(now).events.at(-1), { kind: 'link_closed', evidence: { by } })
    t.equal(endpoint.snapshot(now).events.filter(({ kind }) => kind === 'link_closed').length, 1)
  }
})

t.test('the copy of a request goes over another path than the request', async t => {
  const simulation = simulate([{ roundTripMillis: 20, rateBitsPerSecond: 50e6, lossRatio: 0.02 }, { roundTripMillis: 60, rateBitsPerSecond: 50e6 }])
  const asked: [number, string][] = []
  simulation.responder.hooks = {
    ...simulation.responder.hooks,
    sent: (path, plaintext) => {
      for (let at = 15, end = 15 + 6 * (plaintext[14] ?? 0); plaintext[4] === FRAME.request && at < end; at += 6) asked.push([path, plaintext.subarray(at, at + 6).toString('hex')])
    },
  }
  play(simulation, 500, 3000)
  const once = new Map<string, number[]>()
  for (const [path, range] of asked) once.set(range, [...(once.get(range) ?? []), path])
  const copied = [...once.values()].filter(paths => paths.length > 1)
  t.ok(copied.length > 10)
  t.ok(copied.every(([first, second]) => first === 0 && second === 1), 'first on the quickest, then on the other')
})
