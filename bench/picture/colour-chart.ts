import { differenceCiede2000 } from 'culori'
import { COLOUR_PATCHES } from '../../clients/capture/pattern-layout.ts'
import type { PatternLayout } from '../../clients/capture/pattern-layout.ts'
import type { RgbaPixels } from '../../clients/capture/pattern.ts'

/** @see CIE 142-2001; G. Sharma et al., "The CIEDE2000 color-difference formula", 2005 */
const ciede2000 = differenceCiede2000()

type Rgb = readonly [number, number, number]

const colour = ([r, g, b]: Rgb) => ({ mode: 'rgb', r: r / 255, g: g / 255, b: b / 255 }) as const

/** The colour difference ΔE2000 of two sRGB colours, given as code values from 0 to 255. */
export const deltaE = (a: Rgb, b: Rgb): number => ciede2000(colour(a), colour(b))

/**
 * Reads the colour chart of one tile of the test card.
 *
 * @param pixels - The tile at one image pixel per pixel, its top left corner first.
 * @returns ΔE2000 of each patch, mean of its inner half against its definition.
 */
export function chartDifferences(pixels: RgbaPixels, layout: PatternLayout): number[] {
  return layout.patches.map((patch, index) => {
    const inset = { x: patch.x + patch.width / 4, y: patch.y + patch.height / 4, width: patch.width / 2, height: patch.height / 2 }
    return deltaE(meanColour(pixels, inset), COLOUR_PATCHES[index] ?? [0, 0, 0])
  })
}

function meanColour({ data, width }: RgbaPixels, area: { x: number; y: number; width: number; height: number }): Rgb {
  const sums: [number, number, number] = [0, 0, 0]
  for (let y = area.y; y < area.y + area.height; y++) {
    for (let x = area.x; x < area.x + area.width; x++) {
      const at = 4 * (y * width + x)
      sums[0] += data[at] ?? 0
      sums[1] += data[at + 1] ?? 0
      sums[2] += data[at + 2] ?? 0
    }
  }
  const count = area.width * area.height
  return [sums[0] / count, sums[1] / count, sums[2] / count]
}
