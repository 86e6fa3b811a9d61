import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bytes, millis } from '../../relay/wire/units.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { dicomwebRoutes } from '../../relay/slides/dicomweb/dicomweb-routes.ts'
import { StowFolder } from '../../relay/slides/dicomweb/stow-folder.ts'
import { SlideCatalogue } from '../../relay/slides/transfer/slide-catalogue.ts'
import { SlideReceiver } from '../../relay/slides/transfer/slide-receiver.ts'
import { WantedRegistry } from '../../relay/slides/transfer/wanted-registry.ts'
import { FileSlideStore } from '../../relay/slides/store/file-slide-store.ts'
import { SquareShelf } from '../../relay/slides/tiles/square-shelf.ts'
import { TileService } from '../../relay/slides/tiles/tile-service.ts'
import { TusRoutes } from '../../relay/slides/tus/tus-routes.ts'
import { DicomwebSlides } from './dicomweb-slides.ts'
import { possessionOf, SlideAccess, SlideGrant } from './slide-access.ts'
import { SlideNewsBoard } from './slide-news-board.ts'
import { importSlide } from './slide-import.ts'
import { slideRoutes } from './slide-routes.ts'
import { StoreVerification } from './store-verification.ts'
import { StowImports } from './stow-imports.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { StowedSeries } from '../../relay/slides/dicomweb/stow-folder.ts'
import type { SlideSource, SlideStep } from '../../relay/slides/transfer/slide-receiver.ts'
import type { SlideStore } from '../../relay/slides/store/slide-store.ts'
import type { NodeConfig } from '../config.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { SlideNews } from '../slide-sharing.ts'
import type { VerifyToken } from './slide-access.ts'
import type { ColourOf } from './annotation-routes.ts'
import type { ChunkSink } from './link-receiver.ts'
import type { SlideMetrics } from './slide-metrics.ts'
import type { SlideRecorder } from './viewer-routes.ts'
import type { StowTimes } from './stow-imports.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Until the first verification of the store, and from one to the next. */
const VERIFY_INTERVAL = millis(7 * 24 * 3_600_000)

/** Where DICOMweb is served. */
export const DICOMWEB_PATH = '/dicomweb'

/** Uploads that are not whole, or wait to become slides. */
const MAX_UPLOADS = 16
/** After so long an upload that is not whole is deleted. */
const UPLOAD_EXPIRY = millis(24 * 3_600_000)

/** DICOM has no word for the last instance of a series. */
const STOW_TIMES: StowTimes = { quiet: millis(60_000), interval: millis(5000) }
/** Series that wait to become slides, and instances of one: more than a slide has levels. */
const STOW_LIMITS = { series: 64, instancesPerSeries: 64 }

/** What the slides of a node are made from. */
export interface NodeSlidesOptions {
  readonly verify: VerifyToken
  /** Without it, annotations have no colour. */
  readonly colourOf?: ColourOf | undefined
  /** Without it, it is not recorded who sees what. */
  readonly recorder?: SlideRecorder | undefined
  readonly metrics: SlideMetrics
  readonly clock: Clock
  readonly log: Logger
  /** What the node is reached by from outside. */
  readonly origin: string
}

/** The whole slides of a node: the store, who may see it, and what it is filled and read by. Owns the store. */
export class NodeSlides implements AsyncDisposable {
  readonly store: SlideStore
  readonly #options: NodeSlidesOptions
  readonly #tiles: TileService
  readonly #access: SlideAccess
  readonly #board: SlideNewsBoard
  readonly #wanted = new WantedRegistry(Date.now())
  readonly #squares = new SquareShelf()
  readonly #catalogue: SlideCatalogue
  readonly #receiver: SlideReceiver
  readonly #closing = new AbortController()
  readonly #verification: StoreVerification
  #uploads: TusRoutes | undefined
  #stow: { readonly folder: StowFolder; readonly imports: StowImports } | undefined

