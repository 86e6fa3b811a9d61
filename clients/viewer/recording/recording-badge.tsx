import type { JSX } from 'preact'
import type { Language } from '../i18n.ts'
import type { RecordingPart } from './recording-part.ts'
import { formatDate, formatTime, recordingText } from './recording-words.ts'
import type { Truth } from '../picture/truth.ts'

/** Says that this is recorded, by whom and since when; or that a recording broke off. Nothing hides it. */
export function RecordingBadge({ part, language }: { readonly part: RecordingPart; readonly language: Language }): JSX.Element | null {
  const status = part.status.value
  if (status === null || status.state === 'off') return null
  if (status.state === 'failed') {
    return <div class="rec failed" role="alert">{recordingText(language, 'failed', status.fault ?? 'internal')}</div>
  }
  return (
    <div class="rec" role="status">
      <strong>● {recordingText(language, 'rec')}</strong>
      <span>{recordingText(language, 'recordedBy', status.by ?? '?')}</span>
      {status.startedAtMillis !== null && <span>{recordingText(language, 'since', formatTime(language, status.startedAtMillis))}</span>}
    </div>
  )
}

/** What the badge of the picture adds while a recording is watched. */
export function ReplayNotes({ part, truth, language }: { readonly part: RecordingPart; readonly truth: Truth; readonly language: Language }): JSX.Element | null {
  const [origin, replay] = [part.origin.value, part.replay.value]
  if (origin === null) return null
  const standing = replay?.state === 'paused' || replay?.state === 'ended' ? recordingText(language, replay.state) : undefined
  return (
    <>
      <span class="note replay">{recordingText(language, 'replayOf', formatDate(language, origin.startedAtMillis + (replay?.positionMillis ?? 0)))}</span>
      {standing !== undefined && <span class="note">{standing}</span>}
      {truth.kind === 'upscaled' && <span class="note">{recordingText(language, 'notRecorded')}</span>}
    </>
  )
}
