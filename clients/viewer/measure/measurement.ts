import type { Point, Size } from '../view/viewport.ts'

/** A straight distance, the length of a line with bends, or the area inside one. */
export const MEASURE_KINDS = ['distance', 'path', 'area'] as const
export type MeasureKind = (typeof MEASURE_KINDS)[number]

/** Where the image lies on the slide, and how large its pixels are there. */
export interface Calibration {
  /** The slide point at the centre of the image, in micrometres. */
  readonly x: number
  readonly y: number
  /** Slide micrometres per image pixel. */
  readonly micrometresPerPixel: number
}

/** What was measured, in micrometres on the slide where the microscope is calibrated, else in pixels of the image. */
export interface Measurement {
  readonly kind: MeasureKind
  readonly unit: 'micrometre' | 'pixel'
  readonly points: readonly Point[]
}

/** An image point where it is kept: on the slide, which moves under the image, or on the image. */
export function keptPoint(at: Point, image: Size, calibration: Calibration | null): Point {
  if (calibration === null) return at
  const { x, y, micrometresPerPixel } = calibration
  return { x: x + (at.x - image.width / 2) * micrometresPerPixel, y: y + (at.y - image.height / 2) * micrometresPerPixel }
}

/** The image point under a kept one; it may lie outside the image. */
export function shownPoint(kept: Point, image: Size, calibration: Calibration | null): Point {
  if (calibration === null) return kept
  const { x, y, micrometresPerPixel } = calibration
  return { x: image.width / 2 + (kept.x - x) / micrometresPerPixel, y: image.height / 2 + (kept.y - y) / micrometresPerPixel }
}

const between = (a: Point, b: Point): number => Math.hypot(b.x - a.x, b.y - a.y)

function lengthOf(points: readonly Point[]): number {
  return points.reduce((sum, point, index) => sum + between(points[index - 1] ?? point, point), 0)
}

/** The shoelace formula; of a figure that crosses itself the difference of its parts. */
function areaOf(points: readonly Point[]): number {
  const twice = points.reduce((sum, point, index) => {
    const next = points[(index + 1) % points.length] ?? point
    return sum + point.x * next.y - next.x * point.y
  }, 0)
  return Math.abs(twice) / 2
}

/** How long or how large: in the unit of the measurement, or its square. */
export function valueOf({ kind, points }: Pick<Measurement, 'kind' | 'points'>): number {
  return kind === 'area' ? areaOf(points) : lengthOf(points)
}

/** Points that are needed. */
export const leastPoints = (kind: MeasureKind): number => (kind === 'area' ? 3 : 2)

const digits = (value: number): string => String(Number(value.toPrecision(4)))

/** A value for people: four digits, in the unit that needs the fewest. */
export function formatMeasured({ kind, unit, points }: Measurement): string {
  const value = valueOf({ kind, points })
  if (unit === 'pixel') return kind === 'area' ? `${value.toFixed(0)} px²` : `${String(Number(value.toFixed(1)))} px`
  if (kind === 'area') return value < 1e5 ? `${digits(value)} µm²` : `${digits(value / 1e6)} mm²`
  return value < 1000 ? `${digits(value)} µm` : `${digits(value / 1000)} mm`
}