  /** @param store - Becomes this one's. */
  constructor(store: SlideStore, options: NodeSlidesOptions) {
    this.store = store
    this.#options = options
    this.#tiles = new TileService(store)
    this.#verification = new StoreVerification({ store, interval: VERIFY_INTERVAL, metrics: options.metrics, clock: options.clock, log: options.log })
    this.#access = new SlideAccess(options.verify)
    this.#catalogue = new SlideCatalogue(store, this.#tiles)
    this.#board = new SlideNewsBoard(this.#catalogue)
    this.#receiver = new SlideReceiver({
      beforehand: (...step) => this.#recordStep(...step), catalogue: this.#catalogue, wanted: this.#wanted, squares: this.#squares, clock: options.clock,
      onChange: id => this.#board.slidesChanged(id),
      onWanted: (id, arrived) => this.#board.tilesArrived(id, arrived),
      onContradiction: (slideId, level, squares) => {
        options.metrics.squares.inc({ outcome: 'contradicted' }, squares)
        options.log.error({ slideId, level, squares }, 'a scanner signed tiles of a square, and other ones in their level')
      },
    })
  }

  /** @throws {RelayFault} `storage_full`, `conflict` when another process uses the folder. */
  static async open({ stateDir, slidesDir, slidesQuotaBytes, slideUploads, slideStow }: Pick<NodeConfig, 'stateDir' | 'slidesDir' | 'slidesQuotaBytes' | 'slideUploads' | 'slideStow'>, options: NodeSlidesOptions): Promise<NodeSlides> {
    await using scope = new AsyncDisposableStack()
    const directory = slidesDir ?? join(stateDir, 'slides')
    const slides = scope.use(new NodeSlides(await FileSlideStore.open({ directory, quotaBytes: slidesQuotaBytes, log: options.log, onCommit: batch => options.metrics.committed(batch) }), options))
    // What an earlier run took in has names in it: nobody would delete it where nothing is taken in any more.
    if (slideStow) await slides.openStow(`${directory}-stowed`, slidesQuotaBytes)
    else await rm(`${directory}-stowed`, { recursive: true, force: true })
    if (slideUploads) await slides.openUploads(`${directory}-uploads`, slidesQuotaBytes)
    else await rm(`${directory}-uploads`, { recursive: true, force: true })
    scope.move()
    return slides
  }

  /** Lets scanners upload files by tus. To be called before {@link addTo}. @param directory - Of files with names in them; beside the store's, never in it. */
  async openUploads(directory: string, maxBytes: number): Promise<void> {
    const { verify, clock, log } = this.#options
    const made = join(directory, 'made')
    await rm(made, { recursive: true, force: true })
    const work = { receiver: this.#receiver, directory: made, clock }
    this.#uploads = await TusRoutes.open({
      directory, maxBytes: bytes(maxBytes), maxUploads: MAX_UPLOADS, expiry: UPLOAD_EXPIRY, log,
      authorise: async (token, request) => {
        const admission = await verify(token, possessionOf(request))
        try {
          if (admission.role === 'scanner' && admission.allows('send_slide')) {
            await this.#options.recorder?.doingOften(admission, 'send_slide')
            return admission
          }
        } catch (error) {
          admission.release()
          throw error
        }
        admission.release()
        throw new RelayFault('grant_refused', 'only a scanner uploads')
      },
      importSlide: (path, { consultationId, memberId }) => importSlide(path, { consultationId, memberId }, work, this.#closing.signal),
      stopping: this.#closing.signal,
    })
  }

  /** Lets scanners upload DICOM by STOW-RS. To be called before {@link addTo}. @param directory - Of series that are no slides yet; beside the store's, never in it. */
  async openStow(directory: string, maxBytes: number, times: StowTimes = STOW_TIMES): Promise<void> {
    const { clock, log } = this.#options
    const made = join(directory, 'made')
    await rm(made, { recursive: true, force: true })
    const limits = { ...STOW_LIMITS, instanceBytes: bytes(maxBytes), totalBytes: bytes(maxBytes) }
    const folder = await StowFolder.open({ directory: join(directory, 'series'), clock, identities: 'strip', limits })
    this.#stow = { folder, imports: new StowImports({ ...times, folder, clock, log, importSeries: series => this.#importSeries(series, made) }) }
  }

  /** What consultations are told of their slides. */
  get news(): SlideNews {
    return this.#board
  }

  /** Where chunks go that come by the link of an admitted scanner. */
  chunkSink(admission: Admission): ChunkSink {
    const { consultationId, memberId } = admission
    const { metrics } = this.#options
    return {
      putChunk: async (slideId, sha256, body) => {
        try {
          admission.require('send_slide')
          const outcome = await this.#receiver.putChunk({ consultationId, memberId }, slideId, sha256, body)
          metrics.chunks.inc({ outcome })
          if (outcome === 'stored') metrics.arrivedBytes.inc(body.length)
          return outcome
        } catch (error) {
          metrics.chunks.inc({ outcome: toFault(error).code })
          throw error
        }
      },
      putSquare: async (slideId, message) => metrics.countSquare(() => this.#receiver.putSquare({ consultationId, memberId }, slideId, message)),
    }
  }

  /** Adds the routes below `/slides` and `/dicomweb`, and those of uploads, to a server. */
  addTo(app: FastifyInstance): void {
    const { metrics, clock, log, origin, colourOf = () => undefined } = this.#options
    const routes = slideRoutes({
      access: this.#access, catalogue: this.#catalogue, receiver: this.#receiver, tiles: this.#tiles, squares: this.#squares, wanted: this.#wanted, recorder: this.#options.recorder, metrics, clock, log, colourOf,
      onAnnotationsStored: (consultationId, slideId, version) => this.#board.annotationsChanged(consultationId, slideId, version),
    })
    void app.register(routes, { prefix: '/slides' })
    this.#uploads?.addTo(app)
    const slides = new DicomwebSlides(this.#catalogue, this.#tiles, this.#access, this.#options.recorder)
    const folder = this.#stow?.folder
    const sink = folder && (async (request: FastifyRequest) => {
      const grant = await this.#access.grant(request, { scanner: 'send_slide' })
      await this.#options.recorder?.doingOften(grant, 'send_slide')
      return folder.sinkOf(grant)
    })
    void app.register(scope => dicomwebRoutes(scope, { slides, authorise: slides.authorise.bind(slides), onRetrieve: slides.retrieving.bind(slides), publicUrl: `${origin}${DICOMWEB_PATH}`, sink }), { prefix: DICOMWEB_PATH })
  }

  /** Takes the gauges for a scrape. */
  read(): void {
    this.#options.metrics.read(this.store)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new RelayFault('unavailable', 'the node is stopping'))
    await this.#uploads?.[Symbol.asyncDispose]()
    await this.#stow?.imports[Symbol.asyncDispose]()
    await this.#verification[Symbol.asyncDispose]()
    this.#board[Symbol.dispose]()
    this.#access[Symbol.dispose]()
    this.#tiles[Symbol.dispose]()
    await this.store[Symbol.asyncDispose]()
  }

  /** What comes as a file or as DICOM becomes a slide after its sender has gone. */
  async #recordStep(source: SlideSource, step: SlideStep, slideId: SlideId): Promise<void> {
    const access = ({ announce: 'send_slide', complete: 'complete_slide', delete: 'delete_slide' } as const)[step]
    const { consultationId, memberId } = source
    await this.#options.recorder?.doing(source instanceof SlideGrant ? source : { consultationId, memberId, role: 'scanner' }, access, { slideId })
  }

  async #importSeries({ directory: path, slideId, consultationId, memberId }: StowedSeries, directory: string): Promise<void> {
    const source = { consultationId, memberId }
    // The program may have ended between the import and its being noted, or within it.
    const before = this.store.slide(slideId)
    if (before?.state === 'complete') return
    if (before !== undefined) await this.#receiver.delete(source, slideId)
    await importSlide(path, source, { receiver: this.#receiver, directory, clock: this.#options.clock, slideId }, this.#closing.signal)
  }
}
