import type { JSX } from 'preact'
import type { Language } from '../i18n.ts'
import { formatLength, formatMagnification, scaleBar, shownMagnification } from './scale-bar.ts'
import { slidePhrases } from './slide-badge.ts'
import type { SlideView } from './slide-view.ts'
import { slideText } from './slide-words.ts'
import type { SlideTextKey } from './slide-words.ts'

/** Of the scale bar, in CSS pixels. */
const LONGEST_BAR = 160

/** The truth about the slide on the screen, always visible. */
export function SlideBadge({ view, language }: { readonly view: SlideView; readonly language: Language }): JSX.Element {
  const truth = view.truth.value
  const [first, ...notes] = slidePhrases(truth).map(({ key, n }) => slideText(language, key, n))
  return (
    <div class={`badge slide-badge ${truth.kind}`} data-slide-kind={truth.kind}>
      <span class="mark" aria-hidden="true" />
      <span role="status" aria-live="polite">
        {first}
      </span>
      {notes.map(note => (
        <span class="note" key={note}>
          {note}
        </span>
      ))}
      {view.fault.value !== null && <span class="note">{slideText(language, 'fault', view.fault.value.code)}</span>}
    </div>
  )
}

const STATES = { arriving: 'scannerArriving', complete: 'scannerComplete', failed: 'scannerFailed' } as const satisfies Record<string, SlideTextKey>

/** What has arrived of the slide: a stretch for every level, the coarsest first. */
export function HeatLine({ view, language }: { readonly view: SlideView; readonly language: Language }): JSX.Element {
  const percent = Math.floor(view.share.value * 100)
  const state = view.state.value
  return (
    <div class={`heat ${state}`} role="progressbar" aria-label={slideText(language, 'heat')} aria-valuenow={percent} aria-valuemin={0} aria-valuemax={100}>
      <div class="line">
        {view.heat.value.map(({ level, share, width }) => (
          <span key={level} class={level === view.truth.value.level ? 'stretch seen' : 'stretch'} style={{ flexGrow: width }} title={slideText(language, 'heatLevel', level)}>
            <span style={{ width: `${share * 100}%` }} />
          </span>
        ))}
      </div>
      <span class="said">
        {percent} % · {slideText(language, STATES[state])}
      </span>
    </div>
  )
}

/** How large things are: a bar of a round length, the objective, and what is shown of it. */
export function ScaleBar({ view, language }: { readonly view: SlideView; readonly language: Language }): JSX.Element {
  const { micronsPerPixel, objectivePower } = view.structure
  const scale = view.viewport.value?.scale ?? 1
  const bar = micronsPerPixel === null ? undefined : scaleBar((micronsPerPixel.x * view.devicePixelRatio.value) / scale, LONGEST_BAR)
  return (
    <div class="scale">
      {bar === undefined ? (
        <p class="unknown">{slideText(language, 'scaleUnknown')}</p>
      ) : (
        <div class="bar" style={{ width: `${bar.cssPixels}px` }} data-micrometres={bar.micrometres}>
          {formatLength(bar.micrometres)}
        </div>
      )}
      {objectivePower !== null && (
        <span class="power">
          {slideText(language, 'objective', formatMagnification(objectivePower))} · {slideText(language, 'shownAt', formatMagnification(shownMagnification(objectivePower, scale)))}
        </span>
      )}
    </div>
  )
}
