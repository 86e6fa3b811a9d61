import { basename } from 'node:path'
import type { ScanQueue } from './scan-queue.ts'
import type { SayScan } from './scan-words.ts'

/** Slides that are shown at most, the latest. */
const SHOWN = 100

/** The queue as text: for the person at this terminal, who knows the files, with their names; as JSON lines, which go further, without. */
export function describeQueue(queue: ScanQueue, isJson: boolean, say: SayScan): string {
  const jobs = queue.latest(SHOWN)
  if (isJson) {
    const lines = jobs.map(({ slideId, state, attempts, fault, sent }) => JSON.stringify({ slideId, state, attempts, fault: fault ?? null, ...sent }))
    return [JSON.stringify({ isPaused: queue.isPaused, unfinished: queue.unfinished }), ...lines].join('\n')
  }
  const lines = jobs.map(({ slideId, path, state, fault, sent }) => {
    const percent = state === 'sending' && sent.bytes > 0 ? ` ${((100 * sent.bytesDone) / sent.bytes).toFixed(0)} %` : ''
    return `${slideId}  ${say(state)}${percent}${fault === undefined ? '' : ` (${fault})`}  ${basename(path)}`
  })
  return [...(queue.isPaused ? [say('isPaused')] : []), ...(lines.length === 0 ? [say('empty')] : lines)].join('\n')
}
