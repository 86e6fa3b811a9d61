import { useSignal } from '@preact/signals'
import type { Signal } from '@preact/signals'
import type { JSX } from 'preact'
import './pointing.css'
import type { ImageAnnotation, ImagePlace, ImagePoint } from '../../../relay/wire/pointing.ts'
import { cssColour } from '../slides/member-colours.ts'
import { imageOrigin, imagePoint } from '../view/viewport.ts'
import type { Point } from '../view/viewport.ts'
import type { Viewer } from '../viewer.ts'
import { ImageDraft } from './image-draft.ts'
import { pointingText } from './pointing-words.ts'
import { Telepointer } from './telepointer.tsx'

type ToScreen = (at: ImagePoint, shift?: Point) => Point

/** From image pixels to CSS pixels of the picture as it is drawn; undefined before there is one. */
function toScreen(viewer: Viewer): ToScreen | undefined {
  const drawn = viewer.drawn.value
  if (drawn?.viewport == null) return undefined
  const origin = imageOrigin(drawn.viewport, drawn.canvas)
  const { scale } = drawn.viewport
  const ratio = viewer.devicePixelRatio.value
  return ({ x, y }, shift = { x: 0, y: 0 }) => ({ x: (origin.x + (x + shift.x) * scale) / ratio, y: (origin.y + (y + shift.y) * scale) / ratio })
}

const pathOf = (points: readonly Point[], isClosed = false): string => points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('') + (isClosed ? 'Z' : '')

/** The two strokes of an arrow's head. */
function headOf([tail, tip]: readonly Point[]): string {
  if (tail === undefined || tip === undefined) return ''
  const angle = Math.atan2(tip.y - tail.y, tip.x - tail.x)
  const end = (turn: number): Point => ({ x: tip.x - 14 * Math.cos(angle + turn), y: tip.y - 14 * Math.sin(angle + turn) })
  return pathOf([end(0.45), tip, end(-0.45)])
}

function Shape({ annotation: { id, geometry, colour, author }, points }: { readonly annotation: Pick<ImageAnnotation, 'id' | 'geometry' | 'colour' | 'author'>; readonly points: readonly Point[] }): JSX.Element {
  const [first = { x: 0, y: 0 }] = points
  const path = geometry.kind === 'point' || geometry.kind === 'text' ? '' : pathOf(points, geometry.kind === 'polygon') + (geometry.kind === 'arrow' ? headOf(points) : '')
  return (
    <g data-annotation={id} data-author={author} style={{ '--member': cssColour(colour) }}>
      {path !== '' && <path class="under" d={path} />}
      {path !== '' && <path d={path} />}
      {geometry.kind === 'point' && <circle cx={first.x} cy={first.y} r="5" />}
      {geometry.kind === 'text' && (
        <text x={first.x} y={first.y}>
          {geometry.text}
        </text>
      )}
    </g>
  )
}

/** What members drew on the live image, and where they point, where it belongs on the frame that is shown. */
export function PointingLayer({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { pointing, drawn } = viewer
  const place = toScreen(viewer)
  const image = drawn.value?.shown?.rtpTimestamp
  if (place === undefined || image === undefined) return null
  const shiftOf = (from: ImagePlace | null): Point | undefined => pointing.places.shift(from, image)
  return (
    <svg class="pointing" aria-hidden="true">
      {pointing.annotations.value.map(annotation => {
        const shift = shiftOf(annotation.place)
        return shift && <Shape key={annotation.id} annotation={annotation} points={annotation.geometry.points.map(at => place(at, shift))} />
      })}
      {pointing.pointers.value.map(({ memberId, colour, at, place: from }) => {
        const shift = shiftOf(from)
        if (shift === undefined) return null
        return <Telepointer key={memberId} memberId={memberId} colour={colour} at={place(at, shift)} />
      })}
    </svg>
  )
}

/** The place in the image under a pointer, kept inside of it. */
function placeUnder(viewer: Viewer, event: MouseEvent): ImagePoint | undefined {
  const [viewport, image] = [viewer.viewport.value, viewer.image.value]
  if (viewport === null || image === null) return undefined
  const ratio = viewer.devicePixelRatio.value
  const { x, y } = imagePoint(viewport, viewer.canvas.value, { x: event.clientX * ratio, y: event.clientY * ratio })
  return { x: Math.min(image.width, Math.max(0, x)), y: Math.min(image.height, Math.max(0, y)) }
}

/** Lies over the picture while a tool is in hand; the wheel goes through. */
export function ImageDrawingLayer({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { tool, pointing } = viewer
  const draft = useSignal<{ readonly draft: ImageDraft; readonly points: readonly ImagePoint[] } | null>(null)
  const writing = useSignal<ImagePoint | null>(null)
  const place = toScreen(viewer)
  const chosen = tool.value
  if (chosen === null || place === undefined) return null
  const least = 3 / (viewer.viewport.value?.scale ?? 1)
  const down = (at: ImagePoint): void => {
    if (chosen === 'text') writing.value = at
    else draft.value = { draft: new ImageDraft(chosen, at, least), points: [at] }
  }
  const finish = (): void => {
    const geometry = draft.value?.draft.finish()
    draft.value = null
    if (geometry !== undefined) pointing.draw(geometry)
  }
  return (
    <div
      class="image-drawing"
      onMouseDown={event => event.preventDefault()}
      onPointerDown={event => {
        const at = placeUnder(viewer, event)
        if (event.button !== 0 || at === undefined) return
        event.currentTarget.setPointerCapture(event.pointerId)
        down(at)
      }}
      onPointerMove={event => {
        const at = placeUnder(viewer, event)
        pointing.pointAt(at)
        if (draft.value === null || at === undefined) return
        draft.value.draft.move(at)
        draft.value = { draft: draft.value.draft, points: [...draft.value.draft.points] }
      }}
      onPointerUp={finish}
      onPointerCancel={() => (draft.value = null)}
    >
      {draft.value !== null && (
        <svg class="pointing" aria-hidden="true">
          <path d={pathOf(draft.value.points.map(at => place(at)), chosen === 'polygon')} style={{ '--member': cssColour(pointing.me.value?.colour ?? 7) }} />
        </svg>
      )}
      {writing.value !== null && <TextEntry viewer={viewer} at={writing} place={place} />}
    </div>
  )
}

function TextEntry({ viewer, at, place }: { readonly viewer: Viewer; readonly at: Signal<ImagePoint | null>; readonly place: ToScreen }): JSX.Element | null {
  if (at.value === null) return null
  const { x, y } = place(at.value)
  const words = pointingText(viewer.language.value, 'write')
  return (
    <input
      class="writing"
      style={{ left: `${x}px`, top: `${y}px` }}
      aria-label={words}
      placeholder={words}
      maxLength={500}
      ref={element => element?.focus()}
      onPointerDown={event => event.stopPropagation()}
      onMouseDown={event => event.stopPropagation()}
      onKeyDown={event => {
        event.stopPropagation()
        const text = event.currentTarget.value.trim()
        // Enter also ends a conversion from kana.
        if (event.key === 'Enter' && !event.isComposing) {
          if (text !== '' && at.value !== null) viewer.pointing.draw({ kind: 'text', points: [at.value], text })
          at.value = null
        }
        if (event.key === 'Escape') at.value = null
      }}
    />
  )
}
