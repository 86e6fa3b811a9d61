import sharp from 'sharp'
import t from 'tap'
import { BLOCK_SIDE } from './block-grid.ts'
import { BlockMaker } from './block-maker.ts'
import type { SlideLevel } from '../../../relay/wire/slide.ts'

const level = (width: number, height: number, tile: number): SlideLevel => ({ width, height, tileWidth: tile, tileHeight: tile, isMade: false, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' } })
/** A grey value for every 16 by 16 pixels, which JPEG keeps well. */
const greyAt = (x: number, y: number): number => 30 + ((Math.floor(x / 16) * 37 + Math.floor(y / 16) * 71) % 200)

async function tileOf({ tileWidth, tileHeight }: SlideLevel, halvings: number, column: number, row: number): Promise<Buffer> {
  const pixels = Buffer.alloc(tileWidth * tileHeight * 3)
  for (let at = 0; at < tileWidth * tileHeight; at++) {
    const [x, y] = [column * tileWidth + (at % tileWidth), row * tileHeight + Math.floor(at / tileWidth)]
    pixels.fill(greyAt(x * 2 ** halvings, y * 2 ** halvings), 3 * at, 3 * at + 3)
  }
  return sharp(pixels, { raw: { width: tileWidth, height: tileHeight, channels: 3 } }).jpeg({ quality: 95 }).toBuffer()
}

const near = (luma: number | undefined, grey: number): boolean => Math.abs((luma ?? 0) - (16 + (219 * grey) / 255)) <= 3

t.test('blocks are the slide at their place, whatever the size of its tiles, and glass beyond it', async t => {
  const levels = [level(900, 700, 240), level(225, 175, 240)]
  const read: string[] = []
  const maker = new BlockMaker({
    levels,
    readTile: (index, column, row) => {
      read.push(`${index}/${column}/${row}`)
      return tileOf(levels[index]!, index === 0 ? 0 : 2, column, row)
    },
  })
  for (const [column, row] of [[0, 0], [1, 1], [3, 2]] as const) {
    const block = await maker.make({ level: 0, column, row })
    for (const [x, y] of [[8, 8], [120, 200], [247, 168], [232, 8]] as const) {
      const [px, py] = [column * BLOCK_SIDE + x, row * BLOCK_SIDE + y]
      const isOnSlide = px < 900 && py < 700
      t.ok(isOnSlide ? near(block[y * BLOCK_SIDE + x], greyAt(px, py)) : block[y * BLOCK_SIDE + x] === 235, `${px},${py}: ${block[y * BLOCK_SIDE + x]}`)
    }
  }
  const before = read.length
  await maker.make({ level: 0, column: 0, row: 0 })
  t.equal(read.length, before, 'what was made is kept')
})

t.test('a level that the slide lacks is halved from the next finer one; one that it has is read', async t => {
  const levels = [level(900, 700, 240), level(225, 175, 240)]
  const read = new Set<number>()
  const maker = new BlockMaker({
    levels,
    readTile: (index, column, row) => {
      read.add(index)
      return tileOf(levels[index]!, index === 0 ? 0 : 2, column, row)
    },
  })
  const half = await maker.make({ level: 1, column: 1, row: 0 })
  t.same([...read], [0])
  t.ok(near(half[100 * BLOCK_SIDE + 60], greyAt(2 * (256 + 60), 200)))
  read.clear()
  const quarter = await maker.make({ level: 2, column: 0, row: 0 })
  t.same([...read], [1])
  t.ok(near(quarter[42 * BLOCK_SIDE + 86], greyAt(4 * 86, 4 * 42)))
})

t.test('colours are those of BT.709 in limited range', async t => {
  const levels = [level(256, 256, 256)]
  const maker = new BlockMaker({ levels, readTile: () => sharp({ create: { width: 256, height: 256, channels: 3, background: '#b04080' } }).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer() })
  const block = await maker.make({ level: 0, column: 0, row: 0 })
  const y = 0.2126 * 0xb0 + 0.7152 * 0x40 + 0.0722 * 0x80
  const expected = [16 + (219 * y) / 255, 128 + (224 * (0x80 - y)) / 255 / 1.8556, 128 + (224 * (0xb0 - y)) / 255 / 1.5748]
  const got = [block[1000], block[65_536 + 500], block[81_920 + 500]]
  t.ok(got.every((value, index) => Math.abs((value ?? 0) - (expected[index] ?? 0)) <= 1.5), `${got.join()} for ${expected.join()}`)
})

t.test('tiles that are left out are glass, broken ones are refused and read again, and other codings refused at once', async t => {
  const levels = [level(256, 256, 256)]
  const glass = await new BlockMaker({ levels, readTile: () => Promise.resolve(Buffer.alloc(0)) }).make({ level: 0, column: 0, row: 0 })
  t.ok(glass.subarray(0, BLOCK_SIDE * BLOCK_SIDE).every(luma => luma === 235))
  let broken = true
  const maker = new BlockMaker({ levels, readTile: (_, column, row) => (broken ? Promise.resolve(Buffer.from('no picture')) : tileOf(levels[0]!, 0, column, row)) })
  await t.rejects(maker.make({ level: 0, column: 0, row: 0 }), { code: 'bad_slide' })
  broken = false
  await t.resolves(maker.make({ level: 0, column: 0, row: 0 }))
  t.throws(() => new BlockMaker({ levels: [{ ...levels[0]!, encoding: { compression: 'jpeg2000', photometric: 'rgb', tables: '' } }], readTile: () => Promise.resolve(Buffer.alloc(0)) }), { code: 'unsupported_slide' })
})
