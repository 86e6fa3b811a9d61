import fc from 'fast-check'
import sharp from 'sharp'
import { t } from 'tap'
import { RelayFault } from '../../wire/fault.ts'
import { cleanTables, cleanTile } from './clean-tile.ts'
import type { JpegOptions } from 'sharp'

const NAME = 'YAMADA^TARO'

const segment = (code: number, body: Buffer): Buffer => Buffer.concat([Buffer.of(0xff, code, (body.length + 2) >> 8, (body.length + 2) & 0xff), body])
const named = (code: number): Buffer => segment(code, Buffer.from(NAME))

const pixels = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * 7919) % 251))
const image = (options: JpegOptions): Promise<Buffer> => sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } }).jpeg(options).toBuffer()
const jfif = segment(0xe0, Buffer.from('4a46494600010101004800480000', 'hex'))
const adobe = segment(0xee, Buffer.from('41646f626500640000000000', 'hex'))

/** Without the segments that sharp writes for applications. */
async function bareImage(options: JpegOptions = {}): Promise<Buffer> {
  const { bytes } = cleanTile(await image(options), 'jpeg')
  return bytes.readUInt16BE(2) === 0xffe0 ? Buffer.concat([bytes.subarray(0, 2), bytes.subarray(4 + bytes.readUInt16BE(4))]) : bytes
}

const inserted = (jpeg: Buffer, at: number, ...parts: Buffer[]): Buffer => Buffer.concat([jpeg.subarray(0, at), ...parts, jpeg.subarray(at)])

t.test('hands on a tile without anything to cut as the same object', async t => {
  for (const options of [{}, { progressive: true }, { chromaSubsampling: '4:4:4' }]) {
    const clean = inserted(await bareImage(options), 2, jfif, adobe)
    const { bytes, cut } = cleanTile(clean, 'jpeg')
    t.equal(bytes, clean)
    t.equal(cut.size, 0)
  }
  const empty = Buffer.alloc(0)
  t.equal(cleanTile(empty, 'jpeg').bytes, empty)
})

t.test('cuts segments of applications and comments, and leaves every other byte', async t => {
  const bare = await bareImage()
  const foreign = [0xfe, 0xe0, 0xe1, 0xe2, 0xe3, 0xec, 0xed, 0xee, 0xef, 0xf7, 0x02].map(named)
  const { bytes, cut } = cleanTile(inserted(bare, 2, jfif, ...foreign, adobe), 'jpeg')
  t.ok(bytes.equals(inserted(bare, 2, jfif, adobe)))
  t.same([...cut.keys()].sort(), ['JPEG APP0', 'JPEG APP1', 'JPEG APP12', 'JPEG APP13', 'JPEG APP14', 'JPEG APP15', 'JPEG APP2', 'JPEG APP3', 'JPEG comment', 'unknown JPEG segment'])
  t.equal(cut.get('unknown JPEG segment'), 2)
  t.same(await sharp(bytes).raw().toBuffer(), await sharp(inserted(bare, 2, jfif, adobe)).raw().toBuffer())
})

t.test('cuts a comment between the scans of a progressive image', async t => {
  const bare = await bareImage({ progressive: true })
  const lastScan = bare.lastIndexOf(Buffer.from('ffda', 'hex'))
  const { bytes, cut } = cleanTile(inserted(bare, lastScan, named(0xfe)), 'jpeg')
  t.ok(bytes.equals(bare))
  t.same([...cut], [['JPEG comment', 1]])
})

t.test('takes the thumbnail out of JFIF and surplus out of Adobe', async t => {
  const bare = await bareImage()
  const thumbnail = segment(0xe0, Buffer.concat([Buffer.from('4a464946000101010048004801 04'.replace(' ', ''), 'hex'), Buffer.from(NAME.padEnd(12))]))
  const longAdobe = segment(0xee, Buffer.concat([adobe.subarray(4), Buffer.from(NAME)]))
  const { bytes } = cleanTile(inserted(bare, 2, thumbnail, longAdobe), 'jpeg')
  t.ok(bytes.equals(inserted(bare, 2, jfif, adobe)))
})

t.test('cuts what follows the end, even where it ends like an image', async t => {
  const bare = await bareImage()
  t.same([...cleanTile(Buffer.concat([bare, Buffer.from(NAME), Buffer.of(0xff, 0xd9)]), 'jpeg').cut], [['after the end of a tile', 1]])
  const padded = cleanTile(Buffer.concat([bare, Buffer.alloc(1)]), 'jpeg')
  t.ok(padded.bytes.equals(bare))
  t.equal(padded.cut.size, 0, 'padding is cut and not listed')
})

t.test('refuses a segment that is longer than what it holds', async t => {
  const bare = await bareImage()
  for (const code of [0xdb, 0xc4, 0xc0, 0xda]) {
    const at = bare.indexOf(Buffer.of(0xff, code))
    const longer = Buffer.concat([bare.subarray(0, at + 2), Buffer.alloc(2), bare.subarray(at + 4)])
    longer.writeUInt16BE(bare.readUInt16BE(at + 2) + 7, at + 2)
    t.throws(() => cleanTile(inserted(longer, at + 2 + bare.readUInt16BE(at + 2), Buffer.from('YAMADA.')), 'jpeg'), { code: 'bad_slide' }, code.toString(16))
  }
})

