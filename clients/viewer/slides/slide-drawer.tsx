import type { JSX } from 'preact'
import type { Language } from '../i18n.ts'
import type { SlideSummary } from '../../../relay/wire/slide.ts'
import { propertiesOf } from './annotations.ts'
import { cssColour } from './member-colours.ts'
import type { OpenSlide, SlideDesk } from './slide-desk.ts'
import { slideText } from './slide-words.ts'
import { StillList } from '../stills/still-list.tsx'
import type { StillsPart } from '../stills/stills-part.ts'

/** While a slide arrives nobody knows how much it will be: levels are announced one by one. */
const stateText = (language: Language, { state, bytesHere }: SlideSummary): string => slideText(language, state, (bytesHere / 1e6).toFixed(bytesHere < 1e7 ? 1 : 0))

/** The slides of the consultation, and the way back to the live image. */
export function SlideDrawer({ desk, stills, language }: { readonly desk: SlideDesk; readonly stills: StillsPart; readonly language: Language }): JSX.Element {
  const slides = desk.channel.slides.value
  const open = desk.open.value
  return (
    <nav class="slide-drawer" aria-label={slideText(language, 'slides')}>
      <h2>{slideText(language, 'slides')}</h2>
      <button type="button" class="entry" aria-pressed={open === null} onClick={() => void desk.show(null)}>
        {slideText(language, 'live')}
      </button>
      {slides.length === 0 && <p>{slideText(language, 'noSlides')}</p>}
      {slides.map(slide => (
        <button key={slide.slideId} type="button" class="entry" data-slide={slide.slideId} aria-pressed={open?.slideId === slide.slideId} disabled={!desk.mayView} onClick={() => void desk.show(slide.slideId)}>
          <span>{slide.pseudonym}</span>
          <span class="state">{stateText(language, slide)}</span>
        </button>
      ))}
      <StillList part={stills} language={language} />
      {desk.fault.value !== null && <p class="refused">{slideText(language, 'fault', desk.fault.value.code)}</p>}
      {open !== null && <AnnotationList open={open} desk={desk} language={language} />}
    </nav>
  )
}

function AnnotationList({ open, desk, language }: { readonly open: OpenSlide; readonly desk: SlideDesk; readonly language: Language }): JSX.Element | null {
  const features = open.annotations.features.value
  if (features.length === 0) return null
  return (
    <ul class="annotation-list">
      {features.map(feature => {
        const { colour, kind, author, text } = propertiesOf(feature)
        const isOwn = author !== undefined && author === desk.channel.me.value?.memberId
        return (
          <li key={feature.id}>
            <span class="dot" style={{ background: cssColour(colour) }} />
            <span class="what">
              {text ?? (kind === undefined ? feature.geometry.type : slideText(language, kind))}
              {author !== undefined && <small> {author}</small>}
            </span>
            {isOwn && desk.mayAnnotate && (
              <button type="button" aria-label={slideText(language, 'remove')} title={slideText(language, 'remove')} onClick={() => open.annotations.remove(feature.id)}>
                ×
              </button>
            )}
          </li>
        )
      })}
    </ul>
  )
}
