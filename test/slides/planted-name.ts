/** A name that is planted, as one encoding writes it. */
export interface PlantedName {
  readonly encoding: string
  readonly bytes: Buffer
}

const ASCII = 'YAMADA^TARO'
const JAPANESE = '山田太郎'

const bigEndian = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()

/** One name in every encoding that slides are written in. */
export const PLANTED_NAMES: readonly PlantedName[] = [
  { encoding: 'ASCII', bytes: Buffer.from(ASCII) },
  { encoding: 'UTF-8', bytes: Buffer.from(JAPANESE) },
  { encoding: 'UTF-16, little endian', bytes: Buffer.from(JAPANESE, 'utf16le') },
  { encoding: 'UTF-16, big endian', bytes: bigEndian(JAPANESE) },
  { encoding: 'UTF-16 of ASCII', bytes: Buffer.from(ASCII, 'utf16le') },
  { encoding: 'Shift_JIS', bytes: Buffer.from('8e529363 91be9859'.replace(' ', ''), 'hex') },
  { encoding: 'EUC-JP', bytes: Buffer.from('bbb3c5c4c2c0cfba', 'hex') },
]

/** Characters of base64 that say nothing but these bytes, `offset` bytes into a group of three. */
function base64Within(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64url')
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
}

const escaped = (text: string): string => Array.from(text, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')

/** What is searched for: every encoding, each in itself, in hexadecimal and in base64. */
const NEEDLES: readonly { readonly says: string; readonly bytes: Buffer }[] = [
  ...PLANTED_NAMES.flatMap(({ encoding, bytes }) => [
    { says: encoding, bytes },
    { says: `${encoding} in hexadecimal`, bytes: Buffer.from(bytes.toString('hex')) },
    ...[0, 1, 2].flatMap(offset => {
      const text = base64Within(bytes, offset)
      return [text, text.replaceAll('-', '+').replaceAll('_', '/')].map(form => ({ says: `${encoding} in base64`, bytes: Buffer.from(form) }))
    }),
  ]),
  { says: 'JSON escapes', bytes: Buffer.from(escaped(JAPANESE)) },
  { says: 'a part of the name', bytes: Buffer.from('YAMADA') },
]

/** In which forms the name stands in some bytes. */
export const foundIn = (bytes: Buffer): string[] => NEEDLES.filter(needle => bytes.includes(needle.bytes)).map(({ says }) => says)
