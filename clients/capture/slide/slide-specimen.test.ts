import t from 'tap'
import { i420Bytes } from '../specimen.ts'
import { BLOCK_BYTES, BLOCK_SIDE, blockKey } from './block-grid.ts'
import { SlideSpecimen } from './slide-specimen.ts'
import type { SpecimenView } from '../specimen.ts'
import type { BlockAddress } from './block-grid.ts'

const EXTENT = { width: 1500, height: 1000, coarsest: 3 }
const PINNED_FROM = 2
const GLASS = 235

/** Luma of a slide's point: the same at all levels but for rounding, so that coarser drawings are near. */
const lumaAt = (x: number, y: number): number => 40 + Math.round((x * 100) / EXTENT.width) + Math.round((y * 60) / EXTENT.height)

function blockOf({ level, column, row }: BlockAddress): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES).fill(128)
  for (let at = 0; at < BLOCK_SIDE * BLOCK_SIDE; at++) {
    const x = (column * BLOCK_SIDE + (at % BLOCK_SIDE)) * 2 ** level
    const y = (row * BLOCK_SIDE + Math.floor(at / BLOCK_SIDE)) * 2 ** level
    block[at] = x < EXTENT.width && y < EXTENT.height ? lumaAt(x, y) : GLASS
  }
  return block
}

function open() {
  const wanted: BlockAddress[][] = []
  const specimen = new SlideSpecimen(EXTENT, { want: blocks => wanted.push([...blocks]) }, PINNED_FROM)
  for (const address of specimen.foundation) specimen.add(address, blockOf(address))
  const draw = (view: SpecimenView): Uint8Array => {
    const target = new Uint8Array(i420Bytes(view.width, view.height))
    specimen.draw(view, target)
    return target
  }
  return { specimen, wanted, draw }
}

const view = (over: Partial<SpecimenView> = {}): SpecimenView => ({ level: 0, x: 0, y: 0, width: 320, height: 180, detail: 0, ...over })

t.test('shows exactly what lies there, across blocks, and glass beyond the slide', async t => {
  const { specimen, wanted, draw } = open()
  for (const [x, y] of [[100, 90], [-33, -51], [1381, 951]] as const) {
    specimen.prepare([view({ x, y })])
    for (const address of wanted.at(-1) ?? []) specimen.add(address, blockOf(address))
    t.ok(specimen.prepare([view({ x, y })]))
    const expected = Array.from({ length: 320 * 180 }, (_, at) => {
      const [px, py] = [x + (at % 320), y + Math.floor(at / 320)]
      return px >= 0 && py >= 0 && px < EXTENT.width && py < EXTENT.height ? lumaAt(px, py) : GLASS
    })
    t.same([...draw(view({ x, y })).subarray(0, 320 * 180)], expected, `at ${x},${y}`)
  }
})

t.test('what is not there yet is drawn from a coarser level, at the same place', async t => {
  const { specimen, draw } = open()
  const at = view({ x: 301, y: 205 })
  t.notOk(specimen.prepare([at]), 'and is not called sharp')
  const drawn = draw(at).subarray(0, 320 * 180)
  const errors = [...drawn].map((luma, index) => Math.abs(luma - lumaAt(301 + (index % 320), 205 + Math.floor(index / 320))))
  t.ok(Math.max(...errors) <= 2, `${Math.max(...errors)}`)
})

t.test('asks for what is in view, its middle first, then for what is around it, and not again for what came', async t => {
  const { specimen, wanted } = open()
  const at = view({ x: 600, y: 400, width: 200, height: 100 })
  specimen.prepare([at])
  t.equal(wanted.length, 1)
  t.same(wanted[0]?.slice(0, 2).map(blockKey).sort(), ['0/2/1', '0/3/1'], 'in view')
  t.ok((wanted[0]?.length ?? 0) > 4, 'and around')
  specimen.prepare([at])
  t.equal(wanted.length, 1, 'the same is wanted without a word')
  for (const address of wanted[0]?.slice(0, 2) ?? []) specimen.add(address, blockOf(address))
  t.ok(specimen.prepare([at]))
  t.notOk(wanted.at(-1)?.map(blockKey).includes('0/2/1'))
})

t.test('asks first for what the stage is going to, and calls sharp only what it shows', async t => {
  const { specimen, wanted } = open()
  const passing = view({ x: 10, y: 10, width: 100, height: 100 })
  t.notOk(specimen.prepare([passing], [view({ x: 600, y: 400, width: 100, height: 100 })]))
  t.same(wanted[0]?.slice(0, 2).map(blockKey), ['0/2/1', '0/0/0'])
  specimen.add({ level: 0, column: 2, row: 1 }, blockOf({ level: 0, column: 2, row: 1 }))
  t.notOk(specimen.prepare([passing], []))
})

t.test('a defocus is drawn from a coarser level, and stays in place', async t => {
  const { specimen, draw } = open()
  const blurred = view({ x: 304, y: 200, detail: 2 })
  t.ok(specimen.prepare([blurred]), 'which is in memory')
  const luma = draw(blurred)
  t.ok(Math.abs((luma[90 * 320 + 160] ?? 0) - lumaAt(464, 290)) <= 1)
})

t.test('refuses a target that is too small, and blocks that are none', async t => {
  const { specimen } = open()
  t.throws(() => specimen.draw(view(), new Uint8Array(10)))
  t.throws(() => specimen.add({ level: 0, column: 0, row: 0 }, new Uint8Array(10)))
})
