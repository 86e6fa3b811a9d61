import { z } from 'zod'
import { hasTile, ordinalOf } from '../../relay/wire/tile-order.ts'
import { encodeProof } from '../../relay/wire/tile-proof.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { SlideViewport } from '../../relay/wire/slide.ts'
import { endWith } from './slide-access.ts'
import { parsePart, PathPart } from './slide-replies.ts'
import type { EarlyTile, SquareShelf } from '../../relay/slides/tiles/square-shelf.ts'
import type { ProvenTile } from '../../relay/slides/tiles/tile-service.ts'
import type { SlideCatalogue } from '../../relay/slides/transfer/slide-catalogue.ts'
import type { WantedRegistry } from '../../relay/slides/transfer/wanted-registry.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { SlideLevel } from '../../relay/wire/slide.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'
import type { AccessRecord } from '../access/recorded-member.ts'
import type { SlideAccess, SlideGrant } from './slide-access.ts'
import type { SlideMetrics } from './slide-metrics.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Where tiles come from. */
export interface TileSource {
  /** @throws {RelayFault} `not_found` for a tile that is not here. */
  tile(slideId: SlideId, level: number, position: TilePosition): Promise<ProvenTile>
}

/** Where it is recorded who sees and sends what of slides. */
export interface SlideRecorder extends AccessRecord {
  /** Settles before the slide is opened. @throws {RelayFault} `not_recorded`. */
  slideOpening(grant: SlideGrant, slideId: SlideId): Promise<void>
  /** Settles before a tile is sent. @throws {RelayFault} `not_recorded`. */
  tileAsked(grant: SlideGrant, slideId: SlideId): Promise<void>
  tileSent(grant: SlideGrant, slideId: SlideId, level: number, position: TilePosition): void
}

/** What a viewer's routes stand on. */
export interface ViewerRoutesOptions {
  readonly access: SlideAccess
  readonly catalogue: SlideCatalogue
  readonly tiles: TileSource
  /** Tiles of levels that are not known yet. */
  readonly squares: Pick<SquareShelf, 'held' | 'tile'>
  readonly wanted: WantedRegistry
  /** Without it nothing is recorded. */
  readonly recorder?: SlideRecorder | undefined
  readonly metrics: SlideMetrics
  readonly clock: Clock
}

const SlidePath = z.object({ id: PathPart.slideId })
const TilePath = z.object({ id: PathPart.slideId, level: PathPart.level, column: PathPart.column, row: PathPart.row })

/** Routes by which a viewer sees slides; see `docs/SLIDES.md`. */
export function addViewerRoutes(app: FastifyInstance, options: ViewerRoutesOptions): void {
  const { access, catalogue, squares, wanted, clock } = options
  const viewer = (request: FastifyRequest): Promise<SlideGrant> => access.grant(request, { viewer: 'view_slide', scanner: 'send_slide' })
  // A virtual microscope shows the slide that it is told of: it may read one, not look around.
  const reader = (request: FastifyRequest): Promise<SlideGrant> => access.grant(request, { viewer: 'view_slide', scanner: 'send_slide', microscope: 'publish_live' })
  const admitted = async (request: FastifyRequest): Promise<void> => {
    await viewer(request)
  }
  app.addHook('onRequest', async (_request, reply) => void reply.header('cache-control', 'no-store'))

  app.get('/', async request => {
    const { consultationId } = await viewer(request)
    return { slides: catalogue.store.slidesOf(consultationId).map(record => catalogue.summary(record)) }
  })

  app.get('/:id', async (request, reply) => {
    const grant = await reader(request)
    endWith(request, reply, grant)
    const { slideId, structureBytes, key, state } = grant.slide(catalogue, parsePart(SlidePath, request.params).id)
    await options.recorder?.slideOpening(grant, slideId)
    const levels = catalogue.store.levels(slideId).map(level => {
      const { head, indexSha256 } = catalogue.level(slideId, level)
      return { level, head, index: indexSha256 }
    })
    return { structure: structureBytes.toString('base64'), key, state, levels, head: catalogue.store.slideHead(slideId) ?? null }
  })

  app.get('/:id/arrived', async request => {
    const record = (await viewer(request)).slide(catalogue, parsePart(SlidePath, request.params).id)
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
    return { state: record.state, squares: squares.held(record.slideId), levels: catalogue.arrived(record.slideId).map(level => ({ ...level, here: base64(level.here), heat: base64(level.heat) })) }
  })

  app.post('/:id/viewport', { bodyLimit: 1024, onRequest: admitted }, async (request, reply) => {
    const grant = await access.grant(request, { viewer: 'view_slide' })
    const { slideId, state, structure } = grant.slide(catalogue, parsePart(SlidePath, request.params).id)
    const viewport = parsePart(SlideViewport, request.body)
    if (viewport.level >= structure.levels.length) throw new RelayFault('out_of_range', 'the slide has no such level')
    if (state === 'arriving') wanted.look(slideId, grant.memberId, viewport, clock.now())
    return reply.code(204).send()
  })

  app.get('/:id/tiles/:level/:column/:row', (request, reply) => sendTile(request, reply, options, reader))
}

