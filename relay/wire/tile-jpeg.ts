/**
 * Makes a JPEG that any decoder shows rightly out of a tile as it is stored: without its tables, and without a word on
 * its colour model. Runs in Node and in the browser. @see ITU-T T.81 annex B; TIFF Technical Note 2
 */
import { RelayFault } from './fault.ts'
import type { TileEncoding } from './slide.ts'

const SOI = 0xd8
const EOI = 0xd9
const SOS = 0xda
const APP0 = 0xe0
const APP14 = 0xee
/** A picture has a dozen. */
const MAX_SEGMENTS = 512

/** A marker segment before the picture's data. */
export interface JpegSegment {
  /** Second byte of the marker, such as 0xdb for DQT. */
  readonly marker: number
  /** Of the marker's first byte. */
  readonly start: number
  /** After the last byte of the segment. */
  readonly end: number
}

/** What a frame header says. @see ITU-T T.81 section B.2.2 */
export interface JpegFrame {
  /** 0xc0 is baseline, 0xc1 extended, 0xc2 progressive. */
  readonly marker: number
  /** Bits of a sample. */
  readonly precision: number
  readonly width: number
  readonly height: number
  readonly components: number
}

const refuse = (message: string): never => {
  throw new RelayFault('bad_slide', message)
}

/**
 * The marker segments between SOI and the first scan, SOS itself included, or up to EOI.
 *
 * @throws {RelayFault} `bad_slide` for what is no JPEG, or is cut off before its first scan.
 */
export function jpegSegments(jpeg: Uint8Array): JpegSegment[] {
  if (jpeg[0] !== 0xff || jpeg[1] !== SOI) refuse('not a JPEG')
  const segments: JpegSegment[] = []
  let at = 2
  while (segments.length < MAX_SEGMENTS) {
    const start = at
    // Any number of 0xff may precede a marker.
    while (jpeg[at] === 0xff && jpeg[at + 1] === 0xff) at++
    const marker = jpeg[at + 1]
    if (jpeg[at] !== 0xff || marker === undefined || marker === 0) return refuse('a JPEG without a scan')
    if (marker === EOI) return segments
    const length = ((jpeg[at + 2] ?? 0) << 8) | (jpeg[at + 3] ?? 0)
    const end = at + 2 + length
    if (length < 2 || end > jpeg.length) return refuse('a JPEG segment that is cut off')
    segments.push({ marker, start, end })
    if (marker === SOS) return segments
    at = end
  }
  return refuse('a JPEG of too many segments')
}

const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc

/** The frame header. @throws {RelayFault} `bad_slide` when there is none before the first scan, or more than one. */
export function jpegFrame(jpeg: Uint8Array): JpegFrame {
  const frames = jpegSegments(jpeg).filter(({ marker }) => isFrame(marker))
  const [frame] = frames
  if (frame === undefined || frames.length > 1) return refuse('a JPEG without its frame header')
  const view = new DataView(jpeg.buffer, jpeg.byteOffset + frame.start, frame.end - frame.start)
  const at = view.byteLength - segmentLength(view)
  if (view.byteLength < at + 8) return refuse('a JPEG frame header that is cut off')
  return { marker: frame.marker, precision: view.getUint8(at + 2), height: view.getUint16(at + 3), width: view.getUint16(at + 5), components: view.getUint8(at + 7) }
}

/** Length of a segment from its length field on: it may begin with fill bytes. */
function segmentLength(view: DataView): number {
  let at = 0
  while (view.getUint8(at + 1) === 0xff) at++
  return view.getUint16(at + 2)
}

/** Adobe's marker: DCT encoded, version 100, no flags, and the colour transform: 0 for RGB, 1 for YCbCr. @see Adobe Technical Note 5116 section 18 */
const adobeMarker = (transform: 0 | 1): Uint8Array => Uint8Array.of(0xff, APP14, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform)

/** What a tables segment has between its SOI and its EOI, without JFIF and Adobe markers. */
function tablesIn(tables: Uint8Array): Uint8Array[] {
  if (tables.length === 0) return []
  const segments = jpegSegments(tables)
  if (segments.some(({ marker }) => marker === SOS || isFrame(marker))) refuse('JPEG tables with a picture in them')
  return segments.filter(saysNoColour).map(({ start, end }) => tables.subarray(start, end))
}

/** JFIF means YCbCr to every decoder, and a wrong Adobe marker contradicts the container, whose word counts. */
const saysNoColour = ({ marker }: JpegSegment): boolean => marker !== APP0 && marker !== APP14

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), character => character.charCodeAt(0))

/**
 * A function that makes whole JPEGs of the tiles of one level: it puts in the shared tables and an Adobe marker that
 * says the colour model, and takes out markers that say another.
 *
 * @throws {RelayFault} `bad_slide` when the tables are no tables; from the function when a tile is no JPEG;
 *   `unsupported_slide` for a level that is not JPEG.
 */
export function jpegCompleter(encoding: TileEncoding): (tile: Uint8Array) => Uint8Array<ArrayBuffer> {
  if (encoding.compression !== 'jpeg') throw new RelayFault('unsupported_slide', 'not a level of JPEG tiles')
  const tables = tablesIn(fromBase64(encoding.tables))
  const colour = encoding.photometric === 'grey' ? [] : [adobeMarker(encoding.photometric === 'rgb' ? 0 : 1)]
  return tile => {
    const segments = jpegSegments(tile)
    const scan = segments.at(-1)
    if (scan?.marker !== SOS) return refuse('a JPEG without a scan')
    const kept = segments.slice(0, -1).filter(saysNoColour).map(({ start, end }) => tile.subarray(start, end))
    return joined([Uint8Array.of(0xff, SOI), ...colour, ...tables, ...kept, tile.subarray(scan.start)])
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
