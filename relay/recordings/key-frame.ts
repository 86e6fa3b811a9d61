import type { RenditionCodec } from '../wire/pyramid.ts'

/** NAL unit types. @see ITU-T H.264 table 7-1; RFC 6184 section 5.2 */
const NAL_IDR = 5
const NAL_SPS = 7
const STAP_A = 24
const FU_A = 28

function isH264KeyPayload(payload: Buffer): boolean {
  const type = (payload[0] ?? 0) & 0x1f
  if (type === NAL_IDR || type === NAL_SPS) return true
  if (type === FU_A) return ((payload[1] ?? 0) & 0x1f) === NAL_IDR
  if (type !== STAP_A) return false
  let offset = 1
  while (offset + 2 < payload.length) {
    const inner = (payload[offset + 2] ?? 0) & 0x1f
    if (inner === NAL_IDR || inner === NAL_SPS) return true
    offset += 2 + payload.readUInt16BE(offset)
  }
  return false
}

/** Bits of the first octet of a VP9 payload descriptor. @see RFC 9628 section 4.2 */
const VP9_PICTURE_ID = 0x80
const VP9_INTER_PREDICTED = 0x40
const VP9_LAYER_INDICES = 0x20
const VP9_FLEXIBLE = 0x10
const VP9_SCALABILITY = 0x02

/**
 * Whether the frame that starts in this payload is a VP9 keyframe, read from the frame itself.
 *
 * Knows the descriptor as ffmpeg writes it: one octet, no optional fields.
 *
 * @see VP9 bitstream specification section 6.2 (uncompressed_header)
 */
function isVp9KeyPayload(payload: Buffer): boolean {
  const descriptor = payload[0] ?? 0
  if ((descriptor & (VP9_PICTURE_ID | VP9_LAYER_INDICES | VP9_FLEXIBLE | VP9_SCALABILITY)) !== 0) {
    return (descriptor & VP9_INTER_PREDICTED) === 0
  }
  const header = payload[1] ?? 0
  const profile = ((header >> 5) & 1) | ((header >> 3) & 2)
  // frame_marker(2) profile(2) [reserved_zero when profile 3] show_existing_frame frame_type
  const showExistingBit = profile === 3 ? 2 : 3
  const showsExisting = ((header >> showExistingBit) & 1) === 1
  const frameType = (header >> (showExistingBit - 1)) & 1
  return !showsExisting && frameType === 0
}

/** Whether a frame, given as its RTP payloads, can be decoded without any other. */
export function isKeyFrame(codec: RenditionCodec, payloads: readonly Buffer[]): boolean {
  switch (codec) {
    case 'H264':
      // Parameter sets, supplemental information and the picture come in this order, so a look at the first few decides.
      return payloads.slice(0, 4).some(isH264KeyPayload)
    case 'VP9':
      return payloads[0] !== undefined && isVp9KeyPayload(payloads[0])
    default:
      return codec satisfies never
  }
}

/**
 * Sets the P bit (inter-picture predicted) on every payload of a VP9 frame that needs others.
 *
 * ffmpeg 5.1 leaves it clear, which makes every frame look like one that a decoder may start with, so
 * that joining in mid-stream fails.
 *
 * @returns The same payloads; those of inter frames are changed in place.
 * @see RFC 9628 section 4.2
 */
export function markInterPredicted(payloads: readonly Buffer[], isKey: boolean): readonly Buffer[] {
  if (isKey) return payloads
  for (const payload of payloads) payload.writeUInt8(payload.readUInt8(0) | VP9_INTER_PREDICTED, 0)
  return payloads
}
