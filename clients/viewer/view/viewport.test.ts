import t from 'tap'
import { fit, fitScale, imageOrigin, imagePoint, minScale, pan, scaleAt, settle, stickToNative, visibleRect, zoomAt } from './viewport.ts'

const image = { width: 7680, height: 4320 }
const hd = { width: 1920, height: 1080 }

t.test('fits the whole field and centres it', async t => {
  t.same(fit(image, hd), { x: 3840, y: 2160, scale: 0.25 })
  const tall = { width: 1000, height: 2000 }
  const viewport = fit(image, tall)
  t.equal(viewport.scale, 1000 / 7680)
  const visible = visibleRect(viewport, image, tall)
  t.ok(Math.abs(visible.width - image.width) < 1e-6 && Math.abs(visible.height - image.height) < 1e-6)
})

t.test('an 8K canvas shows the whole field at exactly 1:1', async t => {
  const viewport = fit(image, image)
  t.equal(viewport.scale, 1)
  t.strictSame(imageOrigin(viewport, image), { x: 0, y: 0 })
})

t.test('keeps the image point under the pointer when zooming', async t => {
  const at = { x: 300, y: 800 }
  const before = settle({ x: 3000, y: 2000, scale: 0.5 }, image, hd)
  const after = zoomAt(before, image, hd, { factor: 1.7, at })
  const [a, b] = [imagePoint(before, hd, at), imagePoint(after, hd, at)]
  t.ok(Math.abs(a.x - b.x) < 1e-9 && Math.abs(a.y - b.y) < 1e-9)
})

t.test('does not jump over 1:1, in either direction', async t => {
  const at = { x: 960, y: 540 }
  const below = zoomAt({ x: 3000, y: 2000, scale: 0.9 }, image, hd, { factor: 2, at })
  t.equal(below.scale, 1)
  t.equal(zoomAt(below, image, hd, { factor: 2, at }).scale, 2)
  t.equal(zoomAt({ x: 3000, y: 2000, scale: 1.2 }, image, hd, { factor: 0.5, at }).scale, 1)
  t.equal(stickToNative(1.02), 1)
  t.equal(stickToNative(1.1), 1.1)
})

t.test('at 1:1 the image lies on whole device pixels, on odd canvases too', async t => {
  for (const canvas of [hd, { width: 1281, height: 719 }, { width: 2879, height: 1621 }]) {
    for (const centre of [3000.3, 2999.5, 1234.567]) {
      const origin = imageOrigin(settle({ x: centre, y: centre, scale: 1 }, image, canvas), canvas)
      t.ok(Number.isInteger(origin.x) && Number.isInteger(origin.y), `${canvas.width} ${centre}`)
    }
  }
})

t.test('pans by device pixels and stops at the border', async t => {
  const viewport = settle({ x: 2000, y: 2000, scale: 1 }, image, hd)
  t.same(pan(viewport, image, hd, { x: -100, y: 50 }), { x: 2100, y: 1950, scale: 1 })
  t.same(visibleRect(pan(viewport, image, hd, { x: 1e6, y: -1e6 }), image, hd), { x: 0, y: 3240, width: 1920, height: 1080 })
})

t.test('limits the scale to the whole field and to eight', async t => {
  const at = { x: 0, y: 0 }
  t.equal(scaleAt(fit(image, hd), image, hd, { scale: 0.01, at }).scale, 0.25)
  t.equal(scaleAt(fit(image, hd), image, hd, { scale: 100, at }).scale, 8)
})

t.test('a small image on a large canvas fits enlarged and can still be seen 1:1', async t => {
  const small = { width: 640, height: 360 }
  t.equal(fitScale(small, hd), 3)
  t.equal(minScale(small, hd), 1)
  const native = settle({ x: 0, y: 0, scale: 1 }, small, hd)
  t.same(imageOrigin(native, hd), { x: 640, y: 360 })
  t.same(visibleRect(native, small, hd), { x: 0, y: 0, width: 640, height: 360 })
})
