import { t } from 'tap'
import { COLOUR_PATCHES, patternLayout } from '../../clients/capture/pattern-layout.ts'
import { chartDifferences, deltaE } from './colour-chart.ts'

type Rgb = readonly [number, number, number]

const tile = { width: 1280, height: 720 }
const layout = patternLayout(tile)

function drawChart(change: (colour: Rgb) => Rgb): Uint8Array {
  const data = new Uint8Array(tile.width * tile.height * 4)
  for (const [index, patch] of layout.patches.entries()) {
    for (let y = patch.y; y < patch.y + patch.height; y++) {
      for (let x = patch.x; x < patch.x + patch.width; x++) {
        data.set(change(COLOUR_PATCHES[index]!), 4 * (y * tile.width + x))
      }
    }
  }
  return data
}

t.test('finds no difference in the chart itself', async t => {
  const differences = chartDifferences({ data: drawChart(colour => colour), ...tile }, layout)
  t.equal(differences.length, 24)
  t.ok(Math.max(...differences) < 1e-9)
})

t.test('sees red and blue exchanged', async t => {
  const data = drawChart(([r, g, b]) => [b, g, r])
  t.ok(Math.max(...chartDifferences({ data, ...tile }, layout)) > 20)
})

t.test('is CIEDE2000: symmetric, about 1 at the threshold of perception', async t => {
  t.equal(deltaE([10, 20, 30], [10, 20, 30]), 0)
  t.equal(deltaE([10, 20, 30], [40, 20, 30]).toFixed(6), deltaE([40, 20, 30], [10, 20, 30]).toFixed(6))
  t.ok(Math.abs(deltaE([128, 128, 128], [131, 131, 131]) - 1) < 0.3)
})
