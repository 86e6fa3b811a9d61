import { millis } from '../../relay/wire/units.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ScanEvent } from './scan-run.ts'
import type { SlideProgress } from './scan-job.ts'
import type { SayScan } from './scan-words.ts'

/** Where a {@link ScanReport} writes. */
export interface ReportOutput {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
}

/** A terminal shows progress this often, a log less so. */
const LINE_INTERVAL = millis(250)
const JSON_INTERVAL = millis(5000)
const CLEAR_LINE = '\r\u001b[K'

/** As people say an id. */
const short = (slideId: SlideId): string => slideId.slice(0, 8)

/** Hours, minutes and seconds, the two largest that are not nothing. */
export function inTime(duration: Millis): string {
  const seconds = Math.ceil(duration / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60]
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`
}

const ratioOf = (done: number, all: number): number => (all === 0 ? 0 : Math.min(1, done / all))
const percent = (ratio: number): string => (100 * ratio).toFixed(1)

/** A progress line, for a person. */
export function progressLine(slideId: SlideId, { stage, tiles, tilesDone, sent, rate, remaining }: SlideProgress, say: SayScan): string {
  const id = short(slideId)
  if (stage !== 'sending') return say(stage === 'making' ? 'progressMaking' : 'progressPreparing', { id, percent: percent(ratioOf(tilesDone, tiles)) })
  // What is known grows while finer levels are read: of a slide not wholly known, no more is claimed than was read.
  const known = ratioOf(tilesDone, tiles)
  return say('progress', {
    id, stage: say(stage), percent: percent(known * ratioOf(sent.bytesDone, sent.bytes)),
    rate: rate === undefined ? '–' : `${(rate / 1e6).toFixed(1)} Mbit/s`,
    remaining: remaining === undefined ? say('leftUnknown') : say('left', { n: inTime(remaining) }),
  })
}

/** The JSON line of an event. Names no file. */
export function jsonLine(event: ScanEvent): string {
  if (event.event !== 'progress') return JSON.stringify(event)
  const { slideId, progress: { stage, tiles, tilesDone, sent, rate, remaining } } = event
  return JSON.stringify({
    event: 'progress', slideId, stage, tiles, tilesDone, ...sent, bitsPerSecond: rate === undefined ? null : Math.round(rate),
    remainingSeconds: remaining === undefined ? null : Math.ceil(remaining / 1000),
  })
}

/** Says what happens: a line that is written over and over on a terminal, JSON lines where a program listens. */
export class ScanReport {
  readonly #output: ReportOutput
  readonly #isJson: boolean
  readonly #say: SayScan
  readonly #clock: Clock
  readonly #shownAt = new Map<SlideId, Millis>()
  /** The last passing fault of a slide; it is said once. */
  readonly #retrying = new Map<SlideId, string>()
  #isLineOpen = false

  constructor(output: ReportOutput, isJson: boolean, say: SayScan, clock: Clock) {
    this.#output = output
    this.#isJson = isJson
    this.#say = say
    this.#clock = clock
  }

  take(event: ScanEvent): void {
    if (event.event === 'progress') {
      this.#progress(event.slideId, event)
      return
    }
    if (event.event === 'retrying') {
      if (this.#retrying.get(event.slideId) === event.code) return
      this.#retrying.set(event.slideId, event.code)
    } else if (event.event !== 'held') this.#retrying.delete(event.slideId)
    if (event.event === 'done' || event.event === 'failed') this.#shownAt.delete(event.slideId)
    if (this.#isJson) this.#write(`${jsonLine(event)}\n`)
    else this.line(this.#sentence(event))
  }

  /** A line of its own. */
  line(text: string): void {
    this.#write(`${this.#isLineOpen ? CLEAR_LINE : ''}${text}\n`)
    this.#isLineOpen = false
  }

  #progress(slideId: SlideId, event: Extract<ScanEvent, { event: 'progress' }>): void {
    const isLine = !this.#isJson && this.#output.isTTY === true
    const now = this.#clock.now()
    if (now - (this.#shownAt.get(slideId) ?? -Infinity) < (isLine ? LINE_INTERVAL : JSON_INTERVAL)) return
    this.#shownAt.set(slideId, now)
    if (this.#isJson) this.#write(`${jsonLine(event)}\n`)
    else if (isLine) {
      this.#write(CLEAR_LINE + progressLine(slideId, event.progress, this.#say))
      this.#isLineOpen = true
    } else this.line(progressLine(slideId, event.progress, this.#say))
  }

  #sentence(event: Exclude<ScanEvent, { event: 'progress' }>): string {
    switch (event.event) {
      case 'started':
        return this.#say('started', { id: short(event.slideId) })
      case 'done':
        return this.#say('finished', { id: short(event.slideId) })
      case 'failed':
        return this.#say('notSent', { id: short(event.slideId), code: event.code })
      case 'retrying':
        return this.#say('retrying', { id: short(event.slideId), code: event.code })
      case 'held':
        return this.#say(event.reason ?? 'goesOn')
      default:
        return event satisfies never
    }
  }

  #write(text: string): void {
    this.#output.write(text)
  }
}
