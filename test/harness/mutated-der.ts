/** A copy of some DER with a few bytes, lengths or stretches of it changed. @param next - From 0 to 1. */
export function mutatedDer(der: Uint8Array, next: () => number): Uint8Array {
  const at = (length: number): number => Math.floor(next() * length)
  let bytes = Buffer.from(der)
  for (let changes = 1 + at(4); changes > 0; changes--) {
    const place = at(bytes.length)
    const kind = next()
    if (kind < 0.4) bytes[place] = at(256)
    else if (kind < 0.6) bytes[place] = bytes.readUInt8(place) ^ (1 << at(8))
    else if (kind < 0.7) bytes = bytes.subarray(0, Math.max(1, place))
    else if (kind < 0.8) bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(Math.min(bytes.length - 1, place + 1 + at(8)))])
    else if (kind < 0.9) bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from(Array.from({ length: 1 + at(16) }, () => at(256))), bytes.subarray(place)])
    else bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place, place + at(64)), bytes.subarray(place)])
  }
  return bytes
}
