import t from 'tap'
import { blankPicture, i420Bytes, Specimen } from './specimen.ts'
import { drawTissueSlide } from './tissue-slide.ts'

const WIDTH = 128, HEIGHT = 64
const modulo = (value: number, by: number): number => ((value % by) + by) % by
const lumaOf = (x: number, y: number): number => 16 + ((x * 5 + y * 11) % 200)

function slide() {
  const picture = blankPicture(WIDTH, HEIGHT)
  for (let y = 0; y < HEIGHT; y++) for (let x = 0; x < WIDTH; x++) picture.luma[y * WIDTH + x] = lumaOf(x, y)
  for (let at = 0; at < picture.cb.length; at++) picture.cb[at] = at % 251
  picture.cr.fill(77)
  return picture
}

const draw = (specimen: Specimen, view: Partial<Parameters<Specimen['draw']>[0]>): Uint8Array => {
  const full = { level: 0, x: 0, y: 0, width: 32, height: 16, detail: 0, ...view }
  const target = new Uint8Array(i420Bytes(full.width, full.height))
  specimen.draw(full, target)
  return target
}

t.test('shows exactly what lies there, and goes on from the other end', async t => {
  const specimen = new Specimen(slide())
  for (const [x, y] of [[0, 0], [17, 9], [120, 60], [-5, -3], [1000, -777]] as const) {
    const view = draw(specimen, { x, y })
    const expected = Array.from({ length: 32 * 16 }, (_, at) => lumaOf(modulo(x + (at % 32), WIDTH), modulo(y + Math.floor(at / 32), HEIGHT)))
    t.same([...view.subarray(0, 512)], expected, `luma at ${x},${y}`)
    t.equal(view[512], (modulo(Math.floor(y / 2), HEIGHT / 2) * WIDTH / 2 + modulo(Math.floor(x / 2), WIDTH / 2)) % 251, `chroma at ${x},${y}`)
    t.ok(view.subarray(512 + 128).every(value => value === 77))
  }
})

t.test('a view wider than the slide repeats it', async t => {
  const view = draw(new Specimen(slide()), { x: 4, width: 2 * WIDTH + 8, height: 2 })
  t.same([...view.subarray(0, WIDTH)], [...view.subarray(WIDTH, 2 * WIDTH)])
})

t.test('coarser levels are means, at the same place', async t => {
  const specimen = new Specimen(slide())
  const half = draw(specimen, { level: 1, x: 3, y: 2 })
  const mean = (lumaOf(6, 4) + lumaOf(7, 4) + lumaOf(6, 5) + lumaOf(7, 5) + 2) >> 2
  t.equal(half[0], mean)
  t.throws(() => draw(specimen, { level: 6 }))
})

t.test('enlarged and defocused views stand still: a ramp stays the same ramp', async t => {
  const picture = blankPicture(WIDTH, HEIGHT)
  for (let at = 0; at < picture.luma.length; at++) picture.luma[at] = 40 + (at % WIDTH)
  const specimen = new Specimen(picture)
  const [sharp, double] = [draw(specimen, { x: 40, y: 8 }), draw(specimen, { level: -1, x: 80, y: 16 })]
  for (const detail of [1, 2, 3]) {
    const blurred = draw(specimen, { x: 40, y: 8, detail })
    t.ok(sharp.subarray(0, 512).every((luma, at) => Math.abs(luma - (blurred[at] ?? 0)) <= 1), `detail ${detail}`)
  }
  // Pixel 2n and 2n+1 of the enlargement lie a quarter of a pixel before and behind pixel n.
  t.same([...double.subarray(0, 8)], [80, 80, 81, 81, 82, 82, 83, 83])
})

t.test('a defocus takes the detail away', async t => {
  const picture = blankPicture(WIDTH, HEIGHT)
  for (let at = 0; at < picture.luma.length; at++) picture.luma[at] = (at + Math.floor(at / WIDTH)) % 2 === 0 ? 40 : 200
  const blurred = draw(new Specimen(picture), { x: 11, y: 5, detail: 1 })
  t.ok(blurred.subarray(0, 512).every(luma => luma === 120))
})

t.test('refuses slides that cannot be halved, and targets too small', async t => {
  t.throws(() => new Specimen(blankPicture(100, 64)))
  t.throws(() => new Specimen(slide()).draw({ level: 0, x: 0, y: 0, width: 64, height: 64, detail: 0 }, new Uint8Array(10)))
})

t.test('tissue repeats without a seam', async t => {
  const picture = await drawTissueSlide(320, 192, () => undefined)
  const { luma } = picture
  const difference = (a: number, b: number): number => Math.abs((luma[a] ?? 0) - (luma[b] ?? 0))
  let [seam, inside] = [0, 0]
  for (let y = 0; y < 192; y++) {
    seam += difference(y * 320, y * 320 + 319)
    inside += difference(y * 320 + 160, y * 320 + 161)
  }
  t.ok(seam / 192 < inside / 192 + 4, `${seam / 192} across the seam, ${inside / 192} elsewhere`)
})
