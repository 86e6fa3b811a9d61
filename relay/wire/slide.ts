/**
 * What is said of a whole slide, between scanner, node and viewer. `docs/SLIDES.md` is the normative text.
 *
 * A slide is its *structure* (known when the file was opened), for every level its *level index* (which chunks, how
 * long every tile) under a signed *level head*, and, when all of it was read, one signed *slide head*.
 */
import { z } from 'zod'
import { Sha256, SlideId } from './ids.ts'

/** Bounds of what any peer may claim. */
export const SLIDE_LIMITS = {
  levels: 32,
  /** Pixels along one side. */
  side: 2 ** 24,
  /** Tiles of one level. */
  tiles: 2 ** 23,
  tileSide: 4096,
  tileBytes: 16 * 1024 * 1024,
  /** Shared JPEG tables, base64 characters. */
  tables: 8192,
  removals: 4096,
} as const

/** A chunk is a run of whole tiles; it ends with the first tile that brings it to `least`, or before the one that would bring it over `most`. A tile longer than that is a chunk of its own. In bytes. */
export const CHUNK_BYTES = { least: 256 * 1024, most: 1024 * 1024 } as const

/** A square of tiles that goes ahead of its level is not longer: its message with head and lengths. In bytes. */
export const SQUARE_BYTES = 4 * 1024 * 1024

/** Tiles of a level are ordered by squares of so many tiles a side, rows of squares from the top; in a square row by row. A viewport then needs few chunks. */
export const TILE_SQUARE = 8

/** How the pixels of a tile are stored. */
export const TileEncoding = z.strictObject({
  compression: z.enum(['jpeg', 'jpeg2000']),
  /** Of a JPEG: its colour model as the container says it. `rgb` needs an Adobe marker (APP14, transform 0) to be shown. */
  photometric: z.enum(['ycbcr', 'rgb', 'grey']),
  /** A JPEG tables segment that all tiles of the level share (SOI, tables, EOI), base64; empty when tiles are whole. @see TIFF Technical Note 2 */
  tables: z.base64().max(SLIDE_LIMITS.tables),
})
export type TileEncoding = z.infer<typeof TileEncoding>

const side = z.int().min(1).max(SLIDE_LIMITS.side)
const tileSide = z.int().min(1).max(SLIDE_LIMITS.tileSide)

/** One resolution of a slide. Level 0 is the finest. */
export const SlideLevel = z.strictObject({
  width: side,
  height: side,
  tileWidth: tileSide,
  tileHeight: tileSide,
  encoding: TileEncoding,
  /** Whether it was made on the scanner's side, because the file had none. */
  isMade: z.boolean(),
})
export type SlideLevel = z.infer<typeof SlideLevel>

/** Where the file came from. */
export const SLIDE_FORMATS = ['aperio', 'tiff', 'ome-tiff', 'dicom', 'foreign'] as const
export type SlideFormat = (typeof SLIDE_FORMATS)[number]

/** What was taken out before anything left, by the place where it stood; its value is never told. */
export const Removal = z.strictObject({
  /** Such as `label image`, `ImageDescription: Filename`, `(0010,0010) PatientName`. Only names that a format defines; an unknown one is `unknown tag 65000`. */
  place: z.string().min(1).max(96),
  action: z.enum(['removed', 'replaced']),
  count: z.int().min(1),
})
export type Removal = z.infer<typeof Removal>

/** A scanner's model as a policy may let it through. */
export const KeptModel = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,47}$/)

/** What is known of a slide before its tiles were read. Names nobody. */
export const SlideStructure = z.strictObject({
  version: z.literal(1),
  slideId: SlideId,
  format: z.enum(SLIDE_FORMATS),
  /** Stands for the case number; letters and digits made at random or by a key that stays at the facility. */
  pseudonym: z.string().regex(/^[A-Z0-9-]{4,32}$/),
  /** At level 0, in micrometres; null where the file does not say. */
  micronsPerPixel: z.strictObject({ x: z.number().positive().max(1000), y: z.number().positive().max(1000) }).nullable(),
  /** Magnification of the objective; null where the file does not say. */
  objectivePower: z.number().positive().max(1000).nullable(),
  levels: z.array(SlideLevel).min(1).max(SLIDE_LIMITS.levels),
  removed: z.array(Removal).max(SLIDE_LIMITS.removals),
  /** What a policy of the facility let through; see `docs/DEIDENTIFICATION.md`. */
  kept: z.strictObject({ scanDate: z.iso.date().optional(), scannerModel: KeptModel.optional() }).optional(),
})
export type SlideStructure = z.infer<typeof SlideStructure>

