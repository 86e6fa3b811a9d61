import type { JSX } from 'preact'
import type { Viewer } from '../viewer.ts'
import { DRAWING_TOOLS } from './image-draft.ts'
import { pointingText } from './pointing-words.ts'

/** Outlines on a grid of 16. */
const ICONS = {
  share: 'M3 2l9 5-4 1-1 4z',
  point: 'M8 6a2 2 0 1 0 .01 0z',
  arrow: 'M3 13L13 3M7 3h6v6',
  line: 'M2 12c4-8 8 4 12-8',
  polygon: 'M3 5l6-3 5 6-5 6-6-3z',
  text: 'M3 3h10M8 3v10',
  undo: 'M4 6h6a3 3 0 0 1 0 7H6M7 3L4 6l3 3',
} as const

/** Buttons to point and to draw on the live image; nothing before there is one. */
export function DrawingTools({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { pointing, tool, publication, language, access: { allowance } } = viewer
  const [mayPoint, mayDraw] = [allowance.mayAsk('pointAtImage'), allowance.mayAsk('annotateImage')]
  if (publication.value === null || !(mayPoint || mayDraw)) return null
  const button = (key: keyof typeof ICONS, onPress: () => void, isPressed?: boolean): JSX.Element => {
    const name = pointingText(language.value, key)
    return (
      <button type="button" key={key} aria-label={name} title={name} aria-pressed={isPressed} onClick={onPress}>
        <svg viewBox="0 0 16 16" width="15" height="15" fill="none" stroke="currentColor" stroke-width="1.3" aria-hidden="true">
          <path d={ICONS[key]} />
        </svg>
      </button>
    )
  }
  return (
    <div class="drawing-tools" role="toolbar" aria-label={pointingText(language.value, 'tools')}>
      {mayPoint && button('share', () => pointing.toggleShared(), pointing.isShared.value)}
      {mayDraw && DRAWING_TOOLS.map(each => button(each, () => viewer.takeTool(each), tool.value === each))}
      {mayDraw && button('undo', () => pointing.undo())}
    </div>
  )
}
