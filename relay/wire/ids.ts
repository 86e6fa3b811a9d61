import { z } from 'zod'

/** Letters, digits, `-`, `_` and `.`: safe in a path, a log line and a file name. */
export const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"')

/** One live case: a microscope, the people who watch it. */
export const ConsultationId = name.brand('ConsultationId')
export type ConsultationId = z.infer<typeof ConsultationId>

/** A person or an agent, as named in the invitation. */
export const MemberId = name.brand('MemberId')
export type MemberId = z.infer<typeof MemberId>

/** One member's stay in one consultation, from join to close. */
export const SessionId = z.uuid().brand('SessionId')
export type SessionId = z.infer<typeof SessionId>

/** One stretch of publishing by a microscope; a new one begins when the agent comes back. */
export const PublicationId = z.uuid().brand('PublicationId')
export type PublicationId = z.infer<typeof PublicationId>

/** One whole slide, as it left its scanner: named at random, never for its case. */
export const SlideId = z.uuid().brand('SlideId')
export type SlideId = z.infer<typeof SlideId>

/** One frame of the live image that somebody kept. */
export const StillId = z.uuid().brand('StillId')
export type StillId = z.infer<typeof StillId>

/** What flowed in a consultation while somebody had it recorded. */
export const RecordingId = z.uuid().brand('RecordingId')
export type RecordingId = z.infer<typeof RecordingId>

/** SHA-256 in lower-case hexadecimal: the name of a chunk. @see FIPS 180-4 */
export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'expected SHA-256 in lower-case hexadecimal')
  .brand('Sha256')
export type Sha256 = z.infer<typeof Sha256>

/** mediasoup's own ids. */
export const ProducerId = z.string().min(1).max(64).brand('ProducerId')
export type ProducerId = z.infer<typeof ProducerId>
export const ConsumerId = z.string().min(1).max(64).brand('ConsumerId')
export type ConsumerId = z.infer<typeof ConsumerId>
export const TransportId = z.string().min(1).max(64).brand('TransportId')
export type TransportId = z.infer<typeof TransportId>

/** The largest grid of tiles, in each direction. It keeps {@link RenditionId} a set that can be written down. */
export const MAX_GRID = 8

/**
 * One encoded version of the live image: `overview`, `whole`, `tile-<column>-<row>` at full resolution,
 * or `middle-<column>-<row>` at half of it; each grid is counted from the top left corner.
 */
export const RenditionId = z
  .string()
  .regex(/^(overview|whole|(tile|middle)-[0-7]-[0-7])$/, 'expected "overview", "whole", "tile-<column>-<row>" or "middle-<column>-<row>"')
  .brand('RenditionId')
export type RenditionId = z.infer<typeof RenditionId>

export const OVERVIEW = 'overview' as RenditionId
export const WHOLE = 'whole' as RenditionId

/** The id of the tile in the given column and row, both counted from 0. */
export const tileId = (column: number, row: number): RenditionId => RenditionId.parse(`tile-${column}-${row}`)

/** The id of the middle tile in the given column and row of the middle grid, both counted from 0. */
export const middleId = (column: number, row: number): RenditionId => RenditionId.parse(`middle-${column}-${row}`)

/** More renditions than this no publication has: both grids, the overview and `whole`. */
export const MAX_RENDITIONS = 2 * MAX_GRID * MAX_GRID + 2
