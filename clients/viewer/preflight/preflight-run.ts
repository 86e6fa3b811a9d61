import { toFault } from '../../../relay/wire/fault.ts'
import { NOTHING_MEASURED, PREFLIGHT_LIMITS } from '../../../relay/wire/preflight.ts'
import type { PreflightLoad, PreflightMeasurement } from '../../../relay/wire/preflight.ts'
import { listenToMicrophone, measureDecoders, readColour } from './device-checks.ts'
import { LineProbe } from './line-probe.ts'
import type { ProbedWay, ProbeReading } from './line-probe.ts'
import type { AuthorizedFetch } from '../access/node-fetch.ts'
import { ProbeSession } from './probe-session.ts'
import type { NodeDoor } from './probe-session.ts'

/** Every line carries it: what is lost of it, a line loses. */
const CALM = { bitsPerSecond: 2_000_000, seconds: 16 } as const
const CALM_MS = 6000
/** Nine tiles and the overview at their default rates. */
const VIEW = { bitsPerSecond: 30_000_000, seconds: 20 } as const
const VIEW_MS = 10_000
const TOUCH = { bitsPerSecond: 100_000, seconds: 1 } as const
/** Voice and commands take less. */
const UP_BITS_PER_SECOND = 2_000_000
const UP_MS = 4000
const UPLOAD_BYTES = 256 * 1024
const CLOCK_READINGS = 5
const STAGE_PATIENCE_MS = 3000
/** Too little to see, and enough to be answered. */
const STAGE_STEP_MICROMETRES = 0.5

/** What a run tells while it goes on. */
export type PreflightStep = 'devices' | 'ways' | 'loss' | 'load' | 'stage'

/** What a run stands on. */
export interface PreflightRun {
  readonly door: NodeDoor
  readonly fetch: AuthorizedFetch
  /** Whether this viewer may try the stage. */
  readonly maySteer: boolean
}

/**
 * Measures all that a viewer's end can, one after the other so that nothing disturbs another: 20 s of load among it.
 * What fails leaves its part unmeasured.
 */
export async function runPreflight({ door, fetch, maySteer }: PreflightRun, onStep: (step: PreflightStep) => void): Promise<PreflightMeasurement> {
  let measured: PreflightMeasurement = { ...NOTHING_MEASURED, devicePixelRatio: devicePixelRatio, colour: readColour() }
  /** @param step - Whose failure leaves what it would have said unknown. */
  const take = async (part: () => Promise<Partial<PreflightMeasurement>>): Promise<void> => {
    try {
      measured = { ...measured, ...(await part()) }
    } catch (error) {
      // Whatever failed, its checks say so by being unknown.
      toFault(error)
    }
  }
  onStep('devices')
  await take(async () => ({ microphone: await listenToMicrophone() }))
  await take(async () => ({ decoder: await measureDecoders() }))
  using session = await ProbeSession.open(door)
  await take(() => readNode(session))
  onStep('ways')
  await take(async () => ({ tcp: await touch(session, 'tcp') }))
  await take(async () => ({ relay: await touchRelay(session) }))
  onStep('loss')
  await take(() => measureCalm(session))
  onStep('load')
  const way: ProbedWay | undefined = measured.udp === true ? 'udp' : measured.tcp === true ? 'tcp' : measured.relay === true ? 'relay' : undefined
  if (way !== undefined) await take(async () => ({ down: await measureView(session, way) }))
  await take(async () => ({ up: await measureUpload(fetch) }))
  onStep('stage')
  if (maySteer) await take(async () => ({ stage: await askStage(session) }))
  return measured
}

const pause = (millis: number): Promise<void> => new Promise(resolve => setTimeout(resolve, millis))

async function readNode({ client }: ProbeSession): Promise<Partial<PreflightMeasurement>> {
  let best: { readonly took: number; readonly offset: number; readonly free: number | null } | undefined
  for (let reading = 0; reading < CLOCK_READINGS; reading++) {
    const sentAt = performance.now()
    const { nodeTimeMillis, diskFreeBytes } = await client.request('readPreflight', {})
    const took = performance.now() - sentAt
    if (best === undefined || took < best.took) best = { took, offset: nodeTimeMillis - (Date.now() - took / 2), free: diskFreeBytes }
  }
  return { clockOffsetMillis: best?.offset ?? null, nodeDiskFreeBytes: best?.free ?? null }
}

