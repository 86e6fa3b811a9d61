import { randomBytes, randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { LevelBuilder } from '../../relay/slides/manifest/level-builder.ts'
import { LevelIndex } from '../../relay/slides/manifest/level-index.ts'
import { FileSlideStore } from '../../relay/slides/store/file-slide-store.ts'
import { TileService } from '../../relay/slides/tiles/tile-service.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { columnsOf, rowsOf, SlideStructure, tilesOf } from '../../relay/wire/slide.ts'
import { millis } from '../../relay/wire/units.ts'
import { FigureSheet } from '../report.ts'
import { growth } from '../statistics.ts'
import type { SlideLevel } from '../../relay/wire/slide.ts'
import type { SlideStore } from '../../relay/slides/store/slide-store.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const OWNER = MemberId.parse('scanner-1')
const REQUESTS_PER_SECOND = 500
/** Tiles of one viewport, which its viewer asks for at once. */
const VIEWPORT = { columns: 5, rows: 4 }
/** Of 148,665 tiles: a slide of 728 MB. */
const MEAN_TILE_BYTES = 4900
const PUTS_AT_ONCE = 32
/** What decoding servers take for a tile: Cantaloupe's figure. */
const DECODING_SECONDS = 0.02

/** Tiles of random bytes with the lengths of a real slide: a service that does not decode cannot tell them apart. */
async function fill(store: SlideStore, structure: SlideStructure): Promise<number> {
  const pool = randomBytes(32 * 1024 * 1024)
  let bytes = 0
  await store.createSlide({ slideId: structure.slideId, consultationId: ConsultationId.parse('bench'), owner: OWNER, key: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) }, structure, structureBytes: Buffer.from(JSON.stringify(structure)) })
  for (const [level, shape] of structure.levels.entries()) {
    const tiles = Array.from({ length: tilesOf(shape) }, () => {
      const length = randomInt(MEAN_TILE_BYTES / 2, MEAN_TILE_BYTES * 1.5)
      const from = randomInt(pool.length - length)
      return pool.subarray(from, from + length)
    })
    const builder = new LevelBuilder(level, shape)
    for (const tile of tiles) builder.add(tile)
    const indexBytes = builder.finish()
    const chunks = [...LevelIndex.decode(indexBytes, shape).entries()]
    await store.putLevel(structure.slideId, { level, index: indexBytes, head: 'head' }, chunks)
    for (let at = 0; at < chunks.length; at += PUTS_AT_ONCE) {
      await Promise.all(chunks.slice(at, at + PUTS_AT_ONCE).map(async ({ sha256, firstTile, tiles: count, length }) => {
        await store.putChunk(OWNER, sha256, Buffer.concat(tiles.slice(firstTile, firstTile + count), length))
        bytes += length
      }))
    }
  }
  return bytes
}

/** Where somebody looks next: often close by, often somewhere else, mostly at the finest level. */
function nextViewport(levels: readonly SlideLevel[]): { readonly level: number; readonly column: number; readonly row: number } {
  const level = randomInt(10) < 8 ? 0 : randomInt(levels.length)
  const shape = levels[level]
  if (shape === undefined) throw new Error('a slide has levels')
  return { level, column: randomInt(Math.max(1, columnsOf(shape) - VIEWPORT.columns)), row: randomInt(Math.max(1, rowsOf(shape) - VIEWPORT.rows)) }
}

async function measure(service: TileService, structure: SlideStructure, seconds: number, signal: AbortSignal): Promise<{ readonly latencies: number[]; readonly memory: number[] }> {
  const [latencies, memory]: [number[], number[]] = [[], []]
  const perViewport = VIEWPORT.columns * VIEWPORT.rows
  const interval = (1000 * perViewport) / REQUESTS_PER_SECOND
  const startedAt = systemClock.now()
  const requests: Promise<void>[] = []
  for (let number = 0; number * interval < seconds * 1000; number++) {
    const due = startedAt + number * interval
    await systemClock.sleep(millis(Math.max(0, due - systemClock.now())), signal)
    const { level, column, row } = nextViewport(structure.levels)
    for (let index = 0; index < perViewport; index++) {
      const position = { column: column + (index % VIEWPORT.columns), row: row + Math.floor(index / VIEWPORT.columns) }
      // From when it was due: a service that keeps its callers waiting does not get fewer requests for it.
      requests.push(service.tile(structure.slideId, level, position).then(() => void latencies.push((systemClock.now() - due) / 1000)))
    }
    if (number % 25 === 0) memory.push(process.memoryUsage.rss())
  }
  await Promise.all(requests)
  return { latencies, memory }
}

async function run(_options: Readonly<Record<string, unknown>>, { isQuick, signal, say }: BenchContext): ReturnType<Scenario['run']> {
  const seconds = isQuick ? 5 : 60
  const encoding = { compression: 'jpeg', photometric: 'rgb', tables: '' } as const
  const levels = [1, 4, 16].map(times => ({ width: 100_000 / times, height: 80_000 / times, tileWidth: 240, tileHeight: 240, encoding, isMade: false }))
  const structure = SlideStructure.parse({ version: 1, slideId: crypto.randomUUID(), format: 'aperio', pseudonym: 'BENCH', micronsPerPixel: null, objectivePower: null, levels, removed: [] })
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-tiles-'))
  try {
    await using store = await FileSlideStore.open({ directory, quotaBytes: 2 ** 40, log: createLogger({ level: 'warn', program: 'bench' }) })
    say('storing the slide')
    const bytes = await fill(store, structure)
    using service = new TileService(store)
    say(`asking for ${REQUESTS_PER_SECOND} tiles a second`)
    const { latencies, memory } = await measure(service, structure, seconds, signal)
    const sheet = new FigureSheet()
    const goal = { relation: '<=', bound: DECODING_SECONDS } as const
    const sorted = latencies.toSorted((a, b) => a - b)
    const p99 = sorted[Math.floor(sorted.length * 0.99)]
    sheet.add({ name: 'tile_service_seconds', unit: 's', ...(p99 === undefined ? {} : { value: p99 }), note: 'p99, from when a request was due to tile and proof; decoding servers take 0.02 s', goal }, latencies)
    sheet.add({ name: 'memory_bytes', unit: 'bytes', note: 'resident, of service, store and load together' }, memory)
    sheet.add({ name: 'memory_growth_bytes', unit: 'bytes', value: growth(memory), note: 'median of the last fifth less that of the first' }, memory)
    return { parameters: { seconds, requestsPerSecond: REQUESTS_PER_SECOND, slideBytes: bytes, tiles: levels.reduce((sum, level) => sum + tilesOf(level), 0) }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** How long the node takes to give out a tile with its proof. */
export const tilesService: Scenario = {
  name: 'tiles-service',
  needs: [],
  summary: 'time at the node for a tile and its proof, at 500 requests a second from a slide of 700 MB, and memory',
  configure: command => command,
  run,
}
