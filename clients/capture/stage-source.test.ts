import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { OVERVIEW, tileId } from '../../relay/wire/ids.ts'
import { readSlidePosition } from './calibration-reader.ts'
import { findFfmpeg } from './ffmpeg-binaries.ts'
import { encoderSettings, SourceSettings } from './settings.ts'
import { openMicroscope, SPECIMEN_MICROMETRES_PER_PIXEL } from './simulated-microscope.ts'
import { planSource } from './source-plan.ts'
import { StageSource } from './stage-source.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { EncodedFrame, SourcePlan, StagePosition } from './encoded-frame.ts'
import type { SpecimenView, VisibleSpecimen } from './specimen.ts'

const run = promisify(execFile)
const root = await mkdtemp(join(tmpdir(), 'kenkyo-stage-'))
t.teardown(() => rm(root, { recursive: true }))
const { ffmpeg } = await findFfmpeg({ ffmpeg: process.env['KENKYO_FFMPEG'] })
const context = { clock: systemClock, log: createLogger({ level: 'silent', program: 'test' }) }

const SMALL = { source: 'stage', specimen: 'calibration', width: 1280, height: 720, columns: 4, rows: 4, overviewWidth: 320, framesPerSecond: 30, spareEncoders: 2, ffmpeg }
const planOf = (over: object = {}): Promise<SourcePlan> => planSource(SourceSettings.parse({ ...SMALL, ...over }), context)
const TILE = { width: 320, height: 180 }
/** 960x540 pixels in the middle of the image. */
const BLOCK = [0, 1, 2].flatMap(row => [0, 1, 2].map(column => tileId(column, row)))

/** A source that runs, and everything that came out of it. */
class Run implements AsyncDisposable {
  readonly frames: EncodedFrame[] = []
  readonly positions: StagePosition[] = []
  readonly plan: SourcePlan
  #source: Awaited<ReturnType<SourcePlan['open']>> | undefined
  #serial = 0
  readonly #waiting = new Set<() => void>()

  private constructor(plan: SourcePlan) {
    this.plan = plan
  }

