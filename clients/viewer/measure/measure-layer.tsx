import type { JSX } from 'preact'
import { imageOrigin } from '../view/viewport.ts'
import type { Point } from '../view/viewport.ts'
import type { Viewer } from '../viewer.ts'
import { formatMeasured, leastPoints, shownPoint } from './measurement.ts'
import type { Measurement } from './measurement.ts'

/** Where a kept point is on the picture as it is drawn, in CSS pixels; undefined where that cannot be said. */
function placer(viewer: Viewer, unit: Measurement['unit']): ((kept: Point) => Point) | undefined {
  const [drawn, image, calibration] = [viewer.drawn.value, viewer.image.value, viewer.calibration.value]
  if (drawn?.viewport == null || image === null || (unit === 'micrometre' && calibration === null)) return undefined
  const origin = imageOrigin(drawn.viewport, drawn.canvas)
  const { scale } = drawn.viewport
  const ratio = viewer.devicePixelRatio.value
  return kept => {
    const { x, y } = shownPoint(kept, image, unit === 'pixel' ? null : calibration)
    return { x: (origin.x + x * scale) / ratio, y: (origin.y + y * scale) / ratio }
  }
}

function Drawn({ viewer, measurement, isUnderWay }: { readonly viewer: Viewer; readonly measurement: Measurement; readonly isUnderWay: boolean }): JSX.Element | null {
  const place = placer(viewer, measurement.unit)
  if (place === undefined) return null
  const points = measurement.points.map(place)
  const last = points.at(-1)
  const isClosed = measurement.kind === 'area' && points.length > 2
  const path = points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('') + (isClosed ? 'Z' : '')
  const isTold = last !== undefined && points.length >= leastPoints(measurement.kind)
  return (
    <g class={isUnderWay ? 'under-way' : ''}>
      <path class="ground" d={path} />
      <path d={path} />
      {points.map(({ x, y }, index) => (
        <circle key={index} cx={x} cy={y} r="3" />
      ))}
      {isTold && (
        <text x={last.x + 8} y={last.y - 8}>
          {formatMeasured(measurement)}
        </text>
      )}
    </g>
  )
}

/** What was measured, on the picture; a cross in the middle, where Enter sets a point, while the pointer is elsewhere. */
export function MeasureLayer({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { measure } = viewer
  const underWay = measure.underWay.value
  const isTaken = measure.kind.value !== null
  if (!isTaken && measure.kept.value.length === 0) return null
  return (
    <svg class="measure-layer" aria-hidden="true">
      {measure.kept.value.map((measurement, index) => (
        <Drawn key={index} viewer={viewer} measurement={measurement} isUnderWay={false} />
      ))}
      {underWay !== null && <Drawn viewer={viewer} measurement={underWay} isUnderWay />}
      {isTaken && measure.hover.value === undefined && (
        <svg x="50%" y="50%" overflow="visible">
          <path class="ground" d="M-12 0H-3M3 0H12M0-12V-3M0 3V12" />
          <path d="M-12 0H-3M3 0H12M0-12V-3M0 3V12" />
        </svg>
      )}
    </svg>
  )
}
