/** Stills: frames of the live image that somebody kept, with the planes that the source had, or as they were decoded. */
import { z } from 'zod'
import { FAULT_CODES } from './fault.ts'
import { ConsultationId, MAX_RENDITIONS, MemberId, PublicationId, RenditionId, Sha256, StillId } from './ids.ts'
import { ObjectiveName, StageState } from './stage.ts'

/** What every node keeps to. */
export const STILL_LIMITS = {
  /** Stills of one consultation that members are told of; of more, the latest. */
  listed: 256,
  /** Stills of one consultation that were asked for and are not here. */
  pending: 4,
  /** Stills of one consultation that may be asked for: so many at once, so many a second. */
  burst: 8,
  perSecond: 0.5,
  /** A still whose planes are not here after so long has failed. */
  arrivalSeconds: 180,
  /** Longest value of the header {@link STILL_HEADER}. */
  headerCharacters: 8 * 1024,
} as const

/** Header of an upload: a {@link StillDescription} as JSON. */
export const STILL_HEADER = 'kenkyo-still'
/** Header of an upload: SHA-256 of the planes, lower-case hexadecimal. */
export const STILL_SHA256_HEADER = 'kenkyo-sha256'

/** `exact`: the planes that the source handed to its encoders; `decoded`: what decoders made of the encoded tiles. */
export const STILL_ORIGINS = ['exact', 'decoded'] as const
export const StillOrigin = z.enum(STILL_ORIGINS)
export type StillOrigin = z.infer<typeof StillOrigin>

/** `wanted`: the microscope was asked; `arriving`: its planes are on their way; `kept`: it is on disk; `failed`: it will not come. */
export const STILL_STATES = ['wanted', 'arriving', 'kept', 'failed'] as const
export const StillState = z.enum(STILL_STATES)
export type StillState = z.infer<typeof StillState>

const side = z.int().min(2).max(16_384).multipleOf(2)
const epochMillis = z.number().min(0).max(8.64e15)
const missing = z.array(RenditionId).max(MAX_RENDITIONS)

/** Where the stage was when the frame was taken. */
export const StillPlace = StageState.omit({ rtpTimestamp: true, obeyed: true })
export type StillPlace = z.infer<typeof StillPlace>

/** What a microscope says of the planes that it sends: 8-bit 4:2:0, BT.709, limited range; Y, Cb and Cr one after the other, each row by row without padding. */
export const StillDescription = z.strictObject({
  origin: StillOrigin,
  width: side,
  height: side,
  /** Tiles of which nothing was there to decode: they are black. */
  missing,
  /** As the source had it for that frame; null where it has none, or does not know. */
  place: StillPlace.nullable(),
})
export type StillDescription = z.infer<typeof StillDescription>

/** Bytes of the planes of a 4:2:0 frame with eight bits. */
export const planeBytes = ({ width, height }: { readonly width: number; readonly height: number }): number => (width * height * 3) / 2

/** One still, as members are told of it. */
export const StillSummary = z.strictObject({
  stillId: StillId,
  publicationId: PublicationId,
  rtpTimestamp: z.uint32(),
  keptBy: MemberId,
  askedAtMillis: epochMillis,
  state: StillState,
  /** Once it is kept. */
  origin: StillOrigin.nullable(),
  /** Tiles that are black because nothing was there to decode. */
  missingTiles: z.int().min(0).max(MAX_RENDITIONS),
  /** Why it failed. */
  fault: z.enum(FAULT_CODES).nullable(),
})
export type StillSummary = z.infer<typeof StillSummary>

/** What is written beside the planes of a still. */
export const StillSidecar = z.strictObject({
  version: z.literal(1),
  stillId: StillId,
  consultationId: ConsultationId,
  publicationId: PublicationId,
  /** Of the frame that the person saw. */
  rtpTimestamp: z.uint32(),
  keptBy: MemberId,
  /** When it was asked for, on the node's clock. */
  keptAt: z.iso.datetime(),
  origin: StillOrigin,
  missing,
  /** The source had not decoded all that this frame shows. Absent from sidecars that do not know of it. */
  isCoarse: z.boolean().optional(),
  image: z.strictObject({
    width: side,
    height: side,
    format: z.literal('I420'),
    bitDepth: z.literal(8),
    matrix: z.literal('BT.709'),
    range: z.literal('limited'),
  }),
  /** The truth. */
  planes: z.strictObject({ byteLength: z.int().min(1), sha256: Sha256 }),
  /** How the PNG is made of the planes. */
  png: z.literal('BT.709 limited range to 8-bit RGB full range, each chroma sample for its 2x2 pixels'),
  stage: z
    .strictObject({ place: StillPlace, micrometresPerPixel: z.number().gt(0).max(1000).nullable(), objectives: z.array(ObjectiveName).max(12) })
    .nullable(),
  /** What was drawn on that frame, as its desk has it; GeoJSON in image pixels. */
  annotations: z.unknown(),
})
export type StillSidecar = z.infer<typeof StillSidecar>