async function sendTile(request: FastifyRequest, reply: FastifyReply, options: ViewerRoutesOptions, reader: (request: FastifyRequest) => Promise<SlideGrant>): Promise<FastifyReply> {
  const { catalogue, recorder, metrics, clock } = options
  const began = clock.now()
  const observe = (outcome: string): void => metrics.tiles.observe({ outcome }, (clock.now() - began) / 1000)
  try {
    const grant = await reader(request)
    endWith(request, reply, grant)
    const { id, level, column, row } = parsePart(TilePath, request.params)
    const { slideId, structure } = grant.slide(catalogue, id)
    const shape = structure.levels[level]
    if (shape === undefined || !hasTile(shape, { column, row })) throw new RelayFault('not_found', 'the level has no such tile')
    const known = catalogue.find(slideId, level)
    // The root stands for all tiles of the level, each in its place.
    const etag = known === undefined ? undefined : `"${known.root.slice(0, 32)}-${ordinalOf(shape, { column, row })}"`
    if (etag !== undefined && request.headers['if-none-match'] === etag) {
      observe('ok')
      return await reply.headers({ etag, ...KEPT }).code(304).send()
    }
    await recorder?.tileAsked(grant, slideId)
    const found = await findTile(slideId, level, { column, row }, { shape, isKnown: known !== undefined, ...options })
    observe('ok')
    recorder?.tileSent(grant, slideId, level, { column, row })
    const { bytes, proof } = found
    if ('head' in found) void reply.headers({ 'kenkyo-head': found.head, 'kenkyo-root': found.root })
    else if (etag !== undefined) void reply.headers({ etag, ...KEPT, 'kenkyo-root': known?.root })
    return await reply.header('kenkyo-proof', encodeProof(proof)).type('application/octet-stream').send(bytes)
  } catch (error) {
    observe(toFault(error).code)
    throw error
  }
}

const KEPT = { 'cache-control': 'private, max-age=31536000, immutable' }

/** A tile as its level proves it, or else as its square does. @throws {RelayFault} `not_found`. */
async function findTile(slideId: SlideId, level: number, position: TilePosition, { tiles, squares, shape, isKnown }: Pick<ViewerRoutesOptions, 'tiles' | 'squares'> & { readonly shape: SlideLevel; readonly isKnown: boolean }): Promise<ProvenTile | EarlyTile> {
  try {
    if (isKnown) return await tiles.tile(slideId, level, position)
  } catch (error) {
    if (toFault(error).code !== 'not_found') throw error
  }
  const early = squares.tile(slideId, level, shape, position)
  if (early === undefined) throw new RelayFault('not_found', 'the tile is not here')
  return early
}
