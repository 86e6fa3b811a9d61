import { signal } from '@preact/signals'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { Stage, StageState, StageTarget } from '../../../relay/wire/stage.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { DrawnInstant } from '../picture/draw-log.ts'
import { epochNow } from '../session/page-clock.ts'
import { ClosedLoop } from './closed-loop.ts'
import { clampToTravel, micrometresPerPixel, StageAim } from './stage-aim.ts'
import type { StagePlace } from './stage-aim.ts'
import { StageQueue } from './stage-queue.ts'

/** What a {@link StageControl} needs. */
export interface StageControlOptions {
  /** Brings one command to the node; rejects with its code. @returns The command's number. */
  readonly send: (target: StageTarget) => Promise<number>
  /** Whether the stage is this viewer's to move. */
  readonly isHeld: () => boolean
  /** The last instants that were drawn, oldest first. */
  readonly drawn: () => readonly DrawnInstant[]
}

const now = (): Millis => millis(performance.now())

/** Steers the microscope's stage, and knows where it is. */
export class StageControl {
  /** What can be steered and where it is; null where nothing can. */
  readonly stage = signal<Stage | null>(null)
  /** Why the last command was not carried out, or not entirely. */
  readonly fault = signal<RelayFault | null>(null)
  /** The median time from a command to its picture; null before one was measured. */
  readonly closedLoop = signal<Millis | null>(null)
  readonly #options: StageControlOptions
  readonly #loop = new ClosedLoop()
  #queue = new StageQueue()
  #aim = new StageAim()

  constructor(options: StageControlOptions) {
    this.#options = options
  }

  /** Another microscope, or none. */
  setStage(stage: Stage | null): void {
    this.stage.value = stage
    this.fault.value = null
    this.#queue = new StageQueue()
    this.#aim = new StageAim()
    this.#loop.restart()
    this.closedLoop.value = null
  }

  setState(state: StageState): void {
    const stage = this.stage.value
    if (stage === null) return
    this.stage.value = { ...stage, state }
    this.#loop.told(state, this.#options.drawn())
    this.closedLoop.value = this.#loop.median ?? null
  }

  /** Something was drawn. */
  drawn(): void {
    this.#loop.drawn(this.#options.drawn())
    this.closedLoop.value = this.#loop.median ?? null
  }

  /** The stage stopped, or is somebody else's: what was wanted of it is void. */
  stopped(): void {
    this.#queue = new StageQueue()
    this.#aim = new StageAim()
  }

  /** The last times from a command to its picture, oldest first. */
  get latencies(): readonly Millis[] {
    return this.#loop.latencies
  }

  /** Where it is going; undefined where there is no stage. */
  get place(): StagePlace | undefined {
    const stage = this.stage.value
    return stage === null ? undefined : this.#aim.place(stage.state, now())
  }

  /** Slide micrometres per image pixel. */
  get micrometresPerPixel(): number {
    const stage = this.stage.value
    return stage === null ? 1 : micrometresPerPixel(stage)
  }

  /** Sends it there as it is said; the node judges whether it can go there. */
  moveTo(target: StageTarget): void {
    this.fault.value = null
    this.#command(target)
  }

  /** Sends it as near as its travel allows, and says when that is not there. */
  reachFor(target: StageTarget): void {
    const stage = this.stage.value
    if (stage === null) return
    const { target: nearest, isClamped } = clampToTravel(stage, target)
    this.fault.value = isClamped ? new RelayFault('out_of_range', 'the stage is at the end of its travel') : null
    this.#command(nearest)
  }

  /** Moves on from where it is going, in micrometres. */
  moveBy(by: Partial<StagePlace>): void {
    const place = this.place
    if (place === undefined) return
    const target: StageTarget = {}
    for (const axis of ['x', 'y', 'focus'] as const) if (by[axis] !== undefined) target[axis] = place[axis] + by[axis]
    this.reachFor(target)
  }

  #command(target: StageTarget): void {
    if (this.stage.value === null) return
    if (!this.#options.isHeld()) {
      this.fault.value = new RelayFault('wrong_state', 'take the stage first')
      return
    }
    this.#aim.commanded(target, now())
    this.#queue.want(target)
    this.#work(this.#queue)
  }

  #work(queue: StageQueue): void {
    if (queue !== this.#queue) return
    const { send, wakeAt } = queue.step(now())
    if (wakeAt !== undefined) setTimeout(() => this.#work(queue), wakeAt - now() + 1)
    if (send !== undefined) void this.#deliver(queue, send)
  }

  async #deliver(queue: StageQueue, target: StageTarget): Promise<void> {
    try {
      const sentAtMs = epochNow()
      const command = await this.#options.send(target)
      this.#loop.sent(command, sentAtMs)
    } catch (error) {
      if (queue === this.#queue) {
        this.#aim.refused()
        this.fault.value = toFault(error)
      }
    }
    queue.answered()
    this.#work(queue)
  }
}
