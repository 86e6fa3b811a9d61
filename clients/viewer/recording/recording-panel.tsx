import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { RecordingSummary } from '../../../relay/wire/recording.ts'
import type { Language } from '../i18n.ts'
import type { RecordingPart } from './recording-part.ts'
import { formatDate, formatDuration, recordingText } from './recording-words.ts'
import type { RecordingTextKey } from './recording-words.ts'
import './recording.css'

interface Properties {
  readonly part: RecordingPart
  readonly language: Language
}

/** What waits for a second press: the recording to be deleted, or what is done about recording; null: nothing. */
const asked = signal<string | null>(null)

/** A button that asks before it does anything. */
function Confirmed(props: { readonly name: string; readonly language: Language; readonly label: RecordingTextKey; readonly question: RecordingTextKey; readonly yes: RecordingTextKey; readonly onYes: () => void }): JSX.Element {
  const { name, language, label, question, yes, onYes } = props
  if (asked.value !== name) {
    return <button type="button" data-action={name} onClick={() => (asked.value = name)}>{recordingText(language, label)}</button>
  }
  const answer = (isYes: boolean): void => {
    asked.value = null
    if (isYes) onYes()
  }
  return (
    <div class="confirm" role="alertdialog" aria-label={recordingText(language, question)}>
      <p>{recordingText(language, question)}</p>
      <button type="button" data-answer="yes" onClick={() => answer(true)}>{recordingText(language, yes)}</button>
      <button type="button" data-answer="no" onClick={() => answer(false)}>{recordingText(language, 'no')}</button>
    </div>
  )
}

function Entry({ part, language, recording }: Properties & { readonly recording: RecordingSummary }): JSX.Element {
  const { recordingId, startedAtMillis, durationMillis, bytes, state, gaps, by } = recording
  const gapSeconds = Math.round(gaps.reduce((sum, { fromMillis, toMillis }) => sum + toMillis - fromMillis, 0) / 1000)
  const isOn = state === 'recording'
  return (
    <li data-recording={recordingId}>
      <span>{formatDate(language, startedAtMillis)} · {by}</span>
      <span class="quiet">
        {isOn ? recordingText(language, 'on') : formatDuration(durationMillis)} · {(bytes / 1e6).toFixed(1)} MB
        {state === 'cut' && ` · ${recordingText(language, 'cut')}`}
        {gapSeconds > 0 && ` · ${recordingText(language, 'gaps', gapSeconds)}`}
      </span>
      {!isOn && (
        <span class="actions">
          <button type="button" data-action="watch" aria-pressed={part.origin.value?.recordingId === recordingId} onClick={() => void part.watch(recordingId)}>{recordingText(language, 'watch')}</button>
          {part.mayRecord && <Confirmed name={`remove ${recordingId}`} language={language} label="remove" question="confirmRemove" yes="remove" onYes={() => void part.remove(recordingId)} />}
        </span>
      )}
    </li>
  )
}

/** Begins and ends recording, and lists what there is. */
export function RecordingPanel({ part, language }: Properties): JSX.Element | null {
  if (!part.isOpen.value) return null
  const isOn = part.status.value?.state === 'on'
  return (
    <nav class="recordings" aria-label={recordingText(language, 'recordings')}>
      <h2>{recordingText(language, 'recordings')}</h2>
      {part.mayRecord && (isOn
        ? <Confirmed name="stop" language={language} label="stop" question="confirmStop" yes="yesStop" onYes={() => void part.stop()} />
        : <Confirmed name="start" language={language} label="start" question="confirmStart" yes="yes" onYes={() => void part.start()} />)}
      {part.fault.value !== null && <p class="refused" role="alert">{recordingText(language, 'fault', part.fault.value.code)}</p>}
      {part.recordings.value.length === 0 && <p>{recordingText(language, 'none')}</p>}
      <ul>
        {part.recordings.value.map(recording => <Entry key={recording.recordingId} part={part} language={language} recording={recording} />)}
      </ul>
      <button type="button" onClick={() => part.toggle()}>{recordingText(language, 'close')}</button>
    </nav>
  )
}

/** Plays, pauses and goes elsewhere in what is watched. */
export function ReplayBar({ part, language }: Properties): JSX.Element | null {
  const [origin, replay] = [part.origin.value, part.replay.value]
  if (origin === null) return null
  const isPlaying = replay === null || replay.state === 'playing'
  const position = replay?.positionMillis ?? 0
  const label = recordingText(language, isPlaying ? 'pause' : 'play')
  return (
    <div class="replay-bar" role="toolbar" aria-label={recordingText(language, 'recordings')}>
      <button type="button" data-action="play" aria-label={label} title={label} onClick={() => void part.control({ isPlaying: !isPlaying })}>{isPlaying ? '❚❚' : '▶'}</button>
      <input
        type="range" min={0} max={Math.ceil(origin.durationMillis)} step={100} value={position} aria-label={recordingText(language, 'seek')}
        aria-valuetext={formatDuration(position)}
        onChange={event => void part.control({ positionMillis: Math.min(origin.durationMillis, Number(event.currentTarget.value)) })}
      />
      <span class="time">{formatDuration(position)} / {formatDuration(origin.durationMillis)}</span>
      <label>
        <span class="visually-hidden">{recordingText(language, 'speed')}</span>
        <select value={String(replay?.speed ?? 1)} onChange={event => void part.control({ speed: Number(event.currentTarget.value) })}>
          {[0.25, 0.5, 1, 2].map(speed => <option key={speed} value={String(speed)}>×{speed}</option>)}
        </select>
      </label>
      <button type="button" data-action="live" onClick={() => void part.backToLive()}>{recordingText(language, 'live')}</button>
    </div>
  )
}
