import type { JSX } from 'preact'
import type { WithheldView } from '../view/expectation.ts'
import { imageOrigin } from '../view/viewport.ts'
import type { Viewer } from '../viewer.ts'
import { outlineOf } from './outline.ts'

/** The path around the withheld tiles of one kind, in CSS pixels of the picture as it is drawn. */
function pathAround(viewer: Viewer, shownAs: WithheldView['shownAs']): string {
  const drawn = viewer.drawn.value
  const pyramid = viewer.publication.value?.pyramid
  if (drawn?.viewport == null || pyramid === undefined) return ''
  const ids = new Set(viewer.plan.expectation.value.withheld.filter(item => item.shownAs === shownAs).map(item => item.renditionId))
  const regions = pyramid.renditions.filter(({ id }) => ids.has(id)).map(({ region }) => region)
  const origin = imageOrigin(drawn.viewport, drawn.canvas)
  const { scale } = drawn.viewport
  const css = (origin: number, image: number): string => ((origin + image * scale) / viewer.devicePixelRatio.value).toFixed(1)
  const line = (x: number, y: number): string => `${css(origin.x, x)} ${css(origin.y, y)}`
  return outlineOf(regions).map(({ x1, y1, x2, y2 }) => `M${line(x1, y1)}L${line(x2, y2)}`).join('')
}

/** A thin line, light on dark, around what is withheld: dashed where half the resolution is shown, dotted where only the overview is. */
export function WithheldOutline({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  if (viewer.plan.expectation.value.withheld.length === 0) return null
  return (
    <svg class="withheld-outline" aria-hidden="true">
      {(['middle', 'overview'] as const).map(shownAs => {
        const path = pathAround(viewer, shownAs)
        return [<path class="ground" key={`${shownAs} ground`} d={path} />, <path class={shownAs} key={shownAs} d={path} />]
      })}
    </svg>
  )
}
