import type { JSX } from 'preact'
import { text } from '../i18n.ts'
import type { TextKey } from '../i18n.ts'
import type { Viewer } from '../viewer.ts'
import { toggleFullscreen } from './interface-state.ts'
import type { InterfaceState } from './interface-state.ts'

interface ButtonProperties {
  readonly viewer: Viewer
  readonly label: TextKey
  readonly face: string
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
export function Controls({ viewer, state }: { readonly viewer: Viewer; readonly state: InterfaceState }): JSX.Element {
  return (
    <div class="controls" role="toolbar" aria-label={text(viewer.language.value, 'controls')}>
      <Button viewer={viewer} label="zoomIn" face="+" onPress={() => viewer.zoom(2 ** 0.5)} />
      <Button viewer={viewer} label="zoomOut" face="−" onPress={() => viewer.zoom(2 ** -0.5)} />
      <Button viewer={viewer} label="fit" face="▣" onPress={() => viewer.fit()} />
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
      <Button viewer={viewer} label="fullscreen" face="⛶" onPress={toggleFullscreen} />
      <Button viewer={viewer} label="panel" face="i" isPressed={state.isPanelOpen.value} onPress={() => state.toggle('isPanelOpen')} />
      <Button viewer={viewer} label="dim" face="◐" isPressed={state.isDimmed.value} onPress={() => state.toggle('isDimmed')} />
      <Button viewer={viewer} label="language" face={viewer.language.value === 'ja' ? 'EN' : '日'} onPress={() => viewer.setLanguage(viewer.language.value === 'ja' ? 'en' : 'ja')} />
      <Button viewer={viewer} label="help" face="?" isPressed={state.isHelpOpen.value} onPress={() => state.toggle('isHelpOpen')} />
    </div>
  )
}