t.test('cleans tables that tiles share, and refuses tables with an image', async t => {
  const bare = await bareImage()
  const frame = bare.indexOf(Buffer.of(0xff, 0xc0))
  const tables = Buffer.concat([bare.subarray(0, frame), Buffer.of(0xff, 0xd9)])
  const clean = cleanTables(tables.toString('base64'))
  t.equal(clean.tables, tables.toString('base64'))
  const planted = cleanTables(Buffer.concat([inserted(tables, 2, named(0xe1), named(0xfe)), Buffer.from(NAME)]).toString('base64'))
  t.equal(planted.tables, clean.tables)
  t.equal(planted.cut.size, 3)
  t.throws(() => cleanTables(bare.toString('base64')), { code: 'bad_slide' })
  t.throws(() => cleanTables('AAAA'), { code: 'bad_slide' })
})

const marker = (code: number, body?: Buffer): Buffer => {
  if (body === undefined) return Buffer.of(code >> 8, code & 0xff)
  return Buffer.concat([Buffer.of(code >> 8, code & 0xff, (body.length + 2) >> 8, (body.length + 2) & 0xff), body])
}
const comment = marker(0xff64, Buffer.concat([Buffer.of(0, 1), Buffer.from(NAME)]))
const tilePart = (length: number, ...header: Buffer[]): Buffer => {
  const sot = Buffer.alloc(8)
  const data = Buffer.from('c0ffee00', 'hex')
  const parts = [...header, marker(0xff93), data]
  sot.writeUInt32BE(length < 0 ? 12 + parts.reduce((sum, part) => sum + part.length, 0) : length, 2)
  return Buffer.concat([marker(0xff90, sot), ...parts])
}
const mainHeader = (...more: Buffer[]): Buffer => Buffer.concat([marker(0xff4f), marker(0xff51, Buffer.alloc(45)), marker(0xff52, Buffer.alloc(10)), marker(0xff5c, Buffer.alloc(5)), ...more])
const tlm = marker(0xff55, Buffer.alloc(8))
const eoc = marker(0xffd9)

t.test('hands on a JPEG 2000 codestream without comments as the same object', async t => {
  for (const parts of [[mainHeader(tlm), tilePart(-1), tilePart(-1), eoc], [mainHeader(), tilePart(0), eoc], [mainHeader(), tilePart(-1)]]) {
    const stream = Buffer.concat(parts)
    t.equal(cleanTile(stream, 'jpeg2000').bytes, stream)
  }
})

t.test('cuts comments and unknown segments of a codestream and corrects the length of tile-parts', async t => {
  const unknown = marker(0xff6f, Buffer.from(NAME))
  const planted = Buffer.concat([mainHeader(comment, tlm, unknown), tilePart(-1, comment, marker(0xff58, Buffer.alloc(3))), tilePart(-1), eoc, Buffer.from(NAME)])
  const { bytes, cut } = cleanTile(planted, 'jpeg2000')
  t.ok(bytes.equals(Buffer.concat([mainHeader(), tilePart(-1, marker(0xff58, Buffer.alloc(3))), tilePart(-1), eoc])))
  t.same([...cut], [['JPEG 2000 comment', 2], ['unknown JPEG 2000 segment', 1], ['after the end of a tile', 1]])
  t.ok(cleanTile(Buffer.concat([mainHeader(), tilePart(0, comment), eoc]), 'jpeg2000').bytes.equals(Buffer.concat([mainHeader(), tilePart(0), eoc])))
})

t.test('takes nothing but the codestream out of a JP2 file', async t => {
  const box = (type: string, body: Buffer): Buffer => {
    const header = Buffer.alloc(8)
    header.writeUInt32BE(8 + body.length)
    header.write(type, 4, 'latin1')
    return Buffer.concat([header, body])
  }
  const stream = Buffer.concat([mainHeader(), tilePart(-1), eoc])
  const file = Buffer.concat([box('jP  ', Buffer.from('0d0a870a', 'hex')), box('ftyp', Buffer.from('jp2 ')), box('xml ', Buffer.from(NAME)), box('jp2c', Buffer.concat([mainHeader(comment), tilePart(-1), eoc])), box('uuid', Buffer.from(NAME))])
  t.ok(cleanTile(file, 'jpeg2000').bytes.equals(stream))
  t.throws(() => cleanTile(file.subarray(0, 40), 'jpeg2000'), { code: 'bad_slide' })
})

t.test('refuses broken tiles by code and never hangs', { timeout: 120_000 }, async t => {
  const seeds = [inserted(await bareImage(), 2, jfif, adobe, named(0xfe)), Buffer.concat([mainHeader(comment, tlm), tilePart(-1, comment), tilePart(0), eoc])]
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 8 }), fc.nat(4000), fc.constantFrom('jpeg', 'jpeg2000'), (seed, edits, length, compression) => {
        const broken = Buffer.from(seed.subarray(0, length))
        for (const [at, value] of edits) if (at < broken.length) broken[at] = value
        try {
          const once = cleanTile(broken, compression)
          return cleanTile(once.bytes, compression).cut.size === 0
        } catch (fault) {
          return fault instanceof RelayFault && fault.code === 'bad_slide'
        }
      }),
      { numRuns: 20_000, seed: 1 },
    )
  })
  const flood = Buffer.concat([Buffer.of(0xff, 0xd8), ...Array<Buffer>(1001).fill(named(0xfe))])
  t.throws(() => cleanTile(flood, 'jpeg'), { code: 'bad_slide' })
})
