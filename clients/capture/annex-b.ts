import { RelayFault } from '../../relay/wire/fault.ts'

/** @see ITU-T H.264 annex B.1 */
const START_CODE = Buffer.from([0, 0, 0, 1])
/** Types above those of H.264 itself. @see RFC 6184 section 5.2 */
const STAP_A = 24
const FU_A = 28

const damaged = (what: string): RelayFault => new RelayFault('bad_recording', `an H.264 payload cannot be unpacked: ${what}`)

/**
 * Unpacks the RTP payloads of one H.264 frame into an elementary stream, as decoders read it from files.
 *
 * @param payloads - All of one frame, in order.
 * @throws {RelayFault} `bad_recording` when they do not fit together.
 * @see RFC 6184 sections 5.6 (single NAL unit), 5.7.1 (STAP-A), 5.8 (FU-A)
 */
export function unpackH264(payloads: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  let isInFragment = false
  for (const payload of payloads) {
    const [first, second] = payload
    if (first === undefined) throw damaged('it is empty')
    const type = first & 0x1f
    if (type === FU_A) {
      if (second === undefined) throw damaged('a fragment without its header')
      const isStart = (second & 0x80) !== 0
      if (isStart === isInFragment) throw damaged('a fragment out of place')
      if (isStart) parts.push(START_CODE, Buffer.from([(first & 0xe0) | (second & 0x1f)]))
      parts.push(payload.subarray(2))
      isInFragment = (second & 0x40) === 0
      continue
    }
    if (isInFragment) throw damaged('a fragment without its end')
    if (type === STAP_A) parts.push(...unpackAggregate(payload))
    else if (type >= 1 && type < STAP_A) parts.push(START_CODE, payload)
    else throw damaged(`packets of type ${type} are not expected`)
  }
  if (isInFragment) throw damaged('a fragment without its end')
  return Buffer.concat(parts)
}

function unpackAggregate(payload: Buffer): Buffer[] {
  const parts: Buffer[] = []
  let at = 1
  while (at < payload.length) {
    if (at + 2 > payload.length) throw damaged('an aggregate is cut short')
    const length = payload.readUInt16BE(at)
    if (length === 0 || at + 2 + length > payload.length) throw damaged('an aggregate is cut short')
    parts.push(START_CODE, payload.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return parts
}
