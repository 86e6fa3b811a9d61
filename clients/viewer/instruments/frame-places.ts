import { signal } from '@preact/signals'
import { PlaceHistory } from '../../../relay/wire/place-history.ts'
import { shiftBetween } from '../../../relay/wire/pointing.ts'
import type { ImagePlace } from '../../../relay/wire/pointing.ts'
import type { Stage, StageState } from '../../../relay/wire/stage.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { Point } from '../view/viewport.ts'

/** Where what was shown on one frame lies on another: with a stage, it stays with the tissue. */
export class FramePlaces {
  readonly #history = new PlaceHistory()
  #stage: Stage | null = null
  /** What is known now: news of the stage may come after the image that shows it was drawn. */
  readonly #known = signal(this.#look())

  /** Another microscope, or none. */
  restart(stage: Stage | null): void {
    this.#stage = stage
    this.#history.restart(stage?.state)
    this.#known.value = this.#look()
  }

  told(state: StageState): void {
    this.#history.told(state)
    this.#known.value = this.#look()
  }

  /** Where the stage was when that image was taken; null where there is no stage. */
  at(image: RtpTimestamp): ImagePlace | null {
    return this.#look()(image)
  }

  /** By how much to move what belongs to one place so that it fits an image, as is known now: a signal is read; undefined when it cannot be seen there: another objective is in place. */
  shift(from: ImagePlace | null, image: RtpTimestamp): Point | undefined {
    const to = this.#known.value(image)
    if (from === null || to === null) return { x: 0, y: 0 }
    const objective = this.#stage?.objectives.find(({ name }) => name === from.objective)
    return objective === undefined || from.objective !== to.objective ? undefined : shiftBetween(from, to, objective.micrometresPerPixel)
  }

  #look(): (image: RtpTimestamp) => ImagePlace | null {
    return image => (this.#stage === null ? null : (this.#history.at(image) ?? null))
  }
}
