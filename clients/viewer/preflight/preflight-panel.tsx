import type { JSX } from 'preact'
import './preflight.css'
import { describeColour, describeResult } from '../../../relay/wire/preflight-words.ts'
import { worstColour } from '../../../relay/wire/preflight-verdict.ts'
import type { PreflightResult } from '../../../relay/wire/preflight.ts'
import type { Language } from '../i18n.ts'
import { preflightText } from './panel-words.ts'
import type { PreflightPart } from './preflight-part.ts'

function Result({ result, language }: { readonly result: PreflightResult; readonly language: Language }): JSX.Element {
  const { check, colour, figure, advice } = describeResult(result, language)
  return (
    <li class={`preflight-${result.colour}`}>
      <span class="preflight-colour">{colour}</span>
      <span class="preflight-check">{check}</span>
      <span class="preflight-figure">{figure}</span>
      {result.advice !== 'fine' && <span class="preflight-advice">{advice}</span>}
    </li>
  )
}

/** The check before the case: one button, and what it found. */
export function PreflightPanel({ part, language }: { readonly part: PreflightPart; readonly language: Language }): JSX.Element {
  const { step, results, fault } = part
  return (
    <section class="preflight" aria-label={preflightText(language, 'title')}>
      <button type="button" class="preflight-close" aria-label={preflightText(language, 'close')} onClick={() => part.toggle()}>×</button>
      <h2>{preflightText(language, 'title')}</h2>
      <p>{preflightText(language, 'explanation')}</p>
      <button type="button" class="preflight-start" disabled={step.value !== null} onClick={() => void part.run()}>
        {preflightText(language, 'start')}
      </button>
      <p role="status">
        {step.value !== null && preflightText(language, step.value)}
        {step.value === null && results.value !== null && `${preflightText(language, 'outcome')}: ${describeColour(worstColour(results.value), language)}`}
        {fault.value !== null && ` ${preflightText(language, 'failed')} (${fault.value.code})`}
      </p>
      {results.value !== null && (
        <ul>
          {results.value.map(result => (
            <Result key={result.check} result={result} language={language} />
          ))}
        </ul>
      )}
    </section>
  )
}
