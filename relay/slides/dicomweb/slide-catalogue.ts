import { LRUCache } from 'lru-cache'
import { RelayFault } from '../../wire/fault.ts'
import { derivedUid, slideIdOfStudy } from './dicom-uids.ts'
import { instanceOf } from './dicom-writer.ts'
import type { SlideId } from '../../wire/ids.ts'
import type { DicomwebSlide, DicomwebSource } from './dicomweb-source.ts'
import type { WsmInstance } from './wsm-data-set.ts'

/** Slides whose instances are kept in mind: a frame order has 4 bytes a tile. */
const REMEMBERED_SLIDES = 32

/** Whether somebody may see a slide. */
export type MayRead = (slide: DicomwebSlide) => boolean

/** The UIDs of a path, as a peer gave them. */
export interface ResourceUids {
  readonly study: string
  readonly series?: string | undefined
  readonly instance?: string | undefined
}

/** Slides as studies: a slide is a study of one series, a level is an instance. */
export class SlideCatalogue {
  readonly source: DicomwebSource
  readonly #instances = new LRUCache<SlideId, readonly WsmInstance[]>({ max: REMEMBERED_SLIDES })

  constructor(source: DicomwebSource) {
    this.source = source
  }

  /** Slides that somebody may see, oldest first. */
  *slides(mayRead: MayRead): Generator<DicomwebSlide> {
    for (const slide of this.source.slides()) if (mayRead(slide)) yield slide
  }

  /** The slide of a study, and of a series if one is named. @throws {RelayFault} `not_found`, also for one that may not be seen. */
  slide({ study, series }: ResourceUids, mayRead: MayRead): DicomwebSlide {
    const slideId = slideIdOfStudy(study)
    const slide = slideId && this.source.slide(slideId)
    if (slideId === undefined || slide === undefined || !mayRead(slide) || (series !== undefined && series !== derivedUid(slideId, 'series'))) throw new RelayFault('not_found', 'no such study or series')
    return slide
  }

  /** Instances of a slide, the finest level first. */
  instancesOf(slide: DicomwebSlide): readonly WsmInstance[] {
    const { slideId, levels } = slide.structure
    const known = this.#instances.get(slideId)
    if (known !== undefined) return known
    const instances = levels.flatMap((_, level) => instanceOf(this.source, slide, level) ?? [])
    this.#instances.set(slideId, instances)
    return instances
  }

  /** All instances of what a path names; never none. @throws {RelayFault} `not_found`. */
  instances(uids: ResourceUids, mayRead: MayRead): readonly WsmInstance[] {
    const found = this.instancesOf(this.slide(uids, mayRead)).filter(({ sopInstanceUid }) => uids.instance === undefined || sopInstanceUid === uids.instance)
    if (found.length === 0) throw new RelayFault('not_found', 'no such instance')
    return found
  }
}
