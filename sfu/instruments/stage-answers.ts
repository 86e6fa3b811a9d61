import { STAGE_ANSWER_SECONDS } from '../../relay/wire/signaling.ts'
import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Commands that wait for an answer; of more, the oldest is forgotten. The last one always tells. */
const MAX_WAITING = 256

interface Waiting<Member> {
  readonly command: number
  readonly by: Member
  readonly at: Millis
}

/** Notices when a stage does not answer commands. Reads no clock. */
export class StageAnswers<Member> {
  #waiting: Waiting<Member>[] = []

  commanded(command: number, by: Member, now: Millis): void {
    this.#waiting = [...this.#waiting.slice(1 - MAX_WAITING), { command, by, at: now }]
  }

  /** The stage took a command, and with it all that were given before. */
  answered(command: number): void {
    this.#waiting = this.#waiting.filter(waiting => waiting.command > command)
  }

  /** Another microscope, or none. */
  forget(): void {
    this.#waiting = []
  }

  /** @returns For each member its last command that was not answered in time, and when to ask again. */
  step(now: Millis): { readonly silent: readonly Waiting<Member>[]; readonly wakeAt: Millis | undefined } {
    const late = this.#waiting.filter(({ at }) => now - at >= STAGE_ANSWER_SECONDS * 1000)
    this.#waiting = this.#waiting.slice(late.length)
    const [next] = this.#waiting
    return { silent: [...new Map(late.map(waiting => [waiting.by, waiting])).values()], wakeAt: next && millis(next.at + STAGE_ANSWER_SECONDS * 1000) }
  }
}
