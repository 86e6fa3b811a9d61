import type { JSX } from 'preact'
import type { FaultCode, RelayFault } from '../../../relay/wire/fault.ts'
import { text } from '../i18n.ts'
import type { Language, TextKey } from '../i18n.ts'
import { HoldRow } from '../stage/hold-row.tsx'
import { stageText } from '../stage/stage-words.ts'
import type { StageTextKey } from '../stage/stage-words.ts'
import type { Viewer } from '../viewer.ts'
import { formatPlace, formatStep } from './format.ts'
import { FOCUS_STEP } from './keyboard.ts'

const FOCUS_STEPS = [-FOCUS_STEP.coarse, -FOCUS_STEP.fine, FOCUS_STEP.fine, FOCUS_STEP.coarse] as const

type Say = (key: TextKey, n?: string) => string

const OF_HOLDING: Partial<Record<FaultCode, StageTextKey>> = { wrong_state: 'takeFirst', conflict: 'taken', timeout: 'silent' }

function tellFault(say: Say, language: Language, fault: RelayFault): string {
  const ofHolding = OF_HOLDING[fault.code]
  if (ofHolding !== undefined) return stageText(language, ofHolding)
  return fault.code === 'out_of_range' ? say('stageOutOfRange') : say('stageRefused', fault.code)
}

/** Where the stage is, and buttons for objective and focus; nothing where the microscope cannot be steered. */
export function StagePanel({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { stage, fault } = viewer.stage
  if (stage.value === null) return null
  const { state, objectives } = stage.value
  const say: Say = (key, n = '') => text(viewer.language.value, key, n)
  const places = [['x', state.x], ['y', state.y], [say('focus'), state.focus]] as const
  return (
    <section class="stage" aria-label={say('stage')}>
      <HoldRow viewer={viewer} />
      <dl class="place">
        {places.map(([name, micrometres]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{formatPlace(micrometres)}</dd>
          </div>
        ))}
      </dl>
      {viewer.stageHold.mayClaim && <div class="row" role="group" aria-label={say('objective')}>
        <span aria-hidden="true">{say('objective')}</span>
        {objectives.map(({ name }) => (
          <button type="button" key={name} aria-label={say('objectiveNamed', name)} aria-pressed={name === state.objective} onClick={() => viewer.stage.moveTo({ objective: name })}>
            {name}
          </button>
        ))}
      </div>}
      {viewer.stageHold.mayClaim && <div class="row" role="group" aria-label={say('focus')}>
        <span aria-hidden="true">{say('focus')}</span>
        {FOCUS_STEPS.map(step => (
          <button type="button" key={step} aria-label={say('focusBy', formatStep(step))} onClick={() => viewer.stage.moveBy({ focus: step })}>
            {formatStep(step)}
          </button>
        ))}
      </div>}
      <p class={fault.value === null ? 'said' : 'said refused'} role="status" aria-live="polite">
        {fault.value !== null ? tellFault(say, viewer.language.value, fault.value) : say(state.isMoving ? 'stageMoving' : 'stageResting')}
      </p>
    </section>
  )
}
