import { BitReader } from './bit-reader.ts'
import type { RenditionCodec } from '../../relay/wire/pyramid.ts'

/** What a keyframe says of its size, in pixels. */
export interface FrameSize {
  readonly width: number
  readonly height: number
}

/** The size of the frame that an RTP payload belongs to, where it says so: in a keyframe's first packets. */
export function frameSizeIn(codec: RenditionCodec, payload: Uint8Array): FrameSize | undefined {
  const size = codec === 'H264' ? h264Size(payload) : vp9Size(payload)
  return size !== undefined && size.width > 0 && size.height > 0 ? size : undefined
}

const SPS = 7
const STAP_A = 24

/** @see RFC 6184 sections 5.6 and 5.7.1 */
function h264Size(payload: Uint8Array): FrameSize | undefined {
  const type = (payload[0] ?? 0) & 0x1f
  if (type === SPS) return spsSize(payload)
  if (type !== STAP_A) return undefined
  for (let at = 1; at + 2 < payload.length; ) {
    const length = (payload[at] ?? 0) * 256 + (payload[at + 1] ?? 0)
    const unit = payload.subarray(at + 2, at + 2 + length)
    if (((unit[0] ?? 0) & 0x1f) === SPS) return spsSize(unit)
    at += 2 + length
  }
  return undefined
}

/** Profiles whose parameter sets say what is sampled how. @see H.264 section 7.3.2.1.1 */
const HIGH_PROFILES: ReadonlySet<number> = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135])
/** More than this no level allows. */
const MAX_MACROBLOCKS = 1024

/** @see H.264 sections 7.3.2.1.1 and 7.4.2.1.1 */
function spsSize(unit: Uint8Array): FrameSize | undefined {
  const reader = new BitReader(withoutEmulationPrevention(unit.subarray(1)))
  const profile = reader.bits(8)
  reader.bits(16)
  reader.unsigned()
  const chroma = HIGH_PROFILES.has(profile) ? readSampling(reader) : 1
  reader.unsigned()
  skipPictureOrder(reader)
  reader.unsigned()
  reader.bits(1)
  const columns = reader.unsigned() + 1
  const mapUnits = reader.unsigned() + 1
  const isProgressive = reader.flag()
  if (!isProgressive) reader.bits(1)
  reader.bits(1)
  const [left, right, top, bottom] = reader.flag() ? [reader.unsigned(), reader.unsigned(), reader.unsigned(), reader.unsigned()] : [0, 0, 0, 0]
  if (reader.isExhausted || columns > MAX_MACROBLOCKS || mapUnits > MAX_MACROBLOCKS) return undefined
  const fields = isProgressive ? 1 : 2
  const unitX = chroma === 1 || chroma === 2 ? 2 : 1
  const unitY = (chroma === 1 ? 2 : 1) * fields
  return { width: columns * 16 - unitX * (left + right), height: mapUnits * fields * 16 - unitY * (top + bottom) }
}

/** @returns chroma_format_idc. */
function readSampling(reader: BitReader): number {
  const chroma = reader.unsigned()
  if (chroma === 3) reader.bits(1)
  reader.unsigned()
  reader.unsigned()
  reader.bits(1)
  if (reader.flag()) {
    for (let list = 0; list < (chroma === 3 ? 12 : 8); list++) if (reader.flag()) skipScalingList(reader, list < 6 ? 16 : 64)
  }
  return chroma
}

/** @see H.264 section 7.3.2.1.1.1 */
function skipScalingList(reader: BitReader, size: number): void {
  let last = 8
  let next = 8
  for (let index = 0; index < size && !reader.isExhausted; index++) {
    if (next !== 0) next = (last + reader.signed() + 256) % 256
    if (next !== 0) last = next
  }
}

function skipPictureOrder(reader: BitReader): void {
  const type = reader.unsigned()
  if (type === 0) reader.unsigned()
  if (type !== 1) return
  reader.bits(1)
  reader.signed()
  reader.signed()
  const count = reader.unsigned()
  for (let index = 0; index < count && !reader.isExhausted; index++) reader.signed()
}

/** @see H.264 section 7.4.1.1 */
function withoutEmulationPrevention(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte, index) => !(byte === 3 && index >= 2 && bytes[index - 1] === 0 && bytes[index - 2] === 0))
}

/** VP9's payload descriptor, then the frame's uncompressed header. @see RFC 9628 section 4.2 */
function vp9Size(payload: Uint8Array): FrameSize | undefined {
  const [flags = 0] = payload
  const has = (bit: number): boolean => (flags & bit) !== 0
  if (has(0x40) || !has(0x08)) return undefined
  let at = 1
  if (has(0x80)) at += ((payload[at] ?? 0) & 0x80) !== 0 ? 2 : 1
  if (has(0x20)) at += has(0x10) ? 1 : 2
  if (!has(0x02)) return vp9KeyFrameSize(payload.subarray(at))
  const [structure = 0] = payload.subarray(at)
  if ((structure & 0x10) === 0) return vp9KeyFrameSize(payload.subarray(structureEnd(payload, at)))
  // The layers' sizes, the largest last.
  const last = at + 1 + 4 * (structure >> 5)
  const word = (offset: number): number => (payload[offset] ?? 0) * 256 + (payload[offset + 1] ?? 0)
  return last + 4 <= payload.length ? { width: word(last), height: word(last + 2) } : undefined
}

/** Where a scalability structure without sizes ends. @see RFC 9628 section 4.2.1 */
function structureEnd(payload: Uint8Array, start: number): number {
  const hasGroup = ((payload[start] ?? 0) & 0x08) !== 0
  if (!hasGroup) return start + 1
  let at = start + 2
  for (let picture = payload[start + 1] ?? 0; picture > 0 && at < payload.length; picture--) at += 1 + (((payload[at] ?? 0) >> 2) & 3)
  return at
}

/** @see VP9 bitstream specification, sections 6.2 and 7.2 */
function vp9KeyFrameSize(frame: Uint8Array): FrameSize | undefined {
  const reader = new BitReader(frame)
  const isFrame = reader.bits(2) === 2
  const profile = reader.bits(1) + 2 * reader.bits(1)
  const showsExisting = reader.flag()
  const isKey = reader.bits(1) === 0
  reader.bits(2)
  if (!isFrame || profile !== 0 || showsExisting || !isKey || reader.bits(24) !== 0x49_83_42) return undefined
  const isRgb = reader.bits(3) === 7
  if (isRgb) return undefined
  reader.bits(1)
  const size = { width: reader.bits(16) + 1, height: reader.bits(16) + 1 }
  return reader.isExhausted ? undefined : size
}
