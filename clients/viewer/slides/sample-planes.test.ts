import { t } from 'tap'
import { toRgba } from './sample-planes.ts'

const shape = { width: 1, height: 1, bitsPerSample: 8, components: 3 }

t.test('takes RGB as it is, converts YCbCr, and spreads grey', async t => {
  t.same([...toRgba(Uint8Array.of(1, 2, 3), { ...shape, photometric: 'rgb' })], [1, 2, 3, 255])
  t.same([...toRgba(Uint8Array.of(76, 85, 255), { ...shape, photometric: 'ycbcr' })], [254, 0, 0, 255])
  t.same([...toRgba(Uint8Array.of(9), { ...shape, components: 1, photometric: 'grey' })], [9, 9, 9, 255])
})

t.test('refuses samples of another kind', async t => {
  t.throws(() => toRgba(Uint8Array.of(1, 2), { ...shape, photometric: 'rgb' }))
  t.throws(() => toRgba(new Uint8Array(6), { ...shape, bitsPerSample: 16, photometric: 'rgb' }))
  t.throws(() => toRgba(new Uint8Array(4), { ...shape, components: 4, photometric: 'rgb' }))
})
