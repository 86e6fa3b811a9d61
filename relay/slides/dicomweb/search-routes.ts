import { UIDS } from '../formats/dicom-dictionary.ts'
import { dicomJson } from './dicom-encoding.ts'
import { derivedUid, studyUidOf } from './dicom-uids.ts'
import { parseQuery } from './query.ts'
import { chooseOffer } from './media-types.ts'
import { slideAttributes } from './wsm-data-set.ts'
import type { DicomDataSet } from './dicom-encoding.ts'
import type { DicomwebSlide } from './dicomweb-source.ts'
import type { SearchLevel } from './query.ts'
import type { DicomwebContext, UidParams } from './dicomweb-routes.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Something found: what is matched against, and what is answered, which may cost more. */
interface Candidate {
  readonly keys: DicomDataSet
  answer(): DicomDataSet
}

/** Representations of metadata and of what a search finds. @see PS3.18 section 8.7.3.2 */
export const JSON_OFFERS = [
  { type: 'application/dicom+json', isMultipart: false },
  { type: 'application/json', isMultipart: false },
] as const

/** QIDO-RS: searches for studies, series and instances. @see PS3.18 section 10.6 */
export function addSearchRoutes(app: FastifyInstance, context: DicomwebContext): void {
  const add = (url: string, level: SearchLevel): void => void app.get<{ Params: Partial<UidParams> }>(url, (request, reply) => search(context, level, request, reply))
  add('/studies', 'studies')
  add('/series', 'series')
  add('/instances', 'instances')
  add('/studies/:study/series', 'series')
  add('/studies/:study/instances', 'instances')
  add('/studies/:study/series/:series/instances', 'instances')
}

async function search(context: DicomwebContext, level: SearchLevel, request: FastifyRequest<{ Params: Partial<UidParams> }>, reply: FastifyReply): Promise<FastifyReply> {
  const mayRead = await context.authorise(request, reply, 'search')
  const offer = chooseOffer(request.headers.accept, JSON_OFFERS)
  if (offer === undefined) return reply.code(406).send()
  const query = parseQuery(new URL(request.url, 'http://localhost').searchParams, level)
  const { study, series } = request.params
  const slides = study === undefined ? context.catalogue.slides(mayRead) : [context.catalogue.slide({ study, series }, mayRead)]
  const found: string[] = []
  let [matched, isMore] = [0, false]
  outer: for (const slide of slides) {
    for (const candidate of candidates(context, level, slide)) {
      if (!query.matches(candidate.keys) || matched++ < query.offset) continue
      isMore = found.length === query.limit
      if (isMore) break outer
      found.push([...dicomJson(candidate.answer())].join(''))
    }
  }
  // @see PS3.18 sections 8.3.4.4 and 8.3.4.2
  if (isMore) reply.header('warning', '299 kenkyo "There are additional results that can be requested"')
  if (query.isFuzzyWanted) reply.header('warning', '299 kenkyo "The fuzzymatching parameter is not supported. Only literal matching has been performed."')
  if (found.length === 0) return reply.code(204).send()
  return reply.type(offer.type).send(`[${found.join(',')}]`)
}

/** @see PS3.18 section 10.6.3.3 */
function* candidates(context: DicomwebContext, level: SearchLevel, slide: DicomwebSlide): Generator<Candidate> {
  const { slideId, levels } = slide.structure
  const all = slideAttributes(slide)
  const url = `${context.publicUrl}/studies/${studyUidOf(slideId)}`
  const study: DicomDataSet = {
    ...picked(all, ['StudyDate', 'StudyTime', 'AccessionNumber', 'ReferringPhysicianName', 'PatientName', 'PatientID', 'PatientBirthDate', 'PatientSex', 'StudyInstanceUID', 'StudyID', 'TimezoneOffsetFromUTC']),
    ModalitiesInStudy: 'SM',
    InstanceAvailability: 'ONLINE',
  }
  if (level === 'studies') {
    const keys = { ...study, RetrieveURL: url, NumberOfStudyRelatedSeries: 1, NumberOfStudyRelatedInstances: levels.length }
    yield { keys, answer: () => keys }
    return
  }
  const series: DicomDataSet = { ...study, ...picked(all, ['Modality', 'SeriesInstanceUID', 'SeriesNumber']) }
  const seriesUrl = `${url}/series/${derivedUid(slideId, 'series')}`
  if (level === 'series') {
    const keys = { ...series, RetrieveURL: seriesUrl, NumberOfSeriesRelatedInstances: levels.length }
    yield { keys, answer: () => keys }
    return
  }
  for (const index of levels.keys()) {
    const uid = derivedUid(slideId, `level-${index}`)
    const keys: DicomDataSet = { ...series, SOPClassUID: UIDS.wholeSlideMicroscopy, SOPInstanceUID: uid, InstanceNumber: index + 1, RetrieveURL: `${seriesUrl}/instances/${uid}` }
    const instance = context.catalogue.instancesOf(slide).find(one => one.level === index)
    if (instance === undefined) continue
    const { shape, frames } = instance
    yield { keys, answer: () => ({ ...keys, Rows: shape.tileHeight, Columns: shape.tileWidth, BitsAllocated: 8, NumberOfFrames: frames.frames, TotalPixelMatrixColumns: shape.width, TotalPixelMatrixRows: shape.height }) }
  }
}

const picked = (dataSet: DicomDataSet, keywords: readonly (keyof DicomDataSet)[]): DicomDataSet => Object.fromEntries(keywords.map(keyword => [keyword, dataSet[keyword]]))