/** Says that these and no others are the tiles of a level. Signed as a JWS (RFC 7515) with EdDSA (RFC 8037), `typ` `kenkyo-level-head`. */
export const LevelHead = z.strictObject({
  slideId: SlideId,
  level: z.int().min(0).max(SLIDE_LIMITS.levels - 1),
  tiles: z.int().min(1).max(SLIDE_LIMITS.tiles),
  /** Merkle root over the tiles. */
  root: Sha256,
  /** Of the level index as it is sent. */
  index: Sha256,
  /** Of the structure as it is sent. */
  structure: Sha256,
})
export type LevelHead = z.infer<typeof LevelHead>

/** Says that a slide has these levels and is whole. `typ` `kenkyo-slide-head`. */
export const SlideHead = z.strictObject({
  slideId: SlideId,
  structure: Sha256,
  /** Merkle roots, level 0 first. */
  roots: z.array(Sha256).min(1).max(SLIDE_LIMITS.levels),
})
export type SlideHead = z.infer<typeof SlideHead>

/** Says that these are the tiles of one square of a level, before the whole level was read. `typ` `kenkyo-square-head`. */
export const SquareHead = z.strictObject({
  slideId: SlideId,
  level: z.int().min(0).max(SLIDE_LIMITS.levels - 1),
  /** Squares are counted in the order of the level. */
  square: z.int().min(0).max(SLIDE_LIMITS.tiles - 1),
  /** Merkle root over its tiles. */
  root: Sha256,
  /** Of the structure as it is sent. */
  structure: Sha256,
})
export type SquareHead = z.infer<typeof SquareHead>

/** JWS `typ` of the heads. */
export const HEAD_TYPES = { level: 'kenkyo-level-head', slide: 'kenkyo-slide-head', square: 'kenkyo-square-head' } as const

/** Ed25519 public key of a scanner, as JWK. @see RFC 8037 section 2 */
export const ScannerKey = z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })
export type ScannerKey = z.infer<typeof ScannerKey>

/** One step from a tile up to the root of its level: the other node, and on which side it stands. */
export interface ProofStep {
  readonly side: 'left' | 'right'
  /** 32 bytes. */
  readonly hash: Uint8Array
}

/** How far a slide is. */
export const SlideState = z.enum(['arriving', 'complete', 'failed'])
export type SlideState = z.infer<typeof SlideState>

/** What a viewer is told of a slide of its consultation. */
export const SlideSummary = z.strictObject({
  slideId: SlideId,
  pseudonym: z.string(),
  state: SlideState,
  levels: z.int().min(1),
  /** Chunks that are here, and that there are as far as is known. */
  chunksHere: z.int().min(0),
  chunks: z.int().min(0),
  bytesHere: z.int().min(0),
})
export type SlideSummary = z.infer<typeof SlideSummary>

/** What a viewer looks at, in pixels of a level: its tiles are asked of the scanner first. */
export const SlideViewport = z.strictObject({
  level: z.int().min(0).max(SLIDE_LIMITS.levels - 1),
  x: z.number(),
  y: z.number(),
  width: z.number().positive(),
  height: z.number().positive(),
})
export type SlideViewport = z.infer<typeof SlideViewport>

/** Tiles in a row and in a column of a level. */
export const columnsOf = ({ width, tileWidth }: SlideLevel): number => Math.ceil(width / tileWidth)
export const rowsOf = ({ height, tileHeight }: SlideLevel): number => Math.ceil(height / tileHeight)
/** Squares in a row of them, and in a level. */
export const squaresAcross = (level: SlideLevel): number => Math.ceil(columnsOf(level) / TILE_SQUARE)
export const squaresOf = (level: SlideLevel): number => squaresAcross(level) * Math.ceil(rowsOf(level) / TILE_SQUARE)
/** Tiles of a level. */
export const tilesOf = (level: SlideLevel): number => columnsOf(level) * rowsOf(level)
