import { toFault } from '../../wire/fault.ts'
import { millis } from '../../wire/units.ts'
import { isPassing } from './passing-faults.ts'
import { SquarePlan } from './square-plan.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { BackoffOptions } from '../../wire/backoff.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { SquareRef } from '../tiles/square-shelf.ts'
import type { ChunkCarrier, PreparedSlide } from './transfer.ts'

/** What squares are sent from. */
export interface SquareSenderOptions {
  readonly slide: Pick<PreparedSlide, 'structure' | 'readSquare'>
  readonly carrier: Pick<ChunkCarrier, 'putSquare'>
  readonly clock: Clock
  readonly retry: BackoffOptions
  readonly onFault?: ((code: FaultCode) => void) | undefined
  readonly random?: (() => number) | undefined
}

/** Sends squares of tiles that viewers wait for while their level is still being read. */
export class SquareSender {
  readonly #options: SquareSenderOptions
  readonly #plan: SquarePlan
  readonly #signal: AbortSignal
  readonly #stop: (error: unknown) => void
  readonly #underWay = new Set<Promise<void>>()
  #isPaused = false

  /** @param stop - Hears of a refusal that is final. */
  constructor(options: SquareSenderOptions, signal: AbortSignal, stop: (error: unknown) => void) {
    this.#options = options
    this.#plan = new SquarePlan(options.retry, options.random)
    this.#signal = signal
    this.#stop = stop
  }

  /** Takes the node's word on what it lacks. */
  want(squares: readonly SquareRef[]): void {
    this.#plan.want(squares)
    this.#step()
  }

  /** The node knows a level. */
  levelKnown(level: number): void {
    this.#plan.levelKnown(level)
  }

  /** Starts no more until it is resumed. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#step()
  }

  /** Settles when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #step(): void {
    if (this.#isPaused || this.#signal.aborted) return
    const { clock } = this.#options
    const { send, wakeAt } = this.#plan.step(clock.now())
    for (const ref of send) this.#track(this.#send(ref))
    if (wakeAt !== undefined && send.length === 0) this.#track(clock.sleep(millis(wakeAt - clock.now()), this.#signal).catch(() => undefined))
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work.catch(this.#stop).finally(() => {
      this.#underWay.delete(tracked)
      this.#step()
    })
    this.#underWay.add(tracked)
  }

  async #send(ref: SquareRef): Promise<void> {
    const { slide, carrier, clock, onFault } = this.#options
    const message = await slide.readSquare(ref.level, ref.square)
    if (message === undefined) {
      this.#plan.cannotGo(ref)
      return
    }
    try {
      await carrier.putSquare(slide.structure.slideId, message, this.#signal)
      this.#plan.held(ref)
    } catch (error) {
      if (this.#signal.aborted) return
      if (!isPassing(error, this.#plan.failed(ref, clock.now()))) throw error
      onFault?.(toFault(error).code)
    }
  }
}
