import type { ComponentChildren, JSX } from 'preact'
import { text } from '../i18n.ts'
import type { TextKey } from '../i18n.ts'
import type { LazySlides } from '../slides/lazy-slides.ts'
import type { Viewer } from '../viewer.ts'
import { toggleFullScreen } from './full-screen.ts'
import type { InterfaceState } from './interface-state.ts'

/** Outlines on a grid of 16, because no font has all of these signs. */
const ICONS = {
  fit: 'M2.5 4.5h11v7h-11zM5 7h6v2H5z',
  fullscreen: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  keep: 'M2.5 5h2.5l1-1.500h4l1 1.500h2.500v8h-11zM8 7a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  measure: 'M1.5 10.5l9-9 4 4-9 9zM4 8l1.500 1.500M6.500 5.500L8.500 7.500M9 3l1.500 1.500',
  members: 'M6 3a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5zM1.500 13.500c0-6 9-6 9 0M10.500 3.500a2.300 2.300 0 0 1 0 4.300M11.500 9.500c2 .3 3 1.700 3 4',
  whole: 'M1.500 3.500h13v9h-13zM1.500 8h13M8 3.500v9',
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
  readonly isDisabled?: boolean
  readonly onPress: () => void
}

function Button({ viewer, label, face, isPressed, isDisabled, onPress }: ButtonProperties): JSX.Element {
  const name = text(viewer.language.value, label)
  return (
    <button type="button" aria-label={name} title={name} aria-pressed={isPressed} disabled={isDisabled} onClick={onPress}>
      <span class="face">{face}</span>
    </button>
  )
}

/** What is pressed while one looks: always at the edge. */
function MainButtons({ viewer, state, slides }: ControlsProperties): JSX.Element {
  return (
    <>
      <Button viewer={viewer} label="zoomIn" face="+" onPress={() => viewer.zoom(2 ** 0.5)} />
      <Button viewer={viewer} label="zoomOut" face="−" onPress={() => viewer.zoom(2 ** -0.5)} />
      <Button viewer={viewer} label="fit" face={<Icon name="fit" />} onPress={() => viewer.fit()} />
      <Button viewer={viewer} label="oneToOne" face="1:1" isPressed={viewer.viewport.value?.scale === 1} onPress={() => viewer.zoomTo(1)} />
      <Button viewer={viewer} label="keepStill" face={<Icon name="keep" />} isDisabled={!viewer.access.allowance.may('keep_still')} onPress={() => viewer.keepStill()} />
      <Button viewer={viewer} label="measure" face={<Icon name="measure" />} isPressed={viewer.measure.kind.value !== null} onPress={() => viewer.measure.take(viewer.measure.kind.value === null ? 'distance' : null)} />
      <Button viewer={viewer} label="slides" face="S" isDisabled={(viewer.access.allowance.may('view_slide') ? viewer.slides.slides.value.length : 0) + viewer.stills.stills.value.length === 0} onPress={() => slides.toggleDrawer()} />
      <Button viewer={viewer} label="fullscreen" face={<Icon name="fullscreen" />} isPressed={state.isFullScreen.value} onPress={() => toggleFullScreen()} />
    </>
  )
}

/** What is pressed once in a while: at the edge too where the window is high enough for all, else in a menu. */
function MoreButtons({ viewer, state }: ControlsProperties): JSX.Element {
  return (
    <>
      <Button
        viewer={viewer}
        label="mode"
        face={<Icon name="whole" />}
        isDisabled={!viewer.hasWhole.value}
        isPressed={viewer.mode.value === 'whole'}
        onPress={() => viewer.setMode(viewer.mode.value === 'whole' ? 'pyramid' : 'whole')}
      />
      <Button viewer={viewer} label="members" face={<Icon name="members" />} isPressed={state.areMembersOpen.value} onPress={() => state.toggle('areMembersOpen')} />
      <Button viewer={viewer} label="recordings" face="●" isDisabled={!viewer.recording.mayWatch && !viewer.recording.mayRecord} isPressed={viewer.recording.isOpen.value} onPress={() => viewer.recording.toggle()} />
      <Button viewer={viewer} label="preflight" face="✓" isPressed={viewer.preflight.isOpen.value} onPress={() => viewer.preflight.toggle()} />
      <Button viewer={viewer} label="panel" face="i" isPressed={state.isPanelOpen.value} onPress={() => state.toggle('isPanelOpen')} />
      <Button viewer={viewer} label="dim" face={<Icon name="dim" />} isPressed={state.isDimmed.value} onPress={() => state.toggle('isDimmed')} />
      <Button viewer={viewer} label="language" face={viewer.language.value === 'ja' ? 'A' : '日'} onPress={() => viewer.setLanguage(viewer.language.value === 'ja' ? 'en' : 'ja')} />
      <Button viewer={viewer} label="help" face="?" isPressed={state.isHelpOpen.value} onPress={() => state.toggle('isHelpOpen')} />
    </>
  )
}

interface ControlsProperties {
  readonly viewer: Viewer
  readonly state: InterfaceState
  readonly slides: LazySlides
}

/**
 * Buttons for everything that keys and gestures do. A button whose matter is not there is disabled, not
 * absent, so that none of the others moves when it comes.
 */
export function Controls(props: ControlsProperties): JSX.Element {
  const { viewer, state } = props
  return (
    <div class="controls" role="toolbar" aria-orientation="vertical" aria-label={text(viewer.language.value, 'controls')}>
      <div class="group">
        <MainButtons {...props} />
      </div>
      <div class="group">
        {state.isLow.value ? <Button viewer={viewer} label="more" face="⋯" isPressed={state.isMoreOpen.value} onPress={() => state.toggle('isMoreOpen')} /> : <MoreButtons {...props} />}
      </div>
    </div>
  )
}

/** The rest of the toolbar where the window is low; nothing where it is not, or while it is closed. */
export function MoreMenu(props: ControlsProperties): JSX.Element | null {
  const { viewer, state } = props
  if (!state.isLow.value || !state.isMoreOpen.value) return null
  return (
    <div class="drawer menu" role="group" aria-label={text(viewer.language.value, 'more')}>
      <MoreButtons {...props} />
    </div>
  )
}
