import { signal } from '@preact/signals'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { Stage, StageState, StageTarget } from '../../../relay/wire/stage.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import { clampToTravel, micrometresPerPixel, StageAim } from './stage-aim.ts'
import type { StagePlace } from './stage-aim.ts'
import { StageQueue } from './stage-queue.ts'

const now = (): Millis => millis(performance.now())

/** Steers the microscope's stage, and knows where it is. */
export class StageControl {
  /** What can be steered and where it is; null where nothing can. */
  readonly stage = signal<Stage | null>(null)
  /** Why the last command was not carried out, or not entirely. */
  readonly fault = signal<RelayFault | null>(null)
  readonly #send: (target: StageTarget) => Promise<void>
  #queue = new StageQueue()
  #aim = new StageAim()

  /** @param send - Brings one command to the node; rejects with its code. */
  constructor(send: (target: StageTarget) => Promise<void>) {
    this.#send = send
  }

  /** Another microscope, or none. */
  setStage(stage: Stage | null): void {
    this.stage.value = stage
    this.fault.value = null
    this.#queue = new StageQueue()
    this.#aim = new StageAim()
  }

  setState(state: StageState): void {
    const stage = this.stage.value
    if (stage !== null) this.stage.value = { ...stage, state }
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
      await this.#send(target)
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
