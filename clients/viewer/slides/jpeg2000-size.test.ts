import { t } from 'tap'
import { jpeg2000Size } from './jpeg2000-size.ts'

t.test('reads what the header claims, without its offset', async t => {
  const header = Uint8Array.of(0xff, 0x4f, 0xff, 0x51, 0, 47, 0, 0, 0, 0, 1, 4, 0, 0, 0, 240, 0, 0, 0, 4, 0, 0, 0, 0)
  t.same(jpeg2000Size(header), { width: 256, height: 240 })
  t.equal(jpeg2000Size(header.subarray(0, 23)), undefined)
  t.equal(jpeg2000Size(Uint8Array.from(header, (byte, at) => (at === 3 ? 0x52 : byte))), undefined)
})