async function touch(session: ProbeSession, way: ProbedWay): Promise<boolean> {
  using probe = await LineProbe.open(session, way, TOUCH)
  return probe.isConnected
}

async function touchRelay(session: ProbeSession): Promise<PreflightMeasurement['relay']> {
  using probe = await LineProbe.open(session, 'relay', TOUCH)
  return probe.iceServers.length === 0 ? 'none' : probe.isConnected
}

async function measureCalm(session: ProbeSession): Promise<Partial<PreflightMeasurement>> {
  using probe = await LineProbe.open(session, 'udp', CALM)
  if (!probe.isConnected) return { udp: false }
  const [before, after] = await readTwice(probe, CALM_MS)
  const lost = after.lost - before.lost
  const sent = after.packets - before.packets + lost
  return { udp: true, lossRatio: sent > 0 ? lost / sent : null, roundTripMillis: after.roundTripMs }
}

async function measureView(session: ProbeSession, way: ProbedWay): Promise<PreflightLoad> {
  using probe = await LineProbe.open(session, way, VIEW)
  const [before, after] = await readTwice(probe, VIEW_MS)
  const arrivedBitsPerSecond = (8000 * (after.bytes - before.bytes)) / (after.atMs - before.atMs)
  return { offeredBitsPerSecond: VIEW.bitsPerSecond, arrivedBitsPerSecond: Math.min(VIEW.bitsPerSecond, arrivedBitsPerSecond) }
}

/** After a moment in which whatever was on its way while it connected has come. */
async function readTwice(probe: LineProbe, betweenMs: number): Promise<readonly [ProbeReading, ProbeReading]> {
  await pause(1000)
  const before = await probe.read()
  await pause(betweenMs)
  return [before, await probe.read()]
}

/** By HTTPS, as long as it takes to know. */
async function measureUpload(fetch: AuthorizedFetch): Promise<PreflightLoad> {
  const body = crypto.getRandomValues(new Uint8Array(65_536))
  const whole = new Blob(Array.from({ length: Math.min(UPLOAD_BYTES, PREFLIGHT_LIMITS.uploadBytes) / body.length }, () => body))
  const headers = { 'content-type': 'application/octet-stream' }
  const signal = AbortSignal.timeout(3 * UP_MS)
  const beganAt = performance.now()
  let bytes = 0
  while (performance.now() - beganAt < UP_MS) {
    // What came until the node refuses more is measured.
    const answer = await fetch('/preflight/upload', { method: 'POST', headers, body: whole, signal }).catch(() => undefined)
    if (answer === undefined) break
    bytes += whole.size
    if ((8000 * bytes) / (performance.now() - beganAt) > 4 * UP_BITS_PER_SECOND && bytes > 4 * whole.size) break
  }
  return { offeredBitsPerSecond: UP_BITS_PER_SECOND, arrivedBitsPerSecond: Math.min(UP_BITS_PER_SECOND, (8000 * bytes) / (performance.now() - beganAt)) }
}

/** Moves the focus by less than can be seen, and back. Somebody else's stage is left alone. */
async function askStage(session: ProbeSession): Promise<PreflightMeasurement['stage']> {
  const { publication, client } = session
  if (publication === null) return null
  if (publication.stage === null) return 'none'
  const { publicationId, stage: { state, travel } } = publication
  await client.request('claimStage', {})
  try {
    const move = (focus: number) => client.request('moveStage', { publicationId, target: { focus }, rtpTimestamp: null })
    const step = state.focus + STAGE_STEP_MICROMETRES <= travel.focus.max ? STAGE_STEP_MICROMETRES : -STAGE_STEP_MICROMETRES
    const isAnswered = await session.provokes(() => move(state.focus + step), ({ type }) => type === 'stageChanged', STAGE_PATIENCE_MS)
    await move(state.focus)
    return isAnswered ? 'answers' : 'silent'
  } finally {
    await client.request('releaseStage', {})
  }
}
