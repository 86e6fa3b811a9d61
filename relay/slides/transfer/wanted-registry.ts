import { RelayFault } from '../../wire/fault.ts'
import { ordinalOf, squareOf, tilesIn } from '../../wire/tile-order.ts'
import type { SlideId } from '../../wire/ids.ts'
import type { SlideLevel, SlideViewport } from '../../wire/slide.ts'
import type { Millis } from '../../wire/units.ts'
import type { LevelIndex } from '../manifest/level-index.ts'
import type { SquareRef } from '../tiles/square-shelf.ts'
import type { ChunkRef } from './chunk-plan.ts'

/** Bounds of what is remembered and told of viewers' wishes. */
export const WANTED_LIMITS = {
  /** Slides that are looked at, and viewers that look at one. */
  slides: 1024,
  viewers: 64,
  /** Chunks that a scanner is asked for at once. */
  chunks: 256,
  /** Tiles to a side of what a viewport asks for: of a larger one, its middle. */
  side: 64,
  /** A viewport that is not said again is forgotten after so long. */
  lifetimeMillis: 30_000,
} as const

interface LookedAt {
  serial: number
  /** By viewer; the one that moved last stands last. */
  readonly viewports: Map<string, { readonly viewport: SlideViewport; readonly until: number }>
  change: PromiseWithResolvers<undefined>
}

/** Who looks at which part of which slide. Does no I/O and reads no clock. */
export class WantedRegistry {
  readonly #slides = new Map<SlideId, LookedAt>()
  #serial: number

  /** @param firstSerial - Greater than all serials of earlier lives of this process: what a scanner remembers must never look newer. */
  constructor(firstSerial: number) {
    this.#serial = firstSerial
  }

  /** A viewer looks there, instead of where it looked before. @throws {RelayFault} `overloaded`. */
  look(slideId: SlideId, viewer: string, viewport: SlideViewport, now: Millis): void {
    this.#forgetOld(now)
    const slide = this.#slide(slideId)
    const before = slide.viewports.get(viewer)?.viewport
    if (before === undefined && slide.viewports.size >= WANTED_LIMITS.viewers) throw new RelayFault('overloaded', 'too many viewers look at this slide')
    slide.viewports.delete(viewer)
    slide.viewports.set(viewer, { viewport, until: now + WANTED_LIMITS.lifetimeMillis })
    if (before === undefined || !isSame(before, viewport)) this.#changed(slide)
  }

  /** A viewer looks at a slide no longer. */
  leave(slideId: SlideId, viewer: string): void {
    const slide = this.#slides.get(slideId)
    if (slide?.viewports.delete(viewer) === true) this.#changed(slide)
  }

  /** What a slide consists of changed: what is wanted of it may mean other chunks. */
  touch(slideId: SlideId): void {
    const slide = this.#slides.get(slideId)
    if (slide !== undefined) this.#changed(slide)
  }

  /** What is looked at, the last moved first. */
  current(slideId: SlideId, now: Millis): { readonly serial: number; readonly viewports: readonly SlideViewport[] } {
    this.#forgetOld(now)
    const slide = this.#slides.get(slideId)
    return { serial: slide?.serial ?? this.#serial, viewports: [...(slide?.viewports.values() ?? [])].map(({ viewport }) => viewport).toReversed() }
  }

  /** Settles with the next change of what is looked at. @throws {RelayFault} `overloaded`. */
  changed(slideId: SlideId): Promise<undefined> {
    return this.#slide(slideId).change.promise
  }

  /** Forgets a slide that is gone or complete. */
  forget(slideId: SlideId): void {
    const slide = this.#slides.get(slideId)
    if (slide === undefined) return
    this.#slides.delete(slideId)
    slide.change.resolve(undefined)
  }

  #slide(slideId: SlideId): LookedAt {
    const known = this.#slides.get(slideId)
    if (known !== undefined) return known
    if (this.#slides.size >= WANTED_LIMITS.slides) throw new RelayFault('overloaded', 'too many slides are looked at')
    const slide: LookedAt = { serial: ++this.#serial, viewports: new Map(), change: Promise.withResolvers() }
    this.#slides.set(slideId, slide)
    return slide
  }

  #forgetOld(now: Millis): void {
    for (const slide of this.#slides.values()) {
      const old = [...slide.viewports].filter(([, { until }]) => until <= now)
      for (const [viewer] of old) slide.viewports.delete(viewer)
      if (old.length > 0) this.#changed(slide)
    }
  }

  #changed(slide: LookedAt): void {
    slide.serial = ++this.#serial
    slide.change.resolve(undefined)
    slide.change = Promise.withResolvers()
  }
}

const isSame = (a: SlideViewport, b: SlideViewport): boolean => a.level === b.level && a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height

/** Chunks of what one viewport shows, the ones in its middle first. None when the viewport lies outside. */
export function chunksIn(viewport: SlideViewport, shape: SlideLevel, index: LevelIndex): ChunkRef[] {
  const chunks = new Set<number>()
  for (const position of tilesIn(shape, middleOf(viewport, shape))) chunks.add(index.chunkOf(ordinalOf(shape, position)))
  return [...chunks].map(chunk => ({ level: viewport.level, chunk }))
}

/** Squares of what one viewport shows, the ones in its middle first. None when the viewport lies outside. */
export function squaresIn(viewport: SlideViewport, shape: SlideLevel): SquareRef[] {
  const squares = new Set(tilesIn(shape, middleOf(viewport, shape)).map(position => squareOf(shape, position)))
  return [...squares].map(square => ({ level: viewport.level, square }))
}

/** A part around the middle of a viewport that is not larger than what may be asked for. */
function middleOf({ x, y, width, height }: SlideViewport, { width: levelWidth, height: levelHeight, tileWidth, tileHeight }: SlideLevel) {
  const along = (start: number, length: number, whole: number, tile: number): readonly [number, number] => {
    const [from, to] = [Math.min(whole - 1, Math.max(0, start)), Math.min(whole - 1, Math.max(0, start + length))]
    const most = (WANTED_LIMITS.side - 1) * tile
    return to - from <= most ? [from, to - from] : [(from + to - most) / 2, most]
  }
  const [[left, across], [top, down]] = [along(x, width, levelWidth, tileWidth), along(y, height, levelHeight, tileHeight)]
  return { x: left, y: top, width: across, height: down }
}

/** Merges what several viewers want, so that each gets its turn: the first of each, then the second of each… */
export function takeTurns<Ref extends ChunkRef | SquareRef>(wishes: readonly (readonly Ref[])[], most: number): Ref[] {
  const merged = new Map<string, Ref>()
  const longest = Math.max(0, ...wishes.map(({ length }) => length))
  for (let turn = 0; turn < longest; turn++) {
    for (const wish of wishes) {
      const ref = wish[turn]
      if (ref === undefined) continue
      if (merged.size >= most) return [...merged.values()]
      const key = `${ref.level} ${'chunk' in ref ? ref.chunk : ref.square}`
      if (!merged.has(key)) merged.set(key, ref)
    }
  }
  return [...merged.values()]
}
