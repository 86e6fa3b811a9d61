import { z } from 'zod'
import { systemClock } from '../../relay/runtime/clock.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { demoRecording } from '../../scripts/demo/record.ts'
import { sumSamples } from '../exposition.ts'
import { LocalNode } from '../local-node.ts'
import { ReceiverProcess } from '../receiver/receiver-process.ts'
import { FigureSheet } from '../report.ts'
import { randomView, renditionsInView, seededRandom } from './viewport-renditions.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { MetricSample } from '../exposition.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

/** Read often, so that a change of view is soon seen in `/metrics`. */
const STATS_INTERVAL_SECONDS = 0.25
const HD = { width: 1920, height: 1080 }
const UHD = { width: 3840, height: 2160 }
/** From joining, or leaving, until nothing of it is left in the statistics. */
const SETTLE = millis(2500)

const Options = z.strictObject({
  positions: numeric(z.int().min(1).max(1000)).optional(),
  positionSeconds: numeric(z.number().min(1).max(600)).optional(),
  recording: z.string().min(1).optional(),
  seed: numeric(z.int()).default(20_261_122),
})

/** Totals of the node, all from one reading of its statistics. */
interface Totals {
  readonly at: number
  /** RTP and retransmissions from the microscope, in bytes. */
  readonly up: number
  /** RTP and retransmissions to viewers, in bytes. */
  readonly down: number
  /** RTP of tiles at full resolution from the microscope, in bytes. */
  readonly tiles: number
}

function totalsOf(samples: readonly MetricSample[], at: number): Totals {
  const carried = (wantedRole: string, wantedDirection: string): number =>
    sumSamples(samples, 'kenkyo_transport_bytes_total', ({ role, direction, kind }) =>
      role === wantedRole && direction === wantedDirection && (kind === 'rtp' || kind === 'rtx'))
  const tiles = sumSamples(samples, 'kenkyo_rendition_bytes_total', ({ rendition, direction }) => direction === 'in' && rendition?.startsWith('tile-') === true)
  return { at, up: carried('microscope', 'in'), down: carried('viewer', 'out'), tiles }
}

interface Rates {
  readonly up: number
  readonly down: number
  readonly tiles: number
}

/** Bytes per second from one reading to another. */
const ratesOf = (before: Totals, after: Totals): Rates => {
  const seconds = (after.at - before.at) / 1000
  return { up: (after.up - before.up) / seconds, down: (after.down - before.down) / seconds, tiles: (after.tiles - before.tiles) / seconds }
}

/** Measures, view after view, what the two lines carry. */
class DemandMeasurement {
  readonly #node: LocalNode
  readonly #sheet: FigureSheet
  readonly #context: BenchContext
  readonly #guards: Promise<unknown>[]
  #allTiles = 0

  constructor(node: LocalNode, sheet: FigureSheet, context: BenchContext, guards: Promise<unknown>[]) {
    this.#node = node
    this.#sheet = sheet
    this.#context = context
    this.#guards = guards
  }

