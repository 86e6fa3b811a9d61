import { useEffect, useRef } from 'preact/hooks'
import type { JSX } from 'preact'
import { text } from '../i18n.ts'
import { visibleRect } from '../view/viewport.ts'
import type { Viewer } from '../viewer.ts'

/** The whole field in small with a frame around what is on the canvas; press or drag to go there. With the focus on it, arrow keys move, as they do everywhere. */
export function MinimapView({ viewer, canvas }: { readonly viewer: Viewer; readonly canvas: HTMLCanvasElement }): JSX.Element | null {
  const holder = useRef<HTMLDivElement>(null)
  const [image, viewport] = [viewer.image.value, viewer.viewport.value]
  const isShown = image !== null && viewport !== null
  useEffect(() => {
    if (isShown) holder.current?.prepend(canvas)
  }, [canvas, isShown])
  if (image === null || viewport === null) return null
  const visible = visibleRect(viewport, image, viewer.canvas.value)
  const isWhole = visible.width >= image.width - 1 && visible.height >= image.height - 1
  const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)}%`
  const go = (event: PointerEvent): void => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect()
    const x = ((event.clientX - box.left) / box.width) * image.width
    const y = ((event.clientY - box.top) / box.height) * image.height
    viewer.view({ x, y, scale: viewer.viewport.value?.scale ?? viewport.scale })
  }
  const down = (event: PointerEvent): void => {
    if (event.button !== 0) return
    ;(event.currentTarget as HTMLElement).setPointerCapture(event.pointerId)
    go(event)
  }
  const move = (event: PointerEvent): void => {
    if ((event.currentTarget as HTMLElement).hasPointerCapture(event.pointerId)) go(event)
  }
  const frame = {
    left: percent(visible.x, image.width),
    top: percent(visible.y, image.height),
    width: percent(visible.width, image.width),
    height: percent(visible.height, image.height),
  }
  return (
    <div
      ref={holder}
      class="minimap"
      role="application"
      tabIndex={0}
      aria-label={`${text(viewer.language.value, 'minimap')}. ${text(viewer.language.value, 'helpDrag')}`}
      style={{ aspectRatio: `${image.width} / ${image.height}`, visibility: isWhole ? 'hidden' : 'visible' }}
      onPointerDown={down}
      onPointerMove={move}
    >
      <div class="frame" style={frame} />
    </div>
  )
}
