import { t } from 'tap'
import { RelayFault } from '../../wire/fault.ts'
import { SlideId } from '../../wire/ids.ts'
import { tilesOf } from '../../wire/slide.ts'
import { millis } from '../../wire/units.ts'
import { LevelIndex } from '../manifest/level-index.ts'
import { chunksIn, takeTurns, WANTED_LIMITS, WantedRegistry } from './wanted-registry.ts'
import type { SlideLevel } from '../../wire/slide.ts'

const slideId = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')
const view = (x: number, level = 0) => ({ level, x, y: 0, width: 100, height: 100 })

t.test('the viewer that moved last comes first, and each counts where it looks now', async t => {
  const registry = new WantedRegistry(100)
  registry.look(slideId, 'a', view(1), millis(0))
  registry.look(slideId, 'b', view(2), millis(1))
  registry.look(slideId, 'a', view(3), millis(2))
  t.same(registry.current(slideId, millis(3)).viewports, [view(3), view(2)])
})

t.test('the serial grows with every change, and only then', async t => {
  const registry = new WantedRegistry(100)
  const serial = (now: number): number => registry.current(slideId, millis(now)).serial
  t.ok(serial(0) >= 100, 'greater than those of earlier lives')
  registry.look(slideId, 'a', view(1), millis(0))
  const first = serial(0)
  registry.look(slideId, 'a', view(1), millis(10))
  t.equal(serial(10), first, 'looking at the same is no change')
  registry.look(slideId, 'a', view(2), millis(20))
  t.ok(serial(20) > first)
  const second = serial(20)
  registry.touch(slideId)
  t.ok(serial(20) > second)
})

t.test('a viewport that is not said again expires, and that is a change', async t => {
  const registry = new WantedRegistry(0)
  registry.look(slideId, 'a', view(1), millis(0))
  const { serial } = registry.current(slideId, millis(0))
  registry.look(slideId, 'a', view(1), millis(20_000))
  t.equal(registry.current(slideId, millis(49_999)).viewports.length, 1)
  const late = registry.current(slideId, millis(50_000))
  t.same(late.viewports, [])
  t.ok(late.serial > serial)
})

t.test('who waits hears of the next change, and of the end', async t => {
  const registry = new WantedRegistry(0)
  const first = registry.changed(slideId)
  registry.look(slideId, 'a', view(1), millis(0))
  await first
  const second = registry.changed(slideId)
  registry.leave(slideId, 'a')
  await second
  const third = registry.changed(slideId)
  registry.forget(slideId)
  await third
  t.pass()
})

t.test('viewers and slides are bounded', async t => {
  const registry = new WantedRegistry(0)
  for (let viewer = 0; viewer < WANTED_LIMITS.viewers; viewer++) registry.look(slideId, `${viewer}`, view(1), millis(0))
  t.throws(() => registry.look(slideId, 'more', view(1), millis(0)), new RelayFault('overloaded', 'too many viewers look at this slide'))
  registry.look(slideId, '3', view(2), millis(0))
})

const shape: SlideLevel = { width: 40_000, height: 30_000, tileWidth: 256, tileHeight: 256, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' }, isMade: false }
/** Chunks of 32 tiles: half a square each. */
function indexOf(level: SlideLevel): LevelIndex {
  const tiles = tilesOf(level)
  const chunks = Array.from({ length: Math.ceil(tiles / 32) }, (_, chunk) => ({
    sha256: Buffer.alloc(32, chunk), root: Buffer.alloc(32), tileLengths: new Array<number>(Math.min(32, tiles - chunk * 32)).fill(1000),
  }))
  return LevelIndex.decode(LevelIndex.encode(chunks), level)
}
const index = indexOf(shape)

t.test('a viewport wants the chunks of its tiles, each once, the one in its middle first', async t => {
  t.same(chunksIn({ level: 0, x: 0, y: 0, width: 200, height: 200 }, shape, index), [{ level: 0, chunk: 0 }])
  const wide = chunksIn({ level: 0, x: 0, y: 0, width: 4000, height: 1000 }, shape, index)
  t.equal(new Set(wide.map(({ chunk }) => chunk)).size, wide.length)
  t.same(wide.map(({ chunk }) => chunk).toSorted((a, b) => a - b), [0, 2])
})

t.test('of a viewport larger than may be asked for, its middle is wanted', async t => {
  const whole = chunksIn({ level: 0, x: -1e6, y: -1e6, width: 1e9, height: 1e9 }, shape, index)
  t.ok(whole.length > 0 && whole.length <= (WANTED_LIMITS.side * WANTED_LIMITS.side) / 32 + 4 * WANTED_LIMITS.side, `${whole.length}`)
})

t.test('what several viewers want is taken in turns, without repeating, up to the bound', async t => {
  const refs = (...chunks: number[]) => chunks.map(chunk => ({ level: 0, chunk }))
  t.same(takeTurns([refs(1, 2, 3), refs(9, 2)], 10).map(({ chunk }) => chunk), [1, 9, 2, 3])
  t.same(takeTurns([refs(1, 2, 3), refs(9, 2)], 2).map(({ chunk }) => chunk), [1, 9])
  t.same(takeTurns([], 5), [])
})
