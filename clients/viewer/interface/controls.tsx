import type { ComponentChildren, JSX } from 'preact'
import { text } from '../i18n.ts'
import type { TextKey } from '../i18n.ts'
import type { LazySlides } from '../slides/lazy-slides.ts'
import type { Viewer } from '../viewer.ts'
import { toggleFullscreen } from './interface-state.ts'
import type { InterfaceState } from './interface-state.ts'

/** Outlines on a grid of 16, because no font has all of these signs. */
const ICONS = {
  fit: 'M2.5 4.5h11v7h-11zM5 7h6v2H5z',
  fullscreen: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  keep: 'M2.5 5h2.5l1-1.500h4l1 1.500h2.500v8h-11zM8 7a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  dim: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
} as const

function Icon({ name }: { readonly name: keyof typeof ICONS }): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" width="15" height="15" fill="none" stroke="currentColor" stroke-width="1.3" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  )
}

interface ButtonProperties {
  readonly viewer: Viewer
  readonly label: TextKey
  readonly face: ComponentChildren
  readonly isPressed?: boolean
  readonly onPress: () => void
}

function Button({ viewer, label, face, isPressed, onPress }: ButtonProperties): JSX.Element {
  const name = text(viewer.language.value, label)
  return (
    <button type="button" aria-label={name} title={name} aria-pressed={isPressed} onClick={onPress}>
      {face}
    </button>
  )
}

/** Buttons for everything that keys and gestures do. */
export function Controls({ viewer, state, slides }: { readonly viewer: Viewer; readonly state: InterfaceState; readonly slides: LazySlides }): JSX.Element {
  return (
    <div class="controls" role="toolbar" aria-label={text(viewer.language.value, 'controls')}>
      <Button viewer={viewer} label="zoomIn" face="+" onPress={() => viewer.zoom(2 ** 0.5)} />
      <Button viewer={viewer} label="zoomOut" face="−" onPress={() => viewer.zoom(2 ** -0.5)} />
      <Button viewer={viewer} label="fit" face={<Icon name="fit" />} onPress={() => viewer.fit()} />
      <Button viewer={viewer} label="oneToOne" face="1:1" isPressed={viewer.viewport.value?.scale === 1} onPress={() => viewer.zoomTo(1)} />
      {viewer.hasWhole.value && (
        <Button
          viewer={viewer}
          label="mode"
          face="8K"
          isPressed={viewer.mode.value === 'whole'}
          onPress={() => viewer.setMode(viewer.mode.value === 'whole' ? 'pyramid' : 'whole')}
        />
      )}
      <Button viewer={viewer} label="keepStill" face={<Icon name="keep" />} onPress={() => viewer.keepStill()} />
      {viewer.slides.slides.value.length + viewer.stills.stills.value.length > 0 && <Button viewer={viewer} label="slides" face="S" onPress={() => slides.toggleDrawer()} />}
      <Button viewer={viewer} label="fullscreen" face={<Icon name="fullscreen" />} onPress={toggleFullscreen} />
      <Button viewer={viewer} label="panel" face="i" isPressed={state.isPanelOpen.value} onPress={() => state.toggle('isPanelOpen')} />
      <Button viewer={viewer} label="dim" face={<Icon name="dim" />} isPressed={state.isDimmed.value} onPress={() => state.toggle('isDimmed')} />
      <Button viewer={viewer} label="language" face={viewer.language.value === 'ja' ? 'EN' : '日'} onPress={() => viewer.setLanguage(viewer.language.value === 'ja' ? 'en' : 'ja')} />
      <Button viewer={viewer} label="help" face="?" isPressed={state.isHelpOpen.value} onPress={() => state.toggle('isHelpOpen')} />
    </div>
  )
}
