/**
 * An sRGB profile of the input device class, as DICOM wants it where a slide has none of its own: matrix and tone curve.
 *
 * @see ICC.1:2010 sections 7, 8.3 and 10.16; IEC 61966-2-1; PS3.3 section C.11.15
 */
export function srgbProfile(): Buffer {
  const s15 = (value: number): Buffer => uint32(Math.round(value * 65536))
  const xyz = (x: number, y: number, z: number): Buffer => Buffer.concat([type('XYZ '), s15(x), s15(y), s15(z)])
  const curve = Buffer.concat([type('para'), Buffer.of(0, 3, 0, 0), ...[2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045].map(s15)])
  // Adapted to D50, as every profile's colours are.
  const tags: readonly (readonly [string, Buffer])[] = [
    ['desc', localised('sRGB')],
    ['cprt', localised('No copyright, use freely')],
    ['wtpt', xyz(0.9642, 1, 0.8249)],
    ['rXYZ', xyz(0.436066, 0.222488, 0.013916)],
    ['gXYZ', xyz(0.385147, 0.716873, 0.097076)],
    ['bXYZ', xyz(0.143066, 0.060608, 0.714096)],
    ['rTRC', curve],
    ['gTRC', curve],
    ['bTRC', curve],
    ['chad', Buffer.concat([type('sf32'), ...[1.047882, 0.022919, -0.050201, 0.029587, 0.990479, -0.017059, -0.009232, 0.015076, 0.751678].map(s15)])],
  ]
  const table = Buffer.alloc(4 + 12 * tags.length)
  table.writeUInt32BE(tags.length, 0)
  let at = 128 + table.length
  for (const [index, [signature, body]] of tags.entries()) {
    table.write(signature, 4 + 12 * index, 'latin1')
    table.writeUInt32BE(at, 8 + 12 * index)
    table.writeUInt32BE(body.length, 12 + 12 * index)
    at += body.length
  }
  return Buffer.concat([profileHeader(at), table, ...tags.map(([, body]) => body)])
}

/** @see ICC.1:2010 section 7.2 */
function profileHeader(size: number): Buffer {
  const header = Buffer.alloc(128)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(0x0420_0000, 8)
  header.write('scnrRGB XYZ ', 12, 'latin1')
  for (const [index, field] of [2020, 1, 1, 0, 0, 0].entries()) header.writeUInt16BE(field, 24 + 2 * index)
  header.write('acsp', 36, 'latin1')
  for (const [index, value] of [0.9642, 1, 0.8249].entries()) header.writeInt32BE(Math.round(value * 65536), 68 + 4 * index)
  return header
}

const type = (signature: string): Buffer => Buffer.concat([Buffer.from(signature, 'latin1'), Buffer.alloc(4)])

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Text in one language; padded to whole words. */
function localised(text: string): Buffer {
  const utf16 = Buffer.from(text, 'utf16le').swap16()
  const body = Buffer.concat([type('mluc'), uint32(1), uint32(12), Buffer.from('enUS', 'latin1'), uint32(utf16.length), uint32(28), utf16])
  return Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)])
}
