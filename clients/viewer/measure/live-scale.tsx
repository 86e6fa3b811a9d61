import './measure.css'
import type { JSX } from 'preact'
import { formatLength, scaleBar } from '../slides/scale-bar.ts'
import type { Viewer } from '../viewer.ts'
import { measureText } from './measure-words.ts'

/** The longest bar, as a part of the window's width, and its bounds in CSS pixels. */
const PART = 1 / 8
const LEAST = 140
const MOST = 720

/** How large things are on the live image: a bar of a round length and the objective. As wide and high without one, so that nothing moves when it comes. */
export function LiveScale({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  const language = viewer.language.value
  const ratio = viewer.devicePixelRatio.value
  const longest = Math.min(MOST, Math.max(LEAST, (viewer.canvas.value.width / ratio) * PART))
  const [viewport, calibration] = [viewer.viewport.value, viewer.calibration.value]
  const bar = viewport === null || calibration === null ? undefined : scaleBar((calibration.micrometresPerPixel * ratio) / viewport.scale, longest)
  const objective = viewer.stage.stage.value?.state.objective
  return (
    <div class="live-scale" role="group" aria-label={measureText(language, 'scale')} style={{ '--longest': `${longest}px` }}>
      {bar === undefined ? (
        <span class="unknown">{measureText(language, viewport === null ? 'noImage' : 'noScale')}</span>
      ) : (
        <>
          <span class="length">
            {formatLength(bar.micrometres)}
            {objective !== undefined && <span class="objective">{objective}</span>}
          </span>
          <span class="bar" style={{ width: `${bar.cssPixels}px` }} data-micrometres={bar.micrometres} />
        </>
      )}
    </div>
  )
}
