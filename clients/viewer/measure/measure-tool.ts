import { batch, computed, signal } from '@preact/signals'
import type { Point, Size } from '../view/viewport.ts'
import { keptPoint, leastPoints, MEASURE_KINDS } from './measurement.ts'
import type { Calibration, Measurement, MeasureKind } from './measurement.ts'

/** Measurements that are kept; of more, the oldest go. */
const MAX_KEPT = 50
/** Of one line. */
const MAX_POINTS = 200
/** A point so near the last one means that it was the last one, in device pixels. */
const SAME_PIXELS = 4

/** What the tool needs of the picture. */
export interface MeasuredPicture {
  readonly image: { readonly value: Size | null }
  /** Null where the microscope tells none. */
  readonly calibration: { readonly value: Calibration | null }
  readonly viewport: { readonly value: { readonly scale: number } | null }
}

/** Measures on the live image. Whatever gives it points is somebody else's. */
export class MeasureTool {
  /** What is being measured; null while the tool is put down. */
  readonly kind = signal<MeasureKind | null>(null)
  readonly kept = signal<readonly Measurement[]>([])
  /** Points of the one that is under way. */
  readonly draft = signal<Measurement | null>(null)
  /** Where the pointer is, as an image point; undefined while it is elsewhere. */
  readonly hover = signal<Point | undefined>(undefined)
  /** The one under way as it would be if the pointer's place were its last point. */
  readonly underWay = computed((): Measurement | null => {
    const [draft, hover, image] = [this.draft.value, this.hover.value, this.#picture.image.value]
    if (draft === null || hover === undefined || image === null) return draft
    return { ...draft, points: [...draft.points, keptPoint(hover, image, this.#picture.calibration.value)] }
  })
  readonly #picture: MeasuredPicture

  constructor(picture: MeasuredPicture) {
    this.#picture = picture
  }

  /** Takes the tool for one kind, or puts it down. What was measured stays. */
  take(kind: MeasureKind | null): void {
    batch(() => {
      this.draft.value = null
      this.hover.value = undefined
      this.kind.value = kind
    })
  }

  /** The next kind; after the last, puts the tool down. */
  next(): void {
    const kind = this.kind.value
    this.take((kind === null ? MEASURE_KINDS[0] : MEASURE_KINDS[MEASURE_KINDS.indexOf(kind) + 1]) ?? null)
  }

  /** Sets a point, in image pixels; the same one twice ends a line. */
  place(at: Point): void {
    const [kind, image, calibration] = [this.kind.value, this.#picture.image.value, this.#picture.calibration.value]
    if (kind === null || image === null) return
    const unit = calibration === null ? 'pixel' : 'micrometre'
    const point = keptPoint(at, image, calibration)
    // Calibration came or went meanwhile: what was begun cannot be gone on with.
    const begun = this.draft.value?.unit === unit ? this.draft.value.points : []
    const last = begun.at(-1)
    if (last !== undefined && Math.hypot(point.x - last.x, point.y - last.y) <= this.#same(calibration)) {
      this.#finish({ kind, unit, points: begun })
      return
    }
    const draft = { kind, unit, points: [...begun, point] } as const
    if ((kind === 'distance' && draft.points.length === 2) || draft.points.length >= MAX_POINTS) this.#finish(draft)
    else this.draft.value = draft
  }

  /** Takes back the last point, else the last measurement. */
  undo(): void {
    const draft = this.draft.value
    if (draft === null) this.kept.value = this.kept.value.slice(0, -1)
    else this.draft.value = draft.points.length > 1 ? { ...draft, points: draft.points.slice(0, -1) } : null
  }

  clear(): void {
    this.draft.value = null
    this.kept.value = []
  }

  /** Gives up what is under way, else puts the tool down. @returns Whether there was something to give up. */
  cancel(): boolean {
    if (this.kind.value === null) return false
    if (this.draft.value === null) this.take(null)
    else this.draft.value = null
    return true
  }

  #same(calibration: Calibration | null): number {
    return (SAME_PIXELS / (this.#picture.viewport.value?.scale ?? 1)) * (calibration?.micrometresPerPixel ?? 1)
  }

  /** A line that is too short for its kind stays under way. */
  #finish(measurement: Measurement): void {
    if (measurement.points.length < leastPoints(measurement.kind)) return
    batch(() => {
      this.draft.value = null
      this.kept.value = [...this.kept.value, measurement].slice(-MAX_KEPT)
    })
  }
}
