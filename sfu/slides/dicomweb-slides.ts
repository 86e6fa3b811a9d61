import { LRUCache } from 'lru-cache'
import { ordinalOf } from '../../relay/wire/tile-order.ts'
import { endWith } from './slide-access.ts'
import type { DicomwebSlide, DicomwebSource, LevelLengths } from '../../relay/slides/dicomweb/dicomweb-source.ts'
import type { Authorise, DicomwebAction } from '../../relay/slides/dicomweb/dicomweb-routes.ts'
import type { SlideRecord } from '../../relay/slides/store/slide-store.ts'
import type { TileService } from '../../relay/slides/tiles/tile-service.ts'
import type { SlideCatalogue } from '../../relay/slides/transfer/slide-catalogue.ts'
import type { ConsultationId, SlideId } from '../../relay/wire/ids.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'
import type { AccessRecord } from '../access/recorded-member.ts'
import type { AllowedRoles, SlideAccess } from './slide-access.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** Consultations whose slides are listed; a request's own is among them, because it was admitted just before. */
const MAX_CONSULTATIONS = 1024

/** Whole slides in a form that other programs keep leave the platform. */
const EXPORTING: AllowedRoles = { viewer: 'export_slide', scanner: 'send_slide' }

/** The complete slides of a node, as DICOMweb asks for them, and who may see which: a viewer or scanner those of its consultation. */
export class DicomwebSlides implements DicomwebSource {
  readonly #catalogue: SlideCatalogue
  readonly #tiles: TileService
  readonly #access: SlideAccess
  readonly #consultations = new LRUCache<ConsultationId, true>({ max: MAX_CONSULTATIONS })

  readonly #recorder: AccessRecord | undefined

  /** @param recorder - Without it nothing is recorded. */
  constructor(catalogue: SlideCatalogue, tiles: TileService, access: SlideAccess, recorder?: AccessRecord) {
    this.#recorder = recorder
    this.#catalogue = catalogue
    this.#tiles = tiles
    this.#access = access
  }

  /** Who may do what. @throws {RelayFault} `invitation_refused`, `invitation_expired`, `grant_refused`. */
  async authorise(request: FastifyRequest, reply: FastifyReply, action: DicomwebAction): ReturnType<Authorise> {
    const roles: AllowedRoles = action === 'store' ? { scanner: 'send_slide' } : EXPORTING
    const grant = await this.#access.grant(request, roles)
    const { consultationId } = grant
    // An answer may be a whole slide, and a body a whole study.
    endWith(request, reply, grant)
    if (action === 'search') await this.#recorder?.doingOften(grant, 'list_slides')
    this.#consultations.set(consultationId, true)
    return ({ structure }) => this.#catalogue.store.slide(structure.slideId)?.consultationId === consultationId
  }

  /** A slide, or a part of it, is about to be sent: recorded once a minute. @throws {RelayFault} As {@link authorise}; `not_recorded`. */
  async retrieving(request: FastifyRequest, slideId: SlideId): Promise<void> {
    await this.#recorder?.doingOften(await this.#access.grant(request, EXPORTING), 'export_slide', { slideId })
  }

  *slides(): Generator<DicomwebSlide> {
    for (const consultationId of [...this.#consultations.keys()]) {
      for (const record of this.#catalogue.store.slidesOf(consultationId)) if (record.state === 'complete') yield asDicomweb(record)
    }
  }

  slide(slideId: SlideId): DicomwebSlide | undefined {
    const record = this.#catalogue.store.slide(slideId)
    return record?.state === 'complete' ? asDicomweb(record) : undefined
  }

  lengths(slideId: SlideId, level: number): LevelLengths {
    const { index, shape } = this.#catalogue.level(slideId, level)
    return { total: index.length, lengthOf: position => index.lengthOf(ordinalOf(shape, position)) }
  }

  async readTile(slideId: SlideId, level: number, position: TilePosition): Promise<Buffer> {
    return (await this.#tiles.tile(slideId, level, position)).bytes
  }
}

const asDicomweb = ({ structure, createdAtMillis }: SlideRecord): DicomwebSlide => ({ structure, createdAtMillis })
