import { RelayFault } from '../../wire/fault.ts'
import { ByteCutter } from './byte-cutter.ts'
import type { Cleaned } from './byte-cutter.ts'

/** Second bytes of markers. @see ITU-T T.81 table B.1 */
const MARKER = { sof0: 0xc0, dht: 0xc4, jpg: 0xc8, dac: 0xcc, sof15: 0xcf, rst0: 0xd0, rst7: 0xd7, soi: 0xd8, eoi: 0xd9, sos: 0xda, dqt: 0xdb, dnl: 0xdc, dri: 0xdd, app0: 0xe0, app14: 0xee, app15: 0xef, com: 0xfe } as const
/** More than any encoder writes: a progressive image has some sixty. */
const MAX_SEGMENTS = 1000
const JFIF_BYTES = 16
const ADOBE_BYTES = 14

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `JPEG of a tile: ${message}`)

/**
 * Cuts out of a JPEG what is not needed to decode it: comments, all APPn segments but JFIF (its thumbnail goes) and
 * Adobe, unknown segments, and what stands after its end. Segments that stay must be as long as what they hold, so that
 * nothing hides behind it. Entropy-coded data is left as it is.
 *
 * @param kind - `tables` for a stream of shared tables without image. @see TIFF Technical Note 2
 * @throws {RelayFault} `bad_slide` for what is no JPEG, is cut off within a segment, or has more than 1000 segments.
 * @see ITU-T T.81 annex B
 */
export function cleanJpeg(jpeg: Buffer, kind: 'image' | 'tables'): Cleaned {
  if (jpeg.length < 4 || jpeg[0] !== 0xff || jpeg[1] !== MARKER.soi) throw bad('does not begin as one')
  const cutter = new ByteCutter(jpeg)
  let at = 2
  let hasScan = false
  for (let segments = 0; segments < MAX_SEGMENTS; segments++) {
    if (at >= jpeg.length && hasScan) return cutter.finish()
    const marker = markerAt(jpeg, at)
    if (marker.code === MARKER.eoi) {
      if (kind === 'image' && !hasScan) throw bad('has no image')
      cutEnd(cutter, jpeg, marker.end)
      return cutter.finish()
    }
    const end = segmentEnd(jpeg, marker.end)
    const body = jpeg.subarray(marker.end, end)
    const verdict = judge(marker.code, body, kind)
    if (verdict !== undefined) cutter.replace(verdict.instead === undefined ? at : marker.end, end, verdict.instead, verdict.place)
    if (marker.code === MARKER.sos) hasScan = true
    at = marker.code === MARKER.sos ? scanEnd(jpeg, end) : end
  }
  throw bad('too many segments')
}

/** The marker at `at`, after any fill bytes. @returns Its second byte and where what follows begins. */
function markerAt(jpeg: Buffer, at: number): { readonly code: number; readonly end: number } {
  let end = at
  while (jpeg[end] === 0xff) end++
  const code = jpeg[end]
  if (end === at || code === undefined || code === 0) throw bad('a segment does not begin with a marker')
  return { code, end: end + 1 }
}

function segmentEnd(jpeg: Buffer, at: number): number {
  if (at + 2 > jpeg.length) throw bad('cut off')
  const length = jpeg.readUInt16BE(at)
  if (length < 2 || at + length > jpeg.length) throw bad('a segment is longer than the tile')
  return at + length
}

/** End of entropy-coded data: the next marker that is no restart, or the end of the tile. */
function scanEnd(jpeg: Buffer, from: number): number {
  for (let at = from; ;) {
    at = jpeg.indexOf(0xff, at)
    const code = at < 0 ? undefined : jpeg[at + 1]
    if (code === undefined) return jpeg.length
    if (code === 0 || (code >= MARKER.rst0 && code <= MARKER.rst7)) at += 2
    else if (code === 0xff) at++
    else return at
  }
}

/** DICOM fills up to an even length, and writers of TIFF to four: zeros are cut without a word. */
function cutEnd(cutter: ByteCutter, jpeg: Buffer, end: number): void {
  if (end < jpeg.length) cutter.cut(end, jpeg.length, jpeg.subarray(end).every(byte => byte === 0) ? undefined : 'after the end of a tile')
}

interface Verdict {
  readonly place: string
  readonly instead?: Buffer
}

/** What becomes of a segment: `undefined` when it stays. @param body - With its two bytes of length. */
function judge(code: number, body: Buffer, kind: 'image' | 'tables'): Verdict | undefined {
  switch (code) {
    case MARKER.com:
      return { place: 'JPEG comment' }
    case MARKER.app0:
      if (body.toString('latin1', 2, 7) !== 'JFIF\0' || body.length < JFIF_BYTES) return { place: 'JPEG APP0' }
      return body.length === JFIF_BYTES ? undefined : { place: 'JPEG thumbnail', instead: shortened(body, JFIF_BYTES, [14, 15]) }
    case MARKER.app14:
      if (body.toString('latin1', 2, 7) !== 'Adobe' || body.length < ADOBE_BYTES) return { place: 'JPEG APP14' }
      return body.length === ADOBE_BYTES ? undefined : { place: 'JPEG APP14', instead: shortened(body, ADOBE_BYTES, []) }
    case MARKER.sos:
      if (kind === 'tables') throw bad('tables have an image')
      return stays(body, 6 + 2 * (body[2] ?? 0))
    case MARKER.dqt:
    case MARKER.dht:
      return stays(body, tablesLength(body, code))
    case MARKER.dri:
    case MARKER.dnl:
      return stays(body, 4)
    case MARKER.dac:
      return stays(body, 2 + 2 * ((body.length - 2) >> 1))
    default:
      return judgeOther(code, body, kind)
  }
}

function judgeOther(code: number, body: Buffer, kind: 'image' | 'tables'): Verdict | undefined {
  if (code > MARKER.app0 && code <= MARKER.app15) return { place: `JPEG APP${String(code - MARKER.app0)}` }
  if (code < MARKER.sof0 || code === MARKER.jpg || code > MARKER.app15) return { place: 'unknown JPEG segment' }
  if (code > MARKER.sof15) throw bad('a marker that a tile cannot have')
  if (kind === 'tables') throw bad('tables have an image')
  return stays(body, 8 + 3 * (body[7] ?? 0))
}

function stays(body: Buffer, length: number): Verdict | undefined {
  if (body.length !== length) throw bad('a segment is longer or shorter than what it holds')
  return undefined
}

/** Length that the tables of a segment add up to. @see ITU-T T.81 sections B.2.4.1 and B.2.4.2 */
function tablesLength(body: Buffer, code: typeof MARKER.dqt | typeof MARKER.dht): number {
  let at = 2
  while (at < body.length) {
    if (code === MARKER.dqt) at += 1 + ((body[at] ?? 0) >> 4 === 0 ? 64 : 128)
    else {
      let codes = 0
      for (let length = 1; length <= 16; length++) codes += body[at + length] ?? 0
      at += 17 + codes
    }
  }
  return at
}

/** The first bytes of a segment with its length set to that, and some bytes zero. */
function shortened(body: Buffer, length: number, zeros: readonly number[]): Buffer {
  const short = Buffer.from(body.subarray(0, length))
  short.writeUInt16BE(length, 0)
  for (const at of zeros) short[at] = 0
  return short
}
