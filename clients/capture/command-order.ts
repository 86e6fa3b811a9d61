import type { StageTarget } from '../../relay/wire/stage.ts'

const AXES = ['x', 'y', 'focus', 'objective'] as const

/**
 * Keeps commands for a stage in the order in which they were given, by whatever way and in whatever order they
 * come: of each axis the command with the highest number counts, and none from before a stop.
 */
export class CommandOrder {
  /** The highest number that each axis was moved by. */
  readonly #newest = new Map<(typeof AXES)[number], number>()
  #stoppedAt = -1

  /** @returns What of the command still counts; undefined for nothing. */
  admit(command: number, target: StageTarget): StageTarget | undefined {
    const admitted: Record<string, number | string> = {}
    for (const axis of AXES) {
      const value = target[axis]
      if (value === undefined || command <= Math.max(this.#stoppedAt, this.#newest.get(axis) ?? -1)) continue
      this.#newest.set(axis, command)
      admitted[axis] = value
    }
    return Object.keys(admitted).length === 0 ? undefined : admitted
  }

  /** A stop: what was given before and comes later is void. */
  stop(command: number): void {
    this.#stoppedAt = Math.max(this.#stoppedAt, command)
  }
}
