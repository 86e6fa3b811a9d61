/** A line on the slide of a round length. */
export interface ScaleBar {
  readonly micrometres: number
  /** On the screen. */
  readonly cssPixels: number
}

/**
 * The longest bar of 1, 2 or 5 times a power of ten micrometres that is not longer than `most`.
 *
 * @param micrometresPerCssPixel - Above 0.
 * @param most - In CSS pixels.
 */
export function scaleBar(micrometresPerCssPixel: number, most: number): ScaleBar {
  const longest = micrometresPerCssPixel * most
  const power = 10 ** Math.floor(Math.log10(longest) + 1e-9)
  const factor = [5, 2, 1].find(candidate => candidate * power <= longest * (1 + 1e-9)) ?? 1
  return { micrometres: factor * power, cssPixels: (factor * power) / micrometresPerCssPixel }
}

/** A length for people: millimetres from one on. */
export function formatLength(micrometres: number): string {
  const round = (value: number): string => String(Number(value.toPrecision(3)))
  return micrometres >= 1000 ? `${round(micrometres / 1000)} mm` : `${round(micrometres)} µm`
}

/** The magnification of a microscope that would show the same, of what the screen shows. A screen's pixels are not known, so it is the objective's times the zoom. */
export const shownMagnification = (objectivePower: number, scale: number): number => objectivePower * scale

/** A magnification for people. */
export const formatMagnification = (power: number): string => `${Number(power.toPrecision(3))}×`
