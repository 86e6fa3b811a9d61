import './quality.css'
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import type { Viewer } from '../viewer.ts'
import type { QualityLevel } from './connection-quality.ts'
import { qualityText, whyText } from './quality-words.ts'

/** A shape for each, because colours alone do not tell everybody apart: a tick, a triangle, a cross. @see WCAG 2.2 success criterion 1.4.1 */
const SIGNS: Record<QualityLevel, string> = {
  good: 'M2.5 8.5l3.5 3.500 7.500-8',
  fair: 'M8 2L15 14H1zM8 6.500v3.500M8 12v.5',
  poor: 'M3 3l10 10M13 3L3 13',
}

/** How good the connection is, always in the same place. */
export function QualitySign({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  const { level, reason } = viewer.quality.value
  return (
    <div class={`quality ${level}`} data-quality={level} data-reason={reason ?? 'none'}>
      <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.8" aria-hidden="true">
        <path d={SIGNS[level]} />
      </svg>
      {qualityText(viewer.language.value, level)}
    </div>
  )
}

/** Why it is bad and what to do; nothing while it is good. Read aloud when the reason is another. */
export function QualityReason({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  const quality = viewer.quality.value
  const language = viewer.language.value
  // Its number may change every second; that is for the eye.
  const spoken = useRef(quality)
  if (spoken.current.reason !== quality.reason || spoken.current.level !== quality.level) spoken.current = quality
  return (
    <>
      {quality.reason !== null && (
        <p class="quality-why" aria-hidden="true">
          {whyText(language, quality)}
        </p>
      )}
      <span class="visually-hidden" role="status" aria-live="polite">
        {qualityText(language, quality.level)} {whyText(language, spoken.current)}
      </span>
    </>
  )
}
