import { monitorEventLoopDelay } from 'node:perf_hooks'
import { RelayFault } from '../../relay/wire/fault.ts'
import { LiveMember } from './live-member.ts'
import { MediaViewer } from './media-viewer.ts'
import { RandomSlide } from './random-slide.ts'
import { SlideSender } from './slide-sender.ts'
import { TileReader } from './tile-reader.ts'
import { CASE } from './withdrawal-world.ts'
import type { SignedInPerson } from './signed-in-person.ts'
import type { PublisherProcess } from './publisher-process.ts'
import type { PlatformNode, WithdrawalWorld } from './withdrawal-world.ts'

/** What is cut off. */
export const PATHS = ['live', 'tiles', 'transfer', 'instruments'] as const
export type Path = (typeof PATHS)[number]

/** Tiles to each side of the slide that is looked at, and bytes of each. */
export const SHOWN_SLIDE = { side: 16, tileBytes: 24 * 1024 } as const
/** Of the slide that is sent: chunks of four tiles, enough for a round. */
const SENT_SLIDE = { side: 26, tileBytes: 64 * 1024 } as const

/** From here on everything flows: at the rate of 8K, as far as this machine lets. */
const FLOWING = { liveBitsPerSecond: 60e6, tiles: 30, chunks: 8, instruments: 20 } as const
const FLOWING_WITHIN_MILLIS = 25_000
const LOOK_MILLIS = 100
/** Nothing came for so long: it has ended. */
const QUIET_MILLIS = 1000
/** What does not end by then is told as this. */
const ENDS_WITHIN_MILLIS = 20_000
/** The moment is drawn from so long. */
const SPREAD_MILLIS = 1000

/** What makes everything end. */
export interface Ending {
  /** What has to end by it. */
  readonly paths: readonly Path[]
  /** What has to go on: instruments need somebody who publishes. */
  readonly goesOn: readonly Path[]
  /** The consent holds for so long from its signing, in which everything has to begin to flow; else for long. */
  readonly consentMillis?: number | undefined
  /** Makes it so, and calls `begin` at the moment from which on nothing shall come. */
  act(round: { readonly withdraw: () => Promise<void>; readonly validUntil: number; readonly begin: () => void }): Promise<void>
}

/** What one round measured. */
export interface RoundOutcome {
  /** From the moment until the last of it came, in seconds; 0 where nothing did. */
  readonly seconds: ReadonlyMap<Path, number>
  /** After the moment. */
  readonly afterwards: ReadonlyMap<Path, number>
  /** The longest that this process, with the core and all receivers in it, did nothing else meanwhile, in seconds: it is in the figures. */
  readonly stalledSeconds: number
  /** Before it. */
  readonly liveBitsPerSecond: number
  /** RTP that the viewer could decrypt. */
  readonly decrypted: number
  /** Paths that ended and should not have. */
  readonly wronglyEnded: readonly Path[]
  /** The code that the viewer's session ended with; null where it went on. */
  readonly code: string | null
}

/** Who and what takes part in every round. */
export interface RoundParts {
  readonly world: WithdrawalWorld
  readonly node: PlatformNode
  readonly publisher: PublisherProcess
  readonly doctor: SignedInPerson
  readonly colleague: SignedInPerson
  readonly shown: RandomSlide
  readonly signal: AbortSignal
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))

