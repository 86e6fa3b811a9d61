import { RelayFault } from '../../wire/fault.ts'
import { ByteCutter } from './byte-cutter.ts'
import type { Cleaned } from './byte-cutter.ts'

/** @see ITU-T T.800 table A.2 */
const MARKER = { soc: 0xff4f, siz: 0xff51, tlm: 0xff55, com: 0xff64, sot: 0xff90, sod: 0xff93, eoc: 0xffd9 } as const
/** What a decoder may need: CAP, SIZ, COD, COC, TLM, PRF, PLM, PLT, CPF, QCD, QCC, RGN, POC, PPM, PPT, CRG. */
const NEEDED: ReadonlySet<number> = new Set([0xff50, 0xff51, 0xff52, 0xff53, 0xff55, 0xff56, 0xff57, 0xff58, 0xff59, 0xff5c, 0xff5d, 0xff5e, 0xff5f, 0xff60, 0xff61, 0xff63])
const MAX_SEGMENTS = 10_000
const SOT_BYTES = 12
const JP2_SIGNATURE = Buffer.from('0000000c6a5020200d0a870a', 'hex')
const MAX_BOXES = 1000

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `JPEG 2000 of a tile: ${message}`)

/**
 * Cuts out of a JPEG 2000 tile what is not needed to decode it: of a JP2 file all boxes but the codestream, of the
 * codestream comments, unknown segments and what stands after its end. Packets are left as they are.
 *
 * @throws {RelayFault} `bad_slide` for what is none, is cut off, or has more than 10,000 segments.
 * @see ITU-T T.800 annexes A and I
 */
export function cleanJpeg2000(tile: Buffer): Cleaned {
  if (!tile.subarray(0, JP2_SIGNATURE.length).equals(JP2_SIGNATURE)) return cleanCodestream(tile)
  const { bytes, cut } = cleanCodestream(codestreamOf(tile))
  return { bytes, cut: new Map([...cut, ['JP2 boxes', 1]]) }
}

/** Contents of the first `jp2c` box. @see ITU-T T.800 section I.4 */
function codestreamOf(file: Buffer): Buffer {
  let at = 0
  for (let boxes = 0; boxes < MAX_BOXES && at + 8 <= file.length; boxes++) {
    const short = file.readUInt32BE(at)
    const header = short === 1 ? 16 : 8
    if (at + header > file.length) break
    const length = short === 0 ? file.length - at : short === 1 ? Number(file.readBigUInt64BE(at + 8)) : short
    if (length < header || at + length > file.length) break
    if (file.toString('latin1', at + 4, at + 8) === 'jp2c') return file.subarray(at + header, at + length)
    at += length
  }
  throw bad('no codestream in its boxes')
}

function cleanCodestream(stream: Buffer): Cleaned {
  if (stream.length < 4 || stream.readUInt16BE(0) !== MARKER.soc || stream.readUInt16BE(2) !== MARKER.siz) throw bad('does not begin as one')
  const header = new HeaderWalk(stream)
  let at = header.walk(2, MARKER.sot)
  while (at + 2 <= stream.length && stream.readUInt16BE(at) === MARKER.sot) at = cleanTilePart(stream, at, header)
  if (at < stream.length) {
    if (at + 2 > stream.length || stream.readUInt16BE(at) !== MARKER.eoc) throw bad('tile-parts do not follow one another')
    if (at + 2 < stream.length) header.cutter.cut(at + 2, stream.length, stream.subarray(at + 2).every(byte => byte === 0) ? undefined : 'after the end of a tile')
  }
  return header.finish()
}

/** @returns Where the next one begins. @see ITU-T T.800 section A.4.2 */
function cleanTilePart(stream: Buffer, at: number, header: HeaderWalk): number {
  if (at + SOT_BYTES > stream.length || stream.readUInt16BE(at + 2) !== SOT_BYTES - 2) throw bad('a tile-part is cut off')
  const length = stream.readUInt32BE(at + 6)
  if (length !== 0 && (length < SOT_BYTES + 2 || at + length > stream.length)) throw bad('a tile-part is longer than the tile')
  const before = header.bytesCut
  const data = header.walk(at + SOT_BYTES, MARKER.sod)
  if (length !== 0 && data + 2 > at + length) throw bad('a header is longer than its tile-part')
  const cut = header.bytesCut - before
  if (length === 0) return endOfLast(stream, data)
  if (cut > 0) header.shorten(at + 6, length - cut)
  return at + length
}

/** A last tile-part of unsaid length ends at EOC, whose bytes no packet can have. @see ITU-T T.800 section B.10.1 */
function endOfLast(stream: Buffer, from: number): number {
  const end = stream.indexOf(Buffer.of(MARKER.eoc >> 8, MARKER.eoc & 0xff), from)
  return end < 0 ? stream.length : end
}

/** Goes through the segments of headers and cuts those that are not needed. */
class HeaderWalk {
  readonly cutter: ByteCutter
  bytesCut = 0
  readonly #stream: Buffer
  readonly #tlm: { readonly from: number; readonly to: number }[] = []
  #segments = 0
  #isShortened = false

  constructor(stream: Buffer) {
    this.#stream = stream
    this.cutter = new ByteCutter(stream)
  }

  /** @returns Where the marker `until` stands. */
  walk(from: number, until: number): number {
    for (let at = from; ;) {
      if (++this.#segments > MAX_SEGMENTS) throw bad('too many segments')
      if (at + 4 > this.#stream.length) throw bad('cut off')
      const marker = this.#stream.readUInt16BE(at)
      if (marker === until) return at
      // Markers from FF30 to FF3F, and from FF90, have no segment.
      if (marker < 0xff40 || marker >= MARKER.sot) throw bad('a marker that a header cannot have')
      const end = at + 2 + this.#stream.readUInt16BE(at + 2)
      if (end < at + 4 || end > this.#stream.length) throw bad('a segment is longer than the tile')
      if (marker === MARKER.tlm) this.#tlm.push({ from: at, to: end })
      if (!NEEDED.has(marker)) {
        this.cutter.cut(at, end, marker === MARKER.com ? 'JPEG 2000 comment' : 'unknown JPEG 2000 segment')
        this.bytesCut += end - at
      }
      at = end
    }
  }

  /** Sets the length of a tile-part. */
  shorten(at: number, length: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(length)
    this.cutter.replace(at, at + 4, bytes)
    this.#isShortened = true
  }

  finish(): Cleaned {
    // They repeat the lengths of tile-parts, and a stream need not have them.
    if (this.#isShortened) for (const { from, to } of this.#tlm) this.cutter.cut(from, to)
    return this.cutter.finish()
  }
}
