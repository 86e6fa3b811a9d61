import { isDeepStrictEqual } from 'node:util'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { caseNumberOf, notePseudonym, pseudonymOf } from '../../relay/slides/deidentify/pseudonym.ts'
import { makePyramid } from '../../relay/slides/formats/pyramid-maker.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { SlideSender } from '../../relay/slides/transfer/slide-sender.ts'
import { columnsOf, rowsOf, tilesOf } from '../../relay/wire/slide.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import { OutdatedPreparation } from './scan-run.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { DeidentificationPolicy } from '../../relay/slides/deidentify/policy.ts'
import type { PseudonymKey } from '../../relay/slides/deidentify/pseudonym.ts'
import type { OpenSlide } from '../../relay/slides/formats/slide-reader.ts'
import type { SigningKey } from '../../relay/slides/manifest/heads.ts'
import type { ChunkCarrier, SlideDoor } from '../../relay/slides/transfer/transfer.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { SlideStructure } from '../../relay/wire/slide.ts'
import type { LevelThread } from './level-thread.ts'
import type { PreparedFiles } from './prepared-files.ts'
import type { ScanJob, SentCounts } from './scan-job.ts'
import type { SlideListener, SlidePipeline } from './scan-run.ts'

/** What a {@link NodePipeline} stands on. */
export interface NodePipelineOptions {
  readonly open: OpenSlide
  readonly files: PreparedFiles
  /** Reads large levels; without it they are read here. */
  readonly thread?: LevelThread | undefined
  readonly key: SigningKey
  readonly pseudonymKey: PseudonymKey
  /** Where to note which pseudonym is whose; nowhere without it. */
  readonly pseudonymList?: string | undefined
  readonly policy?: DeidentificationPolicy | undefined
  readonly keep: readonly string[]
  readonly door: SlideDoor
  readonly carrier: ChunkCarrier
  readonly clock: Clock
}

/** A level of fewer tiles is read sooner than handed to a thread. */
const LARGE_TILES = 1500

const NOTHING: SentCounts = { chunks: 0, chunksDone: 0, bytes: 0, bytesDone: 0 }

/** Opens a slide, takes the names out of it, prepares and sends it. */
export class NodePipeline implements SlidePipeline {
  readonly #options: NodePipelineOptions

  constructor(options: NodePipelineOptions) {
    this.#options = options
  }

  async probe(path: string): Promise<void> {
    this.#options.thread?.warm()
    await using slide = await this.#options.open(path)
    // Reads the tables of every level, in which no tile may lie outside of the file.
    for (const [level, shape] of slide.levels.entries()) await slide.readTile(level, columnsOf(shape) - 1, rowsOf(shape) - 1)
    this.#options.carrier.warm?.()
  }

  async send(job: ScanJob, on: SlideListener, signal: AbortSignal): Promise<void> {
    const { carrier, clock, door, files, key, thread } = this.#options
    const { slideId } = job
    const tiles = { done: 0, all: 0 }
    await using clean = await this.#openClean(job, (tilesDone, all) => on.progress({ stage: 'making', tiles: all, tilesDone, sent: NOTHING, rate: undefined, remaining: undefined }), signal)
    const structure = await this.#structureOf(slideId, clean.structure)
    const directory = await files.directoryOf(slideId)
    await using slide = new SlidePreparation({
      structure, tiles: clean, key, cache: files.levels(slideId),
      build: ({ level, shape, onTiles, signal: stop }) =>
        thread === undefined || tilesOf(shape) < LARGE_TILES ? undefined : this.#buildOn(thread, clean, { path: job.path, directory, slideId, level }, onTiles, stop),
      onProgress: (done, all) => {
        ;[tiles.done, tiles.all] = [done, all]
        report()
      },
    })
    const sender = new SlideSender({ slide, door, carrier, clock, onProgress: () => report(), onFault: on.fault })
    const report = (): void => {
      const { bytesDone, bytesKnown, bytesPerSecond, chunksDone, chunksKnown, remaining } = sender.progress
      on.progress({
        stage: chunksDone > 0 ? 'sending' : 'preparing', tiles: tiles.all, tilesDone: tiles.done,
        sent: { chunks: chunksKnown, chunksDone, bytes: bytesKnown, bytesDone },
        rate: bytesPerSecond === undefined ? undefined : bitsPerSecond(8 * bytesPerSecond), remaining,
      })
    }
    await sender.run(signal)
  }

  forget(slideId: SlideId): Promise<void> {
    return this.#options.files.forget(slideId)
  }

  async #openClean({ path, slideId }: ScanJob, onMade: (done: number, all: number) => void, signal: AbortSignal): Promise<DeidentifiedSlide> {
    const { files, keep, open, policy, pseudonymKey, pseudonymList } = this.#options
    await using scope = new AsyncDisposableStack()
    const reader = scope.use(await makePyramid(await open(path), { directory: await files.directoryOf(slideId), signal, onProgress: onMade }))
    const caseNumber = caseNumberOf(path)
    const pseudonym = pseudonymOf(caseNumber, pseudonymKey)
    const clean = await DeidentifiedSlide.open(reader, { slideId, pseudonym, policy, keep })
    if (pseudonymList !== undefined) await notePseudonym(pseudonymList, { pseudonym, caseNumber })
    scope.move()
    return clean
  }

  async #buildOn(thread: LevelThread, clean: DeidentifiedSlide, request: Parameters<LevelThread['build']>[0], onTiles: (count: number) => void, signal: AbortSignal): Promise<Buffer> {
    // The thread finds what was made, and makes nothing.
    if (clean.structure.levels[request.level]?.isMade === true) await clean.readTile(request.level, { column: 0, row: 0 })
    return thread.build(request, onTiles, signal)
  }

  /** That of an earlier run, which heads were signed for and the node was told. @throws {OutdatedPreparation}. */
  async #structureOf(slideId: SlideId, structure: SlideStructure): Promise<SlideStructure> {
    const { files } = this.#options
    const kept = await files.structure(slideId)
    if (kept === undefined) {
      await files.keepStructure(slideId, structure)
      return structure
    }
    if (!isDeepStrictEqual(kept.levels, structure.levels)) throw new OutdatedPreparation('other levels than before')
    return kept
  }
}
