import { millis } from '../../../relay/wire/units.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { StageTarget } from '../../../relay/wire/stage.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { DrivenPlace } from './stage-driver.ts'

/** A controller that has not answered a line for so long is silent. */
export const ANSWER_WITHIN = millis(500)
/** How often a stage is asked where it is, while it moves and at rest. */
const ASK_MOVING = millis(50)
const ASK_RESTING = millis(500)
/** The controller counts in these. */
const UNITS_PER_MICROMETRE = 10
/** A line that is longer is no answer. */
export const MOST_LINE_CHARACTERS = 256

const WHERE = /^:A (-?\d{1,8}(?:\.\d{1,4})?) (-?\d{1,8}(?:\.\d{1,4})?) (-?\d{1,8}(?:\.\d{1,4})?)$/
const AXES = [['x', 'X'], ['y', 'Y'], ['focus', 'Z']] as const

type Asked = 'move' | 'halt' | 'status' | 'where'

/** What to send now, and when to look again. */
export interface AsciiStep {
  readonly send: readonly string[]
  readonly wakeAt: Millis
  /** The controller is silent, or speaks another language: the connection is of no use any more. */
  readonly fault: FaultCode | undefined
}

/**
 * The conversation with a controller of a stage in lines of ASCII, in the manner of ASI's MS-2000: `M X=10 Y=20 Z=5` (tenths of a
 * micrometre), `\` halts, `/` answers `B` while it moves and `N` at rest, `W X Y Z` answers `:A` and three numbers.
 * One line is under way at a time, but for a halt, which waits for nothing. Does no I/O and reads no clock.
 */
export class AsciiStage {
  readonly #asked: { readonly what: Asked; readonly at: Millis; readonly command: number | undefined }[] = []
  #wanted: { readonly target: StageTarget; readonly command: number } | undefined
  #haltWanted: number | undefined
  #command: number | undefined
  #isMoving = false
  #place: DrivenPlace | undefined
  #askAt: Millis | undefined
  #fault: FaultCode | undefined

  /** Where it was last; undefined before it was told. */
  get place(): DrivenPlace | undefined {
    return this.#place
  }

  /** Goes there as soon as it listens; of each axis the latest counts. */
  moveTo(target: StageTarget, command: number): void {
    this.#wanted = { target: { ...this.#wanted?.target, ...target }, command }
  }

  /** Halts with the next {@link step}, and forgets what waits. */
  stop(command: number): void {
    this.#wanted = undefined
    this.#haltWanted = command
  }

  /** The stop that was not acknowledged yet. */
  get owedStop(): number | undefined {
    return this.#haltWanted ?? this.#asked.findLast(({ what }) => what === 'halt')?.command
  }

  /** Takes one line that the controller said, without its end. */
  received(line: string): void {
    const asked = this.#asked.shift()
    if (asked === undefined) this.#fault ??= 'bad_message'
    else if (asked.what === 'where') this.#wentTo(line)
    else if (asked.what === 'status') this.#answered(line, /^[BN]$/, () => (this.#isMoving = line === 'B'))
    // ":N-4" and the like: it is within the limits that we were told, so the limits are wrong. A halt that ends a movement is acknowledged by ":N-21".
    else this.#answered(line, asked.what === 'halt' ? /^:(A|N-21)\b/ : /^:A\b/, () => this.#obeyed(asked.what === 'move', asked.command))
  }

  /** What is due. */
  step(now: Millis): AsciiStep {
    const send: string[] = []
    const ask = (what: Asked, line: string, command?: number): void => {
      this.#asked.push({ what, at: now, command })
      send.push(line)
    }
    if (this.#haltWanted !== undefined) {
      ask('halt', '\\', this.#haltWanted)
      this.#haltWanted = undefined
      this.#askAt = now
    }
    if (this.#asked.length === 0) this.#next(now, ask)
    const [oldest] = this.#asked
    if (oldest !== undefined && now - oldest.at >= ANSWER_WITHIN) this.#fault ??= 'timeout'
    return { send, wakeAt: oldest === undefined ? (this.#askAt ?? now) : millis(oldest.at + ANSWER_WITHIN), fault: this.#fault }
  }

  #next(now: Millis, ask: (what: Asked, line: string, command?: number) => void): void {
    const { target = {}, command } = this.#wanted ?? {}
    this.#wanted = undefined
    const words = AXES.flatMap(([axis, letter]) => (target[axis] === undefined ? [] : [`${letter}=${Math.round(target[axis] * UNITS_PER_MICROMETRE)}`]))
    if (words.length > 0) {
      ask('move', `M ${words.join(' ')}`, command)
      this.#askAt = now
    } else if (now >= (this.#askAt ?? now)) {
      // Where it is, after whether it moves: then a stage at rest is where it says.
      ask('status', '/')
      ask('where', 'W X Y Z')
      this.#askAt = undefined
    }
    this.#askAt ??= millis(now + (this.#isMoving ? ASK_MOVING : ASK_RESTING))
  }

  #obeyed(isMoving: boolean, command: number | undefined): void {
    this.#isMoving = isMoving
    this.#command = command
  }

  #answered(line: string, expected: RegExp, take: () => void): void {
    if (expected.test(line)) take()
    else this.#fault ??= line.startsWith(':N') ? 'out_of_range' : 'bad_message'
  }

  #wentTo(line: string): void {
    const numbers = WHERE.exec(line)?.slice(1).map(text => Number(text) / UNITS_PER_MICROMETRE)
    if (numbers === undefined) {
      this.#fault ??= 'bad_message'
      return
    }
    const [x = 0, y = 0, focus = 0] = numbers
    this.#place = { x, y, focus, isMoving: this.#isMoving, command: this.#command }
    if (this.#isMoving) this.#askAt = undefined
  }
}
