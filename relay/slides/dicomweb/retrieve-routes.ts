import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { RelayFault } from '../../wire/fault.ts'
import { dicomJson } from './dicom-encoding.ts'
import { dataSetOf, FrameReader, writeInstance } from './dicom-writer.ts'
import { slideIdOfStudy } from './dicom-uids.ts'
import { chooseOffer } from './media-types.ts'
import { writeParts } from './multipart.ts'
import { JSON_OFFERS } from './search-routes.ts'
import type { DicomwebSource } from './dicomweb-source.ts'
import type { DicomwebContext, UidParams } from './dicomweb-routes.ts'
import type { MediaOffer } from './media-types.ts'
import type { WrittenPart } from './multipart.ts'
import type { WsmInstance } from './wsm-data-set.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Frames of one request at most. */
const MAX_FRAMES = 1000

type Params = Pick<UidParams, 'study'> & Partial<UidParams>
type FrameParams = UidParams & { readonly frames: string }

/** WADO-RS: studies, series, instances, their metadata, frames, and single frames to be shown. @see PS3.18 section 10.4 */
export function addRetrieveRoutes(app: FastifyInstance, context: DicomwebContext): void {
  const admitted = async (request: FastifyRequest<{ Params: Params }>, reply: FastifyReply): Promise<readonly WsmInstance[]> => {
    const instances = context.catalogue.instances(request.params, await context.authorise(request, reply, 'retrieve'))
    const slideId = slideIdOfStudy(request.params.study)
    if (slideId !== undefined) await context.onRetrieve(request, slideId)
    return instances
  }
  for (const url of ['/studies/:study', '/studies/:study/series/:series', '/studies/:study/series/:series/instances/:instance']) {
    app.get<{ Params: Params }>(url, async (request, reply) => {
      return sendInstances(context.catalogue.source, await admitted(request, reply), request.headers.accept, reply)
    })
    app.get<{ Params: Params }>(`${url}/metadata`, async (request, reply) => {
      const instances = await admitted(request, reply)
      const offer = chooseOffer(request.headers.accept, JSON_OFFERS)
      if (offer === undefined) return reply.code(406).send()
      return reply.type(offer.type).send(Readable.from(metadata(context.catalogue.source, instances), { objectMode: false }))
    })
  }
  const instanceUrl = '/studies/:study/series/:series/instances/:instance'
  app.get<{ Params: FrameParams }>(`${instanceUrl}/frames/:frames`, async (request, reply) => {
    return sendFrames(context.catalogue, await admitted(request, reply), request.params.frames, request.headers.accept, reply)
  })
  app.get<{ Params: FrameParams }>(`${instanceUrl}/frames/:frames/rendered`, async (request, reply) => {
    const [instance] = await admitted(request, reply)
    const [frame, ...more] = frameNumbers(request.params.frames)
    if (instance === undefined || frame === undefined || more.length > 0) throw new RelayFault('bad_message', 'one frame is rendered at a time')
    const position = instance.frames.tileOf(frame)
    // A JPEG tile is its own rendering; nothing here decodes JPEG 2000. @see PS3.18 section 8.7.4
    const offer = instance.shape.encoding.compression === 'jpeg' ? chooseOffer(request.headers.accept, [{ type: 'image/jpeg', isMultipart: false }]) : undefined
    if (offer === undefined) return reply.code(406).send()
    return reply.type(offer.type).send(Buffer.from(await new FrameReader(context.catalogue.source, instance).readTile(position)))
  })
}

/** @see PS3.18 section 10.4.1.1 */
function sendInstances(source: DicomwebSource, instances: readonly WsmInstance[], accept: string | undefined, reply: FastifyReply): FastifyReply {
  const syntaxes = new Set(instances.map(({ transferSyntax }) => transferSyntax))
  const transferSyntax = syntaxes.size === 1 ? [...syntaxes][0] : undefined
  const single = { type: 'application/dicom', isMultipart: false, transferSyntax }
  const [first] = instances
  const offer = chooseOffer(accept, [{ ...single, isMultipart: true }, ...(instances.length === 1 ? [single] : [])])
  if (offer === undefined || first === undefined) return reply.code(406).send()
  if (!offer.isMultipart) return reply.type(`application/dicom; transfer-syntax=${first.transferSyntax}`).send(Readable.from(writeInstance(source, first), { objectMode: false }))
  // A file says its transfer syntax itself; Orthanc 1.10 stores no part whose type has a parameter.
  return sendParts(reply, offer, instances.map(instance => ({ contentType: offer.type, body: writeInstance(source, instance) })))
}

function sendParts(reply: FastifyReply, offer: MediaOffer, parts: AsyncIterable<WrittenPart> | Iterable<WrittenPart>): FastifyReply {
  const boundary = randomUUID()
  return reply.header('content-type', `multipart/related; type="${offer.type}"; boundary=${boundary}`).send(Readable.from(writeParts(parts, boundary), { objectMode: false }))
}

/** @see PS3.18 sections 10.4.1.1.2 and F.2 */
async function* metadata(source: DicomwebSource, instances: readonly WsmInstance[]): AsyncGenerator<string> {
  let separator = '['
  for (const instance of instances) {
    yield separator
    yield* dicomJson(await dataSetOf(source, instance))
    separator = ','
  }
  yield ']'
}

/** @see PS3.18 sections 10.4.1.1.6 and 8.7.3.5 */
async function sendFrames({ source }: DicomwebContext['catalogue'], [instance]: readonly WsmInstance[], list: string, accept: string | undefined, reply: FastifyReply): Promise<FastifyReply> {
  if (instance === undefined) throw new RelayFault('not_found', 'no such instance')
  const numbers = frameNumbers(list)
  const positions = numbers.map(frame => instance.frames.tileOf(frame))
  const single = { type: instance.shape.encoding.compression === 'jpeg' ? 'image/jpeg' : 'image/jp2', isMultipart: false, transferSyntax: instance.transferSyntax }
  const offer = chooseOffer(accept, [{ ...single, isMultipart: true }, ...(positions.length === 1 ? [single] : [])])
  if (offer === undefined) return reply.code(406).send()
  const reader = new FrameReader(source, instance)
  const [first] = positions
  if (!offer.isMultipart && first !== undefined) return reply.type(offer.type).send(Buffer.from(await reader.readTile(first)))
  const contentType = `${offer.type}; transfer-syntax=${instance.transferSyntax}`
  return sendParts(reply, offer, (async function* () {
    for (const position of positions) yield { contentType, body: [await reader.readTile(position)] }
  })())
}

/** @throws {RelayFault} `bad_message`. */
function frameNumbers(list: string): number[] {
  const parts = list.split(',')
  if (parts.length > MAX_FRAMES || parts.some(part => !/^[1-9]\d{0,8}$/.test(part))) throw new RelayFault('bad_message', 'frames are numbers from 1, separated by commas, at most 1000')
  return parts.map(Number)
}
