import t from 'tap'
import { yuvConversion } from './yuv-matrix.ts'

function toRgb(yuv: readonly [number, number, number], matrix: string | null, fullRange: boolean | null): number[] {
  const conversion = yuvConversion({ matrix, fullRange })
  const centred = yuv.map((value, i) => value / 255 - conversion.offset[i]!)
  const channel = (row: number): number => [0, 1, 2].reduce((sum, column) => sum + conversion.matrix[column * 3 + row]! * centred[column]!, 0)
  return [0, 1, 2].map(row => Math.min(255, Math.max(0, Math.round(255 * channel(row)))))
}

t.test('black, white and grey are neutral', async t => {
  t.same(toRgb([16, 128, 128], 'bt709', false), [0, 0, 0])
  t.same(toRgb([235, 128, 128], 'bt709', false), [255, 255, 255])
  t.same(toRgb([255, 128, 128], 'bt709', true), [255, 255, 255])
})

t.test('the primaries come out of their published codes', async t => {
  t.same(toRgb([63, 102, 240], 'bt709', false), [255, 1, 0])
  t.same(toRgb([81, 90, 240], 'smpte170m', false), [254, 0, 0])
  t.same(toRgb([41, 240, 110], 'bt470bg', false), [0, 0, 255])
})

t.test('what is not signalled is BT.709 in limited range', async t => {
  t.same(yuvConversion({ matrix: null, fullRange: null }), yuvConversion({ matrix: 'bt709', fullRange: false }))
  t.same(yuvConversion({ matrix: 'rgb', fullRange: null }), yuvConversion({ matrix: 'bt709', fullRange: false }))
})
