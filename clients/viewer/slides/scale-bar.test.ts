import { t } from 'tap'
import { formatLength, formatMagnification, scaleBar, shownMagnification } from './scale-bar.ts'

t.test('takes the longest round length that fits', async t => {
  t.same(scaleBar(1, 150), { micrometres: 100, cssPixels: 100 })
  t.same(scaleBar(1, 100), { micrometres: 100, cssPixels: 100 })
  t.same(scaleBar(1, 99), { micrometres: 50, cssPixels: 50 })
  t.equal(scaleBar(0.25, 150).micrometres, 20)
  t.equal(scaleBar(40, 150).micrometres, 5000)
  t.equal(scaleBar(0.001, 150).micrometres, 0.1)
  for (let power = -3; power < 3; power += 0.1) {
    const { cssPixels, micrometres } = scaleBar(10 ** power, 150)
    t.ok(cssPixels <= 150.001 && cssPixels >= 59, `${micrometres} µm`)
  }
})

t.test('says millimetres from one on', async t => {
  t.same([0.5, 200, 999, 1000, 20_000].map(formatLength), ['0.5 µm', '200 µm', '999 µm', '1 mm', '20 mm'])
  t.equal(formatMagnification(shownMagnification(20, 0.333)), '6.66×')
})
