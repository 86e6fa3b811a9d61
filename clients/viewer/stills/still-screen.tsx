import './stills.css'
import type { JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Language } from '../i18n.ts'
import type { OpenStill, StillsPart } from './stills-part.ts'
import { stillText } from './still-words.ts'

const SAVED = { png: 'savePng', planes: 'savePlanes', sidecar: 'saveSidecar' } as const

/** The still that is open, in place of everything else. */
export function StillScreen({ part, language }: { readonly part: StillsPart; readonly language: Language }): JSX.Element | null {
  const open = part.open.value
  return open === null ? null : <OpenStillScreen key={open.still.stillId} open={open} part={part} language={language} />
}

function OpenStillScreen({ open, part, language }: { readonly open: OpenStill; readonly part: StillsPart; readonly language: Language }): JSX.Element {
  const { still: { stillId, origin, missingTiles }, url } = open
  const [isNative, setNative] = useState(true)
  const [width, setWidth] = useState<number>()
  const screen = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => screen.current?.focus(), [])
  const press = (event: KeyboardEvent): void => {
    // What lies below is covered: no key may change it unseen.
    event.stopPropagation()
    if (event.key === 'Escape') void part.show(null)
    if (event.key === '1') setNative(true)
    if (event.key === '0') setNative(false)
  }
  const style = isNative && width !== undefined ? { width: `${width / devicePixelRatio}px`, maxWidth: 'none' } : undefined
  return (
    <div class="still-screen" role="dialog" aria-modal="true" aria-label={stillText(language, 'still')} tabIndex={-1} ref={screen} onKeyDown={press}>
      <div class="still-pan" tabIndex={0}>
        <img src={url} alt={stillText(language, 'still')} class={isNative ? 'native' : 'fitted'} style={style} onLoad={event => setWidth(event.currentTarget.naturalWidth)} />
      </div>
      <div class="tidings">
        <div class={`badge ${origin ?? ''}`} data-origin={origin}>
          <span class="mark" />
          <span>{stillText(language, origin ?? 'decoded')}</span>
          {missingTiles > 0 && <span class="note">{stillText(language, 'missing', missingTiles)}</span>}
        </div>
      </div>
      <div class="still-tools" role="toolbar" aria-label={stillText(language, 'still')}>
        <button type="button" aria-pressed={isNative} onClick={() => setNative(true)}>{stillText(language, 'atNative')}</button>
        <button type="button" aria-pressed={!isNative} onClick={() => setNative(false)}>{stillText(language, 'fitted')}</button>
        {(['png', 'planes', 'sidecar'] as const).map(file => (
          <button key={file} type="button" onClick={() => void part.save(stillId, file)}>{stillText(language, SAVED[file])}</button>
        ))}
        <button type="button" onClick={() => void part.show(null)}>{stillText(language, 'close')}</button>
      </div>
    </div>
  )
}