  async wait(duration: number): Promise<void> {
    await Promise.race([systemClock.sleep(millis(duration), this.#context.signal), ...this.#guards])
  }

  async totals(): Promise<Totals> {
    return totalsOf(await this.#node.metrics(), systemClock.now())
  }

  /** What the sum of all tiles is, measured while one receiver watches them all. */
  async measureAllTiles(receiver: ReceiverProcess, seconds: number): Promise<void> {
    await receiver.watch(receiver.pyramid.renditions.filter(({ id }) => id.startsWith('tile-')).map(({ id }) => id))
    await this.wait(SETTLE)
    const before = await this.totals()
    await this.wait(seconds * 1000)
    this.#allTiles = ratesOf(before, await this.totals()).tiles
    this.#sheet.add({ name: 'all_tiles_bits_per_second', unit: 'bit/s', note: 'RTP of every tile at full resolution, while one receiver watched them all' }, [8 * this.#allTiles])
  }

  /** Moves from position to position; changes of view, what lingers and what is sent again are in the figures. */
  async measureView(view: string, positions: number, seconds: number, goals: { readonly up?: number; readonly down?: number }, move: () => Promise<void>): Promise<void> {
    await move()
    await this.wait(SETTLE)
    const begin = await this.totals()
    let last = begin
    const shares: { up: number; down: number }[] = []
    for (let position = 1; position <= positions; position++) {
      await move()
      await this.wait(seconds * 1000)
      const now = await this.totals()
      const rates = ratesOf(last, now)
      last = now
      shares.push({ up: rates.up / this.#allTiles, down: rates.down / this.#allTiles })
    }
    const whole = ratesOf(begin, last)
    const note = `over ${positions} positions of ${seconds} s, changes of view included; samples are positions`
    for (const direction of ['up', 'down'] as const) {
      const value = whole[direction] / this.#allTiles
      const bound = goals[direction]
      this.#sheet.add(
        { name: `${direction}link_share`, labels: { view }, unit: 'ratio', value, note, ...(bound === undefined ? {} : { goal: { relation: '<=', bound } as const }) },
        shares.map(share => share[direction]),
      )
    }
    this.#context.say(`${view}: ${(100 * whole.up) / this.#allTiles} % up, ${(100 * whole.down) / this.#allTiles} % down`)
  }
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { seed, positionSeconds = context.isQuick ? 2 : 5 } = result.data
  const { positions = context.isQuick ? 2 : 24 } = result.data
  const { say, signal } = context
  const recording = result.data.recording ?? (await demoRecording({ onProgress: say, signal }))
  const sheet = new FigureSheet()
  await using node = await LocalNode.open({ statsIntervalSeconds: STATS_INTERVAL_SECONDS, signal })
  await using agent = await node.startAgent(['--source', 'recording', '--loop', '--input', recording], signal)
  const measurement = new DemandMeasurement(node, sheet, context, [node.program.failed, agent.failed])
  const random = seededRandom(seed)
  const join = async (name: string): Promise<ReceiverProcess> =>
    ReceiverProcess.open({ name, invitation: await node.invite('viewer', name), frameDeadline: millis(500), signal, onSecond: () => undefined })
  const look = (receiver: ReceiverProcess, size: { width: number; height: number }): Promise<void> =>
    receiver.watch(renditionsInView(receiver.pyramid, randomView(receiver.pyramid, size, random)))
  const half = Math.ceil(positions / 2)
  {
    await using first = await join('first')
    await measurement.measureAllTiles(first, context.isQuick ? 4 : 15)
    await measurement.measureView('hd', positions, positionSeconds, { up: 0.25, down: 0.25 }, () => look(first, HD))
    await measurement.measureView('uhd', half, positionSeconds, { up: 0.55, down: 0.55 }, () => look(first, UHD))
    await measurement.measureView('overview', Math.ceil(half / 2), positionSeconds, { up: 0.08, down: 0.08 }, () => first.watch([OVERVIEW] as RenditionId[]))
    await using second = await join('second')
    await measurement.measureView('two', positions, positionSeconds, { up: 0.42 }, async () => {
      await look(first, HD)
      await look(second, HD)
    })
  }
  await measurement.measureView('nobody', half, positionSeconds, { up: 0.05, down: 0.05 }, () => Promise.resolve())
  return { parameters: { positions, positionSeconds, seed, recording }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** Whether bits follow eyes. */
export const demand: Scenario = {
  name: 'demand',
  needs: [],
  summary: 'What flows from the microscope and to viewers for what they look at, as shares of the sum of all tiles.',
  configure: command =>
    command
      .option('--positions <n>', 'random positions for HD views (default 24; quick 2; fewer for other views)')
      .option('--position-seconds <s>', 'how long each is looked at (default 5; quick 2)')
      .option('--recording <directory>', 'what the microscope plays (default: the demo)')
      .option('--seed <n>', 'of all random choices'),
  run,
}