/** Everything at once in one consultation, and its end. @throws {RelayFault} when it does not begin to flow. */
export async function runRound({ world, node, publisher, doctor, colleague, shown, signal }: RoundParts, ending: Ending): Promise<RoundOutcome> {
  using scope = new DisposableStack()
  const stop = new AbortController()
  scope.defer(() => stop.abort())
  scope.defer(() => publisher.stop())
  const sent = await RandomSlide.make(SENT_SLIDE.side, SENT_SLIDE.tileBytes)
  const consent = await world.sign(CASE, ending.consentMillis)
  const validUntil = consent.validUntilMillis - performance.timeOrigin

  const [scopeCredentials, scannerCredentials] = await Promise.all([world.credentials('scope'), world.credentials('scanner')])
  const scanner = await node.grantMachine(scannerCredentials, 'scanner', signal)
  const microscope = await node.grantMachine(scopeCredentials, 'microscope', signal)
  scope.defer(() => [scanner, microscope].forEach(({ agent }) => agent.destroy()))
  await publisher.publish({ signalingUrl: `${node.membersOrigin.replace('https', 'wss')}/signaling`, token: microscope.token, tls: { cert: String(scopeCredentials.cert), key: String(scopeCredentials.key), ca: String(scopeCredentials.ca) } })
  const [reader, watcher] = await Promise.all([node.grantPerson(doctor, 'doctor', signal), node.grantPerson(colleague, 'colleague', signal)])
  const operator = scope.use(await LiveMember.join(node, reader))
  const onlooker = scope.use(await LiveMember.join(node, watcher))
  const media = scope.use(await MediaViewer.open(operator.signaling, operator.publication))
  const tiles = scope.use(new TileReader(node, reader, shown, SHOWN_SLIDE.side))
  const transfer = new SlideSender(node, scanner, sent)
  await transfer.begin()
  void operator.operate(stop.signal).catch(() => undefined)
  void tiles.read(stop.signal)
  void transfer.send(stop.signal)

  const countOf: Record<Path, () => number> = {
    live: () => media.arrivals.count, tiles: () => tiles.arrivals.count, transfer: () => transfer.arrivals.count,
    instruments: () => operator.arrivals.count + onlooker.arrivals.count,
  }
  const lastOf: Record<Path, () => number> = {
    live: () => media.arrivals.lastAt, tiles: () => tiles.arrivals.lastAt, transfer: () => transfer.arrivals.lastAt,
    instruments: () => Math.max(operator.arrivals.lastAt, onlooker.arrivals.lastAt),
  }
  let liveBitsPerSecond: number
  for (const deadline = performance.now() + FLOWING_WITHIN_MILLIS; ;) {
    signal.throwIfAborted()
    const [before, at] = [media.arrivals.bytes, performance.now()]
    await pause(5 * LOOK_MILLIS)
    liveBitsPerSecond = (8000 * (media.arrivals.bytes - before)) / (performance.now() - at)
    const isFlowing = liveBitsPerSecond >= FLOWING.liveBitsPerSecond && countOf.tiles() >= FLOWING.tiles && countOf.transfer() >= FLOWING.chunks && countOf.instruments() >= FLOWING.instruments
    if (isFlowing) break
    if (performance.now() > deadline) throw new RelayFault('timeout', `not everything flows: ${Math.round(liveBitsPerSecond / 1e6)} Mbit/s live, ${countOf.tiles()} parts of tiles, ${countOf.transfer()} chunks, ${countOf.instruments()} instrument messages`)
  }
  await pause(Math.random() * SPREAD_MILLIS)

  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  let [moment, before]: [number, ReadonlyMap<Path, number>] = [Infinity, new Map()]
  await ending.act({ withdraw: () => world.withdraw(consent), validUntil, begin: () => {
    moment = performance.now()
    before = new Map(PATHS.map(path => [path, countOf[path]()]))
  } })
  for (const deadline = performance.now() + ENDS_WITHIN_MILLIS; performance.now() < deadline;) {
    signal.throwIfAborted()
    await pause(LOOK_MILLIS)
    const last = Math.max(moment, ...ending.paths.map(path => lastOf[path]()))
    if (performance.now() - last > QUIET_MILLIS) break
  }
  const endedAt = performance.now()
  delay.disable()
  return {
    seconds: new Map(PATHS.map(path => [path, Math.max(0, lastOf[path]() - moment) / 1000])),
    afterwards: new Map(PATHS.map(path => [path, countOf[path]() - (before.get(path) ?? 0)])),
    stalledSeconds: delay.max / 1e9, liveBitsPerSecond, decrypted: media.decrypted,
    wronglyEnded: ending.goesOn.filter(path => endedAt - lastOf[path]() > QUIET_MILLIS),
    code: operator.signaling.isClosed ? (await operator.signaling.closed).code : null,
  }
}
