import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ANNOTATION_LIMITS, SlideAnnotations } from '../../relay/wire/slide-annotations.ts'
import { bindAuthors } from './annotation-authors.ts'
import { parsePart, PathPart } from './slide-replies.ts'
import type { SlideCatalogue } from '../../relay/slides/transfer/slide-catalogue.ts'
import type { SlideStore } from '../../relay/slides/store/slide-store.ts'
import type { ConsultationId, MemberId, SlideId } from '../../relay/wire/ids.ts'
import type { MemberColour } from '../../relay/wire/slide-sharing.ts'
import type { AccessRecord } from '../access/recorded-member.ts'
import type { SlideAccess } from './slide-access.ts'
import type { FastifyInstance } from 'fastify'

/** The colour of a member's session in a consultation; undefined while it has none. */
export type ColourOf = (consultationId: ConsultationId, memberId: MemberId) => MemberColour | undefined

/** What the routes of annotations stand on. */
export interface AnnotationRoutesOptions {
  readonly access: SlideAccess
  readonly catalogue: SlideCatalogue
  /** Without it nothing is recorded. */
  readonly recorder?: AccessRecord | undefined
  readonly colourOf: ColourOf
  readonly onStored: (consultationId: ConsultationId, slideId: SlideId, version: number) => void
}

const DOCUMENT = 'annotations'
const SlidePath = z.object({ id: PathPart.slideId })
const Stored = z.object({ version: z.int().min(1), annotations: SlideAnnotations })
const NONE: z.infer<typeof Stored> = { version: 0, annotations: { type: 'FeatureCollection', features: [] } }

const etagOf = (version: number): string => `"${version}"`

function read(store: SlideStore, slideId: SlideId): z.infer<typeof Stored> {
  const document = store.document(slideId, DOCUMENT)
  return document === undefined ? NONE : Stored.parse(JSON.parse(document.toString('utf8')))
}

/** Routes of annotations, GeoJSON (RFC 7946) in slide micrometres; see `docs/SLIDES.md`. */
export function addAnnotationRoutes(app: FastifyInstance, { access, catalogue, recorder, colourOf, onStored }: AnnotationRoutesOptions): void {
  /** Slides whose annotations are being stored: what was compared must still hold when it is written. */
  const storing = new Set<SlideId>()
  const { store } = catalogue

  app.get('/:id/annotations', async (request, reply) => {
    const { slideId } = (await access.grant(request, { viewer: 'view_slide' })).slide(catalogue, parsePart(SlidePath, request.params).id)
    const { version, annotations } = read(store, slideId)
    return reply.header('etag', etagOf(version)).header('cache-control', 'no-store').type('application/geo+json').send(JSON.stringify(annotations))
  })

  app.put('/:id/annotations', { bodyLimit: ANNOTATION_LIMITS.bytes, onRequest: async request => {
    await access.grant(request, { viewer: 'annotate' })
  } }, async (request, reply) => {
    const grant = await access.grant(request, { viewer: 'annotate' })
    const { slideId, consultationId } = grant.slide(catalogue, parsePart(SlidePath, request.params).id)
    const wanted = parsePart(SlideAnnotations, request.body)
    const match = request.headers['if-match']
    if (match === undefined) throw new RelayFault('bad_message', 'if-match is needed')
    const { version, annotations: before } = read(store, slideId)
    if (match !== etagOf(version) || storing.has(slideId)) return reply.code(412).header('etag', etagOf(version)).send({ code: 'conflict' })
    const { memberId } = grant
    const bound = bindAuthors(before, wanted, { memberId, colour: colourOf(consultationId, memberId) })
    // Names of authors come on top of what was sent.
    const annotations = parsePart(SlideAnnotations, bound)
    storing.add(slideId)
    try {
      await recorder?.doingOften(grant, 'annotate_slide', { slideId })
      await store.putDocument(slideId, DOCUMENT, Buffer.from(JSON.stringify({ version: version + 1, annotations })))
    } finally {
      storing.delete(slideId)
    }
    onStored(consultationId, slideId, version + 1)
    return reply.code(204).header('etag', etagOf(version + 1)).send()
  })
}