  static async open(plan: SourcePlan): Promise<Run> {
    const result = new Run(plan)
    plan.stage?.onPosition(position => {
      result.positions.push(position)
      result.#wake()
    })
    result.#source = await plan.open(frame => {
      result.frames.push(frame)
      result.#wake()
    }, new AbortController().signal)
    return result
  }

  get source() {
    return this.#source!
  }

  demand(ids: readonly RenditionId[], woken: readonly RenditionId[] = ids, cadence: 'full' | 'key' = 'full'): void {
    this.source.demand!({ serial: ++this.#serial, renditions: ids.map(renditionId => ({ renditionId, cadence })), woken: [...woken] })
  }

  /** Settles when `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#waiting.add(resolve))
  }

  /** The frames of one image, once it is there in `ids`. */
  async image(ids: readonly RenditionId[], after: number): Promise<readonly EncodedFrame[]> {
    const framesOf = (mediaTicks: number) => this.frames.filter(frame => frame.mediaTicks === mediaTicks)
    const complete = () => [...new Set(this.frames.map(({ mediaTicks }) => mediaTicks))].find(at => at >= after && ids.every(id => framesOf(at).some(frame => frame.renditionId === id)))
    await this.until(() => complete() !== undefined)
    return framesOf(complete()!)
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close()
  }
}

/** Frames as an H.264 byte stream. @see RFC 6184 section 5; ITU-T H.264 annex B */
function toAnnexB(frames: readonly EncodedFrame[]): Buffer {
  const startCode = Buffer.from([0, 0, 0, 1])
  return Buffer.concat(frames.flatMap(frame => frame.payloads).flatMap(payload => {
    const type = payload[0]! & 0x1f
    if (type === 28) return (payload[1]! & 0x80) !== 0 ? [startCode, Buffer.from([(payload[0]! & 0xe0) | (payload[1]! & 0x1f)]), payload.subarray(2)] : [payload.subarray(2)]
    if (type !== 24) return [startCode, payload]
    const units: Buffer[] = []
    for (let at = 1; at + 2 < payload.length; at += 2 + payload.readUInt16BE(at)) units.push(startCode, payload.subarray(at + 2, at + 2 + payload.readUInt16BE(at)))
    return units
  }))
}

/** The luma of the last of these frames, which begin with a keyframe. */
async function lastLuma(frames: readonly EncodedFrame[], width: number, height: number): Promise<Buffer> {
  const path = join(root, `${frames[0]!.renditionId}.h264`)
  await writeFile(path, toAnnexB(frames))
  const { stdout } = await run(ffmpeg, ['-v', 'error', '-i', path, '-f', 'rawvideo', '-pix_fmt', 'gray', '-'], { encoding: 'buffer', maxBuffer: 1 << 28 })
  return stdout.subarray(-width * height)
}

/** The luma of {@link BLOCK}, as one picture, at one instant. */
async function blockLuma(frames: readonly EncodedFrame[], mediaTicks: number): Promise<Buffer> {
  const block = Buffer.alloc(9 * TILE.width * TILE.height)
  for (const [index, id] of BLOCK.entries()) {
    const upTo = frames.filter(frame => frame.renditionId === id && frame.mediaTicks <= mediaTicks)
    const tile = await lastLuma(upTo.slice(upTo.findLastIndex(({ isKeyFrame }) => isKeyFrame)), TILE.width, TILE.height)
    const [left, top] = [(index % 3) * TILE.width, Math.floor(index / 3) * TILE.height]
    for (let line = 0; line < TILE.height; line++) tile.copy(block, (top + line) * 3 * TILE.width + left, line * TILE.width, (line + 1) * TILE.width)
  }
  return block
}

/** A specimen that is there only once it is said to be. */
class SlowSpecimen implements VisibleSpecimen {
  isReady = false

  prepare(): boolean {
    return this.isReady
  }

  draw(_view: SpecimenView, target: Uint8Array): void {
    target.fill(this.isReady ? 200 : 100)
  }
}

t.test('says of every image in all its renditions whether it was there in full', async t => {
  const specimen = new SlowSpecimen()
  const plain = await planOf()
  const microscope = { ...(await openMicroscope({ width: SMALL.width, height: SMALL.height, kind: 'calibration', ...context })), specimen }
  const pyramid = { ...plain.pyramid, marksCoarse: true as const }
  t.equal(plain.pyramid.marksCoarse, undefined, 'a specimen that is all in memory needs no marks')
  const settings = encoderSettings(SourceSettings.parse(SMALL))
  const slow: SourcePlan = { kind: 'slide', pyramid, open: (onFrame, signal) => StageSource.open({ pyramid, microscope, settings, spareEncoders: 0, ffmpegPath: ffmpeg, ...context }, onFrame, signal) }
  await using running = await Run.open(slow)
  const ids = [OVERVIEW, tileId(1, 1)]
  running.demand(ids)
  const before = await running.image(ids, 0)
  t.same(before.map(({ isCoarse }) => isCoarse), [true, true])
  specimen.isReady = true
  await running.until(() => running.frames.at(-1)?.isCoarse === false)
  const after = await running.image(ids, running.frames.at(-1)?.mediaTicks ?? 0)
  t.same(after.map(({ isCoarse }) => isCoarse), [false, false])
})

const plan = await planOf()
const stage = plan.stage!

t.test('makes what is demanded and nothing else, every image at one instant, and begins with keyframes', async t => {
  await using running = await Run.open(plan)
  const ids = [OVERVIEW, tileId(1, 1), tileId(2, 1)]
  running.demand(ids)
  await running.image(ids, 9000)
  t.same(new Set(running.frames.map(({ renditionId }) => renditionId)), new Set(ids))
  t.equal(running.frames[0]!.mediaTicks, 0)
  for (const id of ids) t.ok(running.frames.find(({ renditionId }) => renditionId === id)?.isKeyFrame, id)
  const instants = Map.groupBy(running.frames, ({ mediaTicks }) => mediaTicks)
  t.ok([...instants.values()].filter(frames => frames.length === ids.length).length > 1, 'renditions share their instants')

  running.demand([OVERVIEW])
  const newest = running.frames.at(-1)!.mediaTicks
  running.frames.length = 0
  await running.image([OVERVIEW], newest + 9000)
  t.same(new Set(running.frames.map(({ renditionId }) => renditionId)), new Set([OVERVIEW]), 'an unwatched tile ends at once')
})

t.test('what is woken begins at once with a keyframe, also while it runs', async t => {
  await using running = await Run.open(plan)
  running.demand([OVERVIEW])
  await running.image([OVERVIEW], 9000)
  const id = tileId(3, 3)
  running.demand([OVERVIEW, id], [id])
  await running.until(() => running.frames.some(({ renditionId }) => renditionId === id))
  t.ok(running.frames.find(({ renditionId }) => renditionId === id)?.isKeyFrame)
  // The overview's keyframes are 90,000 ticks apart or more; this one is asked for between them. A busy machine may take longer to make it.
  const lastKey = () => running.frames.findLast(frame => frame.renditionId === OVERVIEW && frame.isKeyFrame)!.mediaTicks
  let ticks = Infinity
  for (let attempt = 0; attempt < 5 && ticks >= 85_000; attempt++) {
    const before = lastKey()
    await running.image([OVERVIEW], before + 30_000)
    running.demand([OVERVIEW], [OVERVIEW])
    await running.until(() => lastKey() > before)
    ticks = lastKey() - before
  }
  t.ok(ticks < 85_000, `${ticks} ticks after the last one`)
})

t.test('the stage goes exactly where it is told, in all tiles of one image, and says which image shows it', async t => {
  await using running = await Run.open(plan)
  running.demand(BLOCK)
  await running.image(BLOCK, 3000)
  const { travel, objectives } = stage.stage
  const targets = [{ x: travel.x.min + 170.25, y: travel.y.min + 100.5 }, { x: 200, y: 130.75, objective: '20x' }, { x: 201, y: 131, objective: '10x' }]
  for (const target of targets) {
    stage.command(target, 1)
    const isThere = ({ state, mediaTicks }: StagePosition): boolean => !state.isMoving && mediaTicks !== undefined && state.x === target.x && state.y === target.y
    await running.until(() => running.positions.some(isThere))
    const { state, mediaTicks = 0 } = running.positions.findLast(isThere)!
    await running.image(BLOCK, mediaTicks)
    const { micrometresPerPixel } = objectives.find(({ name }) => name === state.objective)!
    const shrink = (micrometresPerPixel / SPECIMEN_MICROMETRES_PER_PIXEL) as 1 | 2
    const read = readSlidePosition(await blockLuma(running.frames, mediaTicks), 3 * TILE.width, 3 * TILE.height, shrink)
    const period = { x: travel.x.max / SPECIMEN_MICROMETRES_PER_PIXEL, y: travel.y.max / SPECIMEN_MICROMETRES_PER_PIXEL }
    const modulo = (value: number, by: number): number => ((value % by) + by) % by
    const expected = { x: target.x / SPECIMEN_MICROMETRES_PER_PIXEL - (shrink * SMALL.width) / 2, y: target.y / SPECIMEN_MICROMETRES_PER_PIXEL - (shrink * SMALL.height) / 2 }
    t.same(read && { x: modulo(read.x, period.x), y: modulo(read.y, period.y) }, { x: modulo(expected.x, period.x), y: modulo(expected.y, period.y) }, JSON.stringify(target))
  }
})

t.test('with nothing demanded the stage moves and says so, and no image is made', async t => {
  await using running = await Run.open(plan)
  stage.command({ x: 123.5, objective: '20x' }, 2)
  await running.until(() => running.positions.some(({ state }) => !state.isMoving && state.x === 123.5))
  t.ok(running.positions.every(({ mediaTicks }) => mediaTicks === undefined))
  t.same(running.frames, [])
})

t.test('keyframes alone come alone', async t => {
  await using running = await Run.open(plan)
  running.demand([OVERVIEW], [OVERVIEW], 'key')
  await running.until(() => running.frames.length === 2)
  t.ok(running.frames.every(({ isKeyFrame }) => isKeyFrame))
  t.ok(running.frames[1]!.mediaTicks >= 85_000)
})

t.test('ends when it is closed, and fails when its encoders keep dying', async t => {
  const running = await Run.open(plan)
  running.demand([OVERVIEW])
  await running.source.close()
  t.same(await running.source.closed, { code: 'done' })

  const hopeless = await planOf({ encoder: 'no_such_encoder' })
  await using failed = await Run.open(hopeless)
  failed.demand([OVERVIEW])
  t.match(await failed.source.closed, { code: 'failed', fault: { code: 'encoder_failed', message: /no_such_encoder/ } })
})

t.test('refuses what a stage cannot do', async t => {
  await t.rejects(planOf({ width: 1284, overviewWidth: 160 }), { code: 'bad_config' })
})
