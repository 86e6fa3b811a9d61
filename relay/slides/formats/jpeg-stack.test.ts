import sharp from 'sharp'
import { t } from 'tap'
import { stackJpegs } from './jpeg-stack.ts'
import type { JpegOptions } from 'sharp'

const SIDE = 48

/** Noise of one colour, so that no two tiles are the same. */
function picture(seed: number, options: JpegOptions = {}, channels: 1 | 3 = 3): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * channels }, (_, at) => (seed * 60 + ((at * 7919 * (seed + 1)) % 97)) % 256)
  return sharp(pixels, { raw: { width: SIDE, height: SIDE, channels } }).toColourspace(channels === 1 ? 'b-w' : 'srgb').jpeg({ quality: 80, optimiseCoding: false, ...options }).toBuffer()
}
const rawOf = (jpeg: Uint8Array): Promise<Buffer> => sharp(jpeg).raw().toBuffer()

t.test('a stack decodes to its tiles, one below the other', async t => {
  for (const [options, channels] of [[{ chromaSubsampling: '4:4:4' }, 3], [{}, 1]] as const) {
    const tiles = await Promise.all([0, 1, 2, 3, 0, 1, 2, 3, 1, 2].map(seed => picture(seed, options, channels)))
    const stack = stackJpegs(tiles)!
    const { width, height } = await sharp(stack).metadata()
    t.same([width, height], [SIDE, SIDE * tiles.length])
    t.same(await rawOf(stack), Buffer.concat(await Promise.all(tiles.map(rawOf))), `${channels} components`)
  }
})

t.test('with halved chroma, only rows beside the seams are blended', async t => {
  const tiles = await Promise.all([0, 2].map(seed => picture(seed, { chromaSubsampling: '4:2:0' })))
  const [stack, alone] = await Promise.all([rawOf(stackJpegs(tiles)!), rawOf(tiles[1]!)])
  const row = SIDE * 3
  t.same(stack.subarray(SIDE * row + row, 2 * SIDE * row), alone.subarray(row))
})

t.test('what does not stack is left alone', async t => {
  const plain = await picture(0, { chromaSubsampling: '4:2:0' })
  t.equal(stackJpegs([]), undefined, 'nothing')
  t.ok(stackJpegs([plain, plain]), 'two of a kind')
  t.equal(stackJpegs([plain, await picture(1, { chromaSubsampling: '4:4:4' })]), undefined, 'other sampling')
  t.equal(stackJpegs([plain, await picture(1, { chromaSubsampling: '4:2:0', quality: 70 })]), undefined, 'other tables')
  const progressive = await picture(0, { progressive: true })
  t.equal(stackJpegs([progressive, progressive]), undefined, 'several scans')
  const cut = plain.subarray(0, plain.length - 2)
  t.equal(stackJpegs([plain, cut]), undefined, 'cut off')
  t.equal(stackJpegs(Array.from({ length: 2000 }, () => plain)), undefined, 'more lines than a JPEG may have')
  const odd = await sharp({ create: { width: 48, height: 40, channels: 3, background: 'red' } }).jpeg({ chromaSubsampling: '4:2:0' }).toBuffer()
  t.equal(stackJpegs([odd, odd]), undefined, 'a height that is no whole number of MCUs')
  t.throws(() => stackJpegs([Buffer.from('none')]), { code: 'bad_slide' })
})

t.test('restarts of their own are counted on', async t => {
  const interval = (SIDE / 8) * 2
  const tiles = await Promise.all([0, 1, 2, 3].map(seed => picture(seed, { chromaSubsampling: '4:4:4' })))
  // A stack has restarts; the tiles of a stack of stacks are such.
  const stacks = [stackJpegs(tiles)!, stackJpegs(tiles.toReversed())!, stackJpegs(tiles)!]
  const whole = stackJpegs(stacks)!
  t.equal((await sharp(whole).metadata()).height, SIDE * 12)
  t.same(await rawOf(whole), Buffer.concat(await Promise.all(stacks.map(rawOf))))
  const lying = Buffer.from(stacks[0]!)
  lying.writeUInt16BE(interval + 1, lying.indexOf(Buffer.from([0xff, 0xdd])) + 4)
  t.equal(stackJpegs([lying, lying]), undefined, 'restarts that do not end with a tile')
})

t.test('a marker within the coded data ends it for nobody else', async t => {
  const tiles = await Promise.all([0, 1].map(seed => picture(seed, { chromaSubsampling: '4:4:4' })))
  const hostile = Buffer.from(tiles[0]!)
  for (const marker of [0xd3, 0xda, 0xc4]) {
    hostile.set([0xff, marker], hostile.length - 20)
    t.equal(stackJpegs([hostile, tiles[1]!]), undefined)
  }
})
