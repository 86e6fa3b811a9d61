import { millis } from '../../relay/wire/units.ts'
import { inTime } from './scan-report.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ReportOutput } from './scan-report.ts'
import type { SayScan } from './scan-words.ts'
import type { ExportedSlide, ExportProgress } from './slide-export.ts'

/** A terminal shows progress this often, a log less so. */
const LINE_INTERVAL = millis(250)
const JSON_INTERVAL = millis(5000)
const CLEAR_LINE = '\r\u001b[K'

/** Says how an export is doing: a line that is written over and over on a terminal, JSON lines where a program listens. */
export class ExportReport {
  readonly #output: ReportOutput
  readonly #isJson: boolean
  readonly #say: SayScan
  readonly #clock: Clock
  readonly #slideId: SlideId
  readonly #startedAt: Millis
  #shownAt: Millis
  #retrying: FaultCode | undefined
  #isLineOpen = false

  constructor(output: ReportOutput, isJson: boolean, say: SayScan, clock: Clock, slideId: SlideId) {
    this.#output = output
    this.#isJson = isJson
    this.#say = say
    this.#clock = clock
    this.#slideId = slideId
    this.#startedAt = this.#shownAt = clock.now()
  }

  progress({ tiles, tilesDone, bytesDone }: ExportProgress): void {
    const isLine = !this.#isJson && this.#output.isTTY === true
    const now = this.#clock.now()
    if (now - this.#shownAt < (isLine ? LINE_INTERVAL : JSON_INTERVAL)) return
    this.#shownAt = now
    this.#retrying = undefined
    const elapsed = Math.max(1, now - this.#startedAt)
    const rate = (8000 * bytesDone) / elapsed
    // Tiles of a level are about as long as each other.
    const remaining = millis((elapsed * (tiles - tilesDone)) / Math.max(1, tilesDone))
    if (this.#isJson) {
      this.#json({ event: 'progress', tiles, tilesDone, bytesDone, bitsPerSecond: Math.round(rate), remainingSeconds: Math.ceil(remaining / 1000) })
      return
    }
    const line = this.#say('exporting', { id: this.#id, percent: ((100 * tilesDone) / tiles).toFixed(1), rate: `${(rate / 1e6).toFixed(1)} Mbit/s`, remaining: this.#say('left', { n: inTime(remaining) }) })
    this.#output.write(isLine ? CLEAR_LINE + line : `${line}\n`)
    this.#isLineOpen = isLine
  }

  /** Said once for the same failure, until something was fetched again. */
  retrying(code: FaultCode): void {
    if (this.#retrying === code) return
    this.#retrying = code
    if (this.#isJson) this.#json({ event: 'retrying', code })
    else this.#line(this.#say('retrying', { id: this.#id, code }))
  }

  done({ tiles, bytesDone, key }: ExportedSlide): void {
    if (this.#isJson) this.#json({ event: 'done', tiles, bytes: bytesDone, key })
    else this.#line(this.#say('exported', { id: this.#id, tiles, key }))
  }

  /** Leaves an open line as it is. */
  end(): void {
    if (this.#isLineOpen) this.#output.write('\n')
    this.#isLineOpen = false
  }

  get #id(): string {
    return this.#slideId.slice(0, 8)
  }

  #line(text: string): void {
    this.#output.write(`${this.#isLineOpen ? CLEAR_LINE : ''}${text}\n`)
    this.#isLineOpen = false
  }

  #json(event: object): void {
    this.#output.write(`${JSON.stringify({ slideId: this.#slideId, ...event })}\n`)
  }
}
