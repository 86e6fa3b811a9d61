import type { JSX } from 'preact'
import type { Viewer } from '../viewer.ts'
import { formatMeasured, MEASURE_KINDS } from './measurement.ts'
import { measureText } from './measure-words.ts'
import type { MeasureTextKey } from './measure-words.ts'

/** What is measured and how, and what was measured; nothing while the tool is put down. */
export function MeasurePanel({ viewer }: { readonly viewer: Viewer }): JSX.Element | null {
  const { measure } = viewer
  const kind = measure.kind.value
  if (kind === null) return null
  const say = (key: MeasureTextKey): string => measureText(viewer.language.value, key)
  const { value: kept } = measure.kept
  const isEmpty = kept.length === 0 && measure.draft.value === null
  return (
    <section class="drawer measure" aria-label={say('measure')}>
      <div class="row" role="group" aria-label={say('measure')}>
        {MEASURE_KINDS.map(each => (
          <button type="button" key={each} aria-pressed={each === kind} onClick={() => measure.take(each)}>
            {say(each)}
          </button>
        ))}
      </div>
      <p>{say(`${kind}Hint`)}</p>
      {viewer.calibration.value === null && <p class="uncalibrated">{say('inPixels')}</p>}
      <ol aria-label={say('results')} aria-live="polite">
        {kept.map((measurement, index) => (
          <li key={index}>
            {say(measurement.kind)} <strong>{formatMeasured(measurement)}</strong>
          </li>
        ))}
      </ol>
      <div class="row">
        <button type="button" disabled={isEmpty} onClick={() => measure.undo()}>
          {say('undo')}
        </button>
        <button type="button" disabled={isEmpty} onClick={() => measure.clear()}>
          {say('clear')}
        </button>
      </div>
    </section>
  )
}
