import type { Size } from '../view/viewport.ts'

/** SOC, then SIZ, which must be the first marker segment. */
const START = [0xff, 0x4f, 0xff, 0x51] as const
/** Up to the last of the four numbers that are read. */
const LEAST_BYTES = 24

/**
 * The picture's size as a codestream's header claims it; undefined for what is no codestream.
 *
 * @see ITU-T T.800 section A.5.1
 */
export function jpeg2000Size(bytes: Uint8Array): Size | undefined {
  if (bytes.length < LEAST_BYTES || START.some((byte, at) => bytes[at] !== byte)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return { width: view.getUint32(8) - view.getUint32(16), height: view.getUint32(12) - view.getUint32(20) }
}
