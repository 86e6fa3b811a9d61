import { t } from 'tap'
import { toBt709 } from '../../clients/capture/pattern.ts'
import { convertLines } from './still-colours.ts'

t.test('colours come back within what eight bits of limited range can say', async t => {
  for (const rgb of [[0, 0, 0], [255, 255, 255], [115, 82, 68], [56, 61, 150], [231, 199, 31], [8, 133, 161], [175, 54, 60]] as const) {
    const [luma, cb, cr] = toBt709(rgb)
    const target = new Uint8Array(12)
    convertLines({ width: 2, luma: new Uint8Array(4).fill(luma), cb: new Uint8Array([cb]), cr: new Uint8Array([cr]) }, target)
    for (let pixel = 0; pixel < 4; pixel++) {
      rgb.forEach((value, channel) => t.ok(Math.abs(target[3 * pixel + channel]! - value) <= 2, `${rgb.join()} came back as ${target.subarray(3 * pixel, 3 * pixel + 3).join()}`))
    }
  }
})

t.test('each sample of chroma is for its own two by two pixels', async t => {
  const target = new Uint8Array(4 * 2 * 3)
  convertLines({ width: 4, luma: new Uint8Array(8).fill(126), cb: new Uint8Array([128, 128]), cr: new Uint8Array([128, 200]) }, target)
  const red = [...target].filter((_, index) => index % 3 === 0)
  t.same([...new Set([red[0], red[1], red[4], red[5]])], [128])
  t.same([...new Set([red[2], red[3], red[6], red[7]])], [255])
})

t.test('what no colour of the screen is, is cut off', async t => {
  const target = new Uint8Array(12)
  convertLines({ width: 2, luma: new Uint8Array([0, 255, 16, 235]), cb: new Uint8Array([255]), cr: new Uint8Array([0]) }, target)
  t.ok(target[0] === 0 && target[5] === 255)
})
