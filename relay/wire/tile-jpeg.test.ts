import sharp from 'sharp'
import { t } from 'tap'
import { RelayFault } from './fault.ts'
import { jpegCompleter, jpegFrame, jpegSegments } from './tile-jpeg.ts'
import type { TileEncoding } from './slide.ts'

const encoding = (photometric: TileEncoding['photometric'], tables = ''): TileEncoding => ({ compression: 'jpeg', photometric, tables })
const solid = (colour: string): Promise<Buffer> => sharp({ create: { width: 32, height: 32, channels: 3, background: colour } }).jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()
const colourOf = async (jpeg: Uint8Array): Promise<number[]> => [...(await sharp(jpeg).raw().toBuffer()).subarray(0, 3)]
const isNear = (a: readonly number[], b: readonly number[]): boolean => a.every((value, index) => Math.abs(value - b[index]!) <= 4)

/** Cuts a JPEG into tables, and a tile without them. */
function abbreviate(jpeg: Buffer): { tables: string; tile: Buffer } {
  const segments = jpegSegments(jpeg)
  const of = (isTable: boolean): Buffer[] => segments.slice(0, -1).filter(({ marker }) => (marker === 0xdb || marker === 0xc4) === isTable).map(({ start, end }) => jpeg.subarray(start, end))
  const soi = Buffer.of(0xff, 0xd8)
  return { tables: Buffer.concat([soi, ...of(true), Buffer.of(0xff, 0xd9)]).toString('base64'), tile: Buffer.concat([soi, ...of(false), jpeg.subarray(segments.at(-1)!.start)]) }
}

t.test('a tile without its tables is shown when they are put in', async t => {
  const { tables, tile } = abbreviate(await solid('#c06090'))
  await t.rejects(sharp(tile).raw().toBuffer(), 'as it is stored it cannot be decoded')
  t.ok(isNear(await colourOf(jpegCompleter(encoding('ycbcr', tables))(tile)), [0xc0, 0x60, 0x90]))
})

t.test('the colour model of the container counts, whatever markers the tile has', async t => {
  const jpeg = await solid('#c06090')
  // Y, Cb and Cr of this colour, which is what stands in the tile, taken for red, green and blue.
  const stored = [0xc0 * 0.299 + 0x60 * 0.587 + 0x90 * 0.114, 128 - 0.168736 * 0xc0 - 0.331264 * 0x60 + 0.5 * 0x90, 128 + 0.5 * 0xc0 - 0.418688 * 0x60 - 0.081312 * 0x90]
  const asRgb = jpegCompleter(encoding('rgb'))(jpeg)
  t.ok(isNear(await colourOf(asRgb), stored))
  t.ok(isNear(await colourOf(jpegCompleter(encoding('ycbcr'))(asRgb)), [0xc0, 0x60, 0x90]), 'a contradicting Adobe marker is taken out')
})

t.test('reads the size out of a frame header, also after fill bytes', async t => {
  const jpeg = await solid('#ffffff')
  const { start } = jpegSegments(jpeg).find(({ marker }) => marker === 0xc0)!
  const filled = Buffer.concat([jpeg.subarray(0, start), Buffer.of(0xff, 0xff), jpeg.subarray(start)])
  for (const bytes of [jpeg, filled]) t.same(jpegFrame(bytes), { marker: 0xc0, precision: 8, width: 32, height: 32, components: 3 })
})

t.test('refuses what is no JPEG', async t => {
  const jpeg = await solid('#ffffff')
  const refused: readonly (readonly [string, Buffer])[] = [
    ['empty', Buffer.alloc(0)],
    ['a PNG', Buffer.from('89504e470d0a1a0a', 'hex')],
    ['SOI alone', Buffer.of(0xff, 0xd8)],
    ['cut off in a segment', jpeg.subarray(0, 30)],
    ['a segment of length 1', Buffer.of(0xff, 0xd8, 0xff, 0xdb, 0, 1)],
    ['endless segments', Buffer.concat([Buffer.of(0xff, 0xd8), Buffer.from('fffe0002'.repeat(10_000), 'hex')])],
    ['tables instead of a picture', Buffer.of(0xff, 0xd8, 0xff, 0xd9)],
  ]
  for (const [name, bytes] of refused) {
    t.throws(() => jpegCompleter(encoding('rgb'))(bytes), { code: 'bad_slide' }, name)
    t.throws(() => jpegFrame(bytes), { code: 'bad_slide' }, name)
  }
  t.throws(() => jpegCompleter(encoding('rgb', jpeg.toString('base64'))), { code: 'bad_slide' }, 'a picture instead of tables')
})

t.test('any cut of a JPEG is completed or refused, never another error', async t => {
  const jpeg = await solid('#808080')
  for (let length = 0; length < jpeg.length; length++) {
    try {
      jpegCompleter(encoding('ycbcr'))(jpeg.subarray(0, length))
      jpegFrame(jpeg.subarray(0, length))
    } catch (thrown) {
      if (!(thrown instanceof RelayFault)) t.fail(`another error at ${length}`, { thrown })
    }
  }
  t.doesNotThrow(() => jpegCompleter(encoding('ycbcr'))(jpeg))
})
