import { RelayFault } from '../../wire/fault.ts'
import { dicomJson, DicomItems } from './dicom-encoding.ts'
import { chooseOffer, parseMediaType } from './media-types.ts'
import { readParts } from './multipart.ts'
import { JSON_OFFERS } from './search-routes.ts'
import type { Readable } from 'node:stream'
import type { DicomDataSet } from './dicom-encoding.ts'
import type { DicomwebContext, SinkOf } from './dicomweb-routes.ts'
import type { PartLimits } from './multipart.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Why an instance was not taken. @see PS3.18 section I.2.2 */
export const FAILURE = { sopClassNotSupported: 0x0122, notAuthorised: 0x0124, outOfResources: 0xa700, doesNotMatch: 0xa900, cannotUnderstand: 0xc000 } as const
/** One of {@link FAILURE}. */
export type FailureReason = (typeof FAILURE)[keyof typeof FAILURE]

/** What became of one uploaded instance. UIDs are the sender's own, checked to be UIDs; absent where none could be read. */
export interface StowOutcome {
  readonly sopClassUid: string | undefined
  readonly sopInstanceUid: string | undefined
  /** `undefined`: taken. */
  readonly failure: FailureReason | undefined
}

/** Takes uploaded instances. */
export interface StowSink {
  /**
   * Takes one instance. Resolves when it is durable or refused; rejects only for failures of the machine.
   *
   * @param body - Read to its end, unless it fails.
   * @param study - The only Study Instance UID that may be, when the request named one.
   */
  take(body: AsyncIterable<Buffer>, study: string | undefined): Promise<StowOutcome>
}

/** STOW-RS. @see PS3.18 section 10.5 */
export function addStoreRoutes(app: FastifyInstance, context: DicomwebContext, sinkOf: SinkOf, limits: PartLimits): void {
  // The body is left to be read piece by piece.
  app.addContentTypeParser('multipart/related', (_request, payload, done) => done(null, payload))
  for (const url of ['/studies', '/studies/:study']) {
    app.post<{ Params: { study?: string } }>(url, { bodyLimit: Number.MAX_SAFE_INTEGER }, async (request, reply) => {
      await context.authorise(request, reply, 'store')
      return store(request, reply, await sinkOf(request), limits)
    })
  }
}

async function store(request: FastifyRequest<{ Params: { study?: string } }>, reply: FastifyReply, sink: StowSink, limits: PartLimits): Promise<FastifyReply> {
  const offer = chooseOffer(request.headers.accept, JSON_OFFERS)
  if (offer === undefined) return reply.code(406).send()
  const { type, parameters } = parseMediaType(request.headers['content-type'] ?? '')
  const boundary = parameters.get('boundary') ?? ''
  if (type !== 'multipart/related' || !isDicom(parameters.get('type') ?? '')) throw new RelayFault('unsupported_media', 'only application/dicom is taken')
  // RFC 2046 section 5.1.1 allows 70 characters; Orthanc sends 73.
  if (!/^[0-9A-Za-z'()+_,./:=? -]{1,200}$/.test(boundary)) throw new RelayFault('bad_message', 'no boundary')
  if (Number(request.headers['content-length'] ?? 0) > limits.bytes) throw new RelayFault('quota_exceeded', 'the message is too long')
  const outcomes: StowOutcome[] = []
  for await (const part of readParts(request.body as Readable, boundary, limits)) {
    if (part.contentType !== '' && !isDicom(part.contentType)) throw new RelayFault('unsupported_media', 'a part is not application/dicom')
    outcomes.push(await sink.take(part.body, request.params.study))
  }
  if (outcomes.length === 0) throw new RelayFault('bad_message', 'no instance')
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length
  const status = failed === 0 ? 200 : failed < outcomes.length ? 202 : 409
  return reply.code(status).type(offer.type).send([...dicomJson(storeResponse(outcomes))].join(''))
}

const isDicom = (text: string): boolean => parseMediaType(text).type === 'application/dicom'

/** @see PS3.18 section I.2 */
function storeResponse(outcomes: readonly StowOutcome[]): DicomDataSet {
  const items = (wanted: readonly StowOutcome[]): DicomItems =>
    DicomItems.of(
      ...wanted.map(({ sopClassUid, sopInstanceUid, failure }) => ({
        ReferencedSOPClassUID: sopClassUid,
        ReferencedSOPInstanceUID: sopInstanceUid,
        // A slide gets a new study when it is taken in: there is nothing to retrieve under the sender's UIDs.
        ...(failure === undefined ? { RetrieveURL: undefined } : { FailureReason: failure }),
      })),
    )
  const [taken, failed] = [outcomes.filter(({ failure }) => failure === undefined), outcomes.filter(({ failure }) => failure !== undefined)]
  return {
    RetrieveURL: undefined,
    ...(failed.length > 0 ? { FailedSOPSequence: items(failed) } : {}),
    ...(taken.length > 0 ? { ReferencedSOPSequence: items(taken) } : {}),
  }
}
