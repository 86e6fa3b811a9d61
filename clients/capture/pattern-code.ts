/** What the code strip of one tile of the test card says. */
export interface TileCode {
  readonly column: number
  readonly row: number
  /** Modulo 65,536. */
  readonly frameNumber: number
}

/** Bits of one strip: sync 8, column 4, row 4, frame number 16, CRC 8. */
export const CODE_BITS = 40

/** Alternates enough to find no equal in a flat area, and is no rotation of itself. */
const SYNC = 0b10100110

/** CRC-8 with polynomial x^8+x^2+x+1, initial value 0. @see ITU-T I.432.1 section 7.3.2.2 */
function crc8(octets: readonly number[]): number {
  let crc = 0
  for (const octet of octets) {
    crc ^= octet
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? (crc << 1) & 0xff : ((crc << 1) ^ 0x07) & 0xff
  }
  return crc
}

/** The bits of a strip, first bit first. */
export function encodeTileCode(code: TileCode): readonly boolean[] {
  const content = [(code.column << 4) | code.row, (code.frameNumber >> 8) & 0xff, code.frameNumber & 0xff]
  return [SYNC, ...content, crc8(content)].flatMap(octet =>
    Array.from({ length: 8 }, (_, bit) => ((octet >> (7 - bit)) & 1) === 1),
  )
}

/** Reads a strip back; undefined when it is none, or damaged. */
export function decodeTileCode(bits: readonly boolean[]): TileCode | undefined {
  if (bits.length !== CODE_BITS) return undefined
  const octets = Array.from({ length: CODE_BITS / 8 }, (_, index) =>
    bits.slice(index * 8, index * 8 + 8).reduce((value, bit) => (value << 1) | (bit ? 1 : 0), 0),
  )
  const [sync, position = 0, high = 0, low = 0, crc] = octets
  if (sync !== SYNC || crc !== crc8([position, high, low])) return undefined
  return { column: position >> 4, row: position & 0x0f, frameNumber: (high << 8) | low }
}
