import type { JSX } from 'preact'
import type { Annotation } from '../../../relay/wire/slide-annotations.ts'
import type { Language } from '../i18n.ts'
import { propertiesOf } from './annotations.ts'
import type { Position } from './annotations.ts'
import { Telepointer } from '../instruments/telepointer.tsx'
import { cssColour } from './member-colours.ts'
import type { OpenSlide, SlideDesk } from './slide-desk.ts'
import type { SlideTools } from './slide-tools.ts'
import type { SlideView } from './slide-view.ts'
import { slideText } from './slide-words.ts'

type Place = (position: Position) => string

function ringPath(ring: readonly Position[], place: Place): string {
  return ring.map((position, index) => `${index === 0 ? 'M' : 'L'}${place(position)}`).join('')
}

/** Lines of an annotation, as an SVG path; empty for points. */
function pathOf({ geometry }: Annotation, place: Place): string {
  switch (geometry.type) {
    case 'LineString':
      return ringPath(geometry.coordinates, place)
    case 'MultiLineString':
    case 'Polygon':
      return geometry.coordinates.map(ring => ringPath(ring, place)).join('')
    case 'MultiPolygon':
      return geometry.coordinates.flat().map(ring => ringPath(ring, place)).join('')
    case 'Point':
    case 'MultiPoint':
      return ''
    default:
      return geometry satisfies never
  }
}

function pointsOf({ geometry }: Annotation): readonly Position[] {
  return geometry.type === 'Point' ? [geometry.coordinates] : geometry.type === 'MultiPoint' ? geometry.coordinates : []
}

function Shape({ annotation, view }: { readonly annotation: Annotation; readonly view: SlideView }): JSX.Element {
  const { colour, text, kind } = propertiesOf(annotation)
  const screen = ([x, y]: Position) => view.screenPoint({ x, y })
  const path = pathOf(annotation, position => `${screen(position).x.toFixed(1)} ${screen(position).y.toFixed(1)}`)
  return (
    <g style={{ '--member': cssColour(colour) }} data-annotation={annotation.id}>
      {path !== '' && <path class="under" d={path} />}
      {path !== '' && <path d={path} />}
      {pointsOf(annotation).map((position, index) => {
        const { x, y } = screen(position)
        return (
          <g key={index} transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}>
            {kind !== 'text' && <circle r="5" />}
            {text !== undefined && <text y="4">{text}</text>}
          </g>
        )
      })}
    </g>
  )
}

/** What is drawn on the slide, by everybody, and where the others point. */
export function AnnotationLayer({ open, desk, tools }: { readonly open: OpenSlide; readonly desk: SlideDesk; readonly tools: SlideTools }): JSX.Element {
  const { view, annotations } = open
  // `screenPoint` reads the viewport: everything is laid out anew when the view moves.
  const draft = tools.draft.value?.outline(tools.pointer.value) ?? []
  const outline = ringPath(draft, ([x, y]) => Object.values(view.screenPoint({ x, y })).join(' '))
  return (
    <svg class="annotations" aria-hidden="true">
      {annotations.features.value.map(annotation => (
        <Shape key={annotation.id} annotation={annotation} view={view} />
      ))}
      {outline !== '' && <path class="draft" d={outline} style={{ '--member': cssColour(desk.channel.me.value?.colour ?? 7) }} />}
      {desk.pointers.value.map(({ memberId, colour, at }) => (
        <Telepointer key={memberId} memberId={memberId} colour={colour} at={view.screenPoint(at)} />
      ))}
    </svg>
  )
}

/** Lies over the slide while something is drawn; the wheel goes through. */
export function DrawingLayer({ open, tools, language }: { readonly open: OpenSlide; readonly tools: SlideTools; readonly language: Language }): JSX.Element {
  const placeOf = (event: MouseEvent & { readonly currentTarget: HTMLElement }): Position => {
    const box = event.currentTarget.getBoundingClientRect()
    const ratio = open.view.canvas.value.width / box.width
    const at = { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio }
    open.view.pointAt(at)
    const { x, y } = open.view.placeOf(at)
    return [x, y]
  }
  const writing = tools.writing.value
  const input = writing === null ? undefined : open.view.screenPoint({ x: writing[0], y: writing[1] })
  return (
    <>
      <div
        class="drawing"
        // A click here takes the focus from nothing: a text may be being written.
        onMouseDown={event => event.preventDefault()}
        onPointerDown={event => {
          event.stopPropagation()
          if (event.button !== 0) return
          event.currentTarget.setPointerCapture(event.pointerId)
          tools.down(placeOf(event))
        }}
        onPointerMove={event => {
          event.stopPropagation()
          tools.move(placeOf(event))
        }}
        onPointerUp={event => {
          event.stopPropagation()
          tools.up(placeOf(event))
        }}
        onDblClick={event => {
          event.stopPropagation()
          tools.close()
        }}
      />
      {input !== undefined && (
        <input
          class="writing"
          style={{ left: `${input.x}px`, top: `${input.y}px` }}
          aria-label={slideText(language, 'write')}
          placeholder={slideText(language, 'write')}
          maxLength={500}
          ref={element => element?.focus()}
          onPointerDown={event => event.stopPropagation()}
          onDblClick={event => event.stopPropagation()}
          onKeyDown={event => {
            event.stopPropagation()
            // Enter also ends a conversion from kana.
            if (event.key === 'Enter' && !event.isComposing) tools.write(event.currentTarget.value)
            if (event.key === 'Escape') tools.cancel()
          }}
        />
      )}
    </>
  )
}
