import { LRUCache } from 'lru-cache'
import { enlarge, i420Bytes } from '../specimen.ts'
import { BLOCK_BYTES, BLOCK_SIDE, blockKey, blocksOfLevel, blocksOfView, sourceLevel } from './block-grid.ts'
import type { Plane, PlaneWindow, SpecimenView, VisibleSpecimen } from '../specimen.ts'
import type { BlockAddress, SlideExtent } from './block-grid.ts'

/** Where blocks come from. */
export interface BlockSupply {
  /** These are wanted, the first ones most. Replaces what was wanted before. */
  want(blocks: readonly BlockAddress[]): void
}

/** Blocks kept for views, in bytes: an 8K image at full resolution takes 52 MB, with a ring around it 70. */
const KEPT_BYTES = 256 * 1024 * 1024
/** No more is asked for at a time; what is left comes with the next image. */
const MOST_WANTED = 1024
/** Blocks around what is in view that are made in advance. */
const AROUND = 1
/** Empty glass, in limited range. @see Rec. ITU-R BT.709-6 item 3.2 */
const GLASS_LUMA = 235
const GREY_CHROMA = 128

/** Of one component: how many pixels of a view one of its pixels stands for, in each direction. */
const SHRINKS = [1, 2, 2] as const
/** Of one component: where it begins in a block, and what is beyond the slide. */
const COMPONENTS = [
  { offset: 0, beyond: GLASS_LUMA },
  { offset: BLOCK_SIDE * BLOCK_SIDE, beyond: GREY_CHROMA },
  { offset: (BLOCK_SIDE * BLOCK_SIDE * 5) / 4, beyond: GREY_CHROMA },
] as const

/**
 * A slide of which only what is looked at is in memory, with glass around it. Drawing waits for nothing:
 * what is not there yet is drawn from the finest coarser level that is, and the coarsest ones always are.
 *
 * Chroma of a view at an odd position is half a pixel off.
 */
export class SlideSpecimen implements VisibleSpecimen {
  readonly #extent: SlideExtent
  readonly #supply: BlockSupply
  readonly #kept = new LRUCache<string, Uint8Array>({ maxSize: KEPT_BYTES, sizeCalculation: block => block.length })
  /** Of the coarsest levels, always here. */
  readonly #pinned = new Map<string, Uint8Array>()
  readonly #pinnedFrom: number
  #wanted = ''

  /** @param pinnedFrom - The finest level of which all blocks stay in memory once they came. */
  constructor(extent: SlideExtent, supply: BlockSupply, pinnedFrom: number) {
    this.#extent = extent
    this.#supply = supply
    this.#pinnedFrom = pinnedFrom
  }

  /** Takes a block that was wanted. */
  add(address: BlockAddress, block: Uint8Array): void {
    if (block.length !== BLOCK_BYTES) throw new Error('not a block')
    if (address.level >= this.#pinnedFrom) this.#pinned.set(blockKey(address), block)
    else this.#kept.set(blockKey(address), block)
  }

  prepare(views: readonly SpecimenView[], soon: readonly SpecimenView[] = []): boolean {
    const inView = this.#missing(views, 0)
    // What is only passed by may stay coarse.
    const wanted = [this.#missing(soon, 0), inView, this.#missing(soon.length > 0 ? soon : views, AROUND)]
    this.#want([...new Map(wanted.flatMap(missing => [...missing])).values()].slice(0, MOST_WANTED))
    return inView.size === 0
  }

  draw(view: SpecimenView, target: Uint8Array): void {
    const { width, height } = view
    if (target.length < i420Bytes(width, height)) throw new Error('the target is too small for the view')
    const from = sourceLevel(view, this.#extent)
    let at = 0
    for (const [component, shrink] of SHRINKS.entries()) {
      const window = { x: Math.floor(view.x / shrink), y: Math.floor(view.y / shrink), width: width / shrink, height: height / shrink }
      const part = target.subarray(at, at + window.width * window.height)
      if (from === view.level) this.#copy(component, from, window, part)
      else this.#enlarge(component, from, from - view.level, window, part)
      at += part.length
    }
  }

  /** Everything of the coarsest levels, to begin with. */
  get foundation(): BlockAddress[] {
    const levels = Array.from({ length: this.#extent.coarsest - this.#pinnedFrom + 1 }, (_, index) => this.#extent.coarsest - index)
    return levels.flatMap(level => blocksOfLevel(this.#extent, level))
  }

  /** Blocks of these views that are not here, by name. */
  #missing(views: readonly SpecimenView[], around: number): ReadonlyMap<string, BlockAddress> {
    const missing = new Map<string, BlockAddress>()
    for (const view of views) {
      for (const block of blocksOfView(view, this.#extent, around)) {
        const key = blockKey(block)
        if (!missing.has(key) && this.#block(key) === undefined) missing.set(key, block)
      }
    }
    return missing
  }

  #want(blocks: readonly BlockAddress[]): void {
    const wanted = blocks.map(blockKey).join()
    if (wanted === this.#wanted) return
    this.#wanted = wanted
    this.#supply.want(blocks)
  }

  #block(key: string): Uint8Array | undefined {
    return this.#pinned.get(key) ?? this.#kept.get(key)
  }

  /** Copies a window of a level, or the best there is of it. */
  #copy(component: number, level: number, window: PlaneWindow, target: Uint8Array): void {
    const side = BLOCK_SIDE / (SHRINKS[component] ?? 1)
    for (let row = Math.floor(window.y / side); row * side < window.y + window.height; row++) {
      for (let column = Math.floor(window.x / side); column * side < window.x + window.width; column++) {
        this.#copyBlock(component, { level, column, row }, window, target)
      }
    }
  }

  #copyBlock(component: number, { level, column, row }: BlockAddress, window: PlaneWindow, target: Uint8Array): void {
    const { offset = 0, beyond = 0 } = COMPONENTS[component] ?? {}
    const side = BLOCK_SIDE / (SHRINKS[component] ?? 1)
    const left = Math.max(column * side, window.x)
    const right = Math.min((column + 1) * side, window.x + window.width)
    const top = Math.max(row * side, window.y)
    const bottom = Math.min((row + 1) * side, window.y + window.height)
    const found = this.#find(level, column, row)
    for (let y = top; y < bottom; y++) {
      const start = (y - window.y) * window.width - window.x
      if (found === undefined) {
        target.fill(beyond, start + left, start + right)
        continue
      }
      const { block, halvings } = found
      const line = offset + ((y >> halvings) & (side - 1)) * side
      if (halvings === 0) target.set(block.subarray(line + (left & (side - 1)), line + (left & (side - 1)) + right - left), start + left)
      else for (let x = left; x < right; x++) target[start + x] = block[line + ((x >> halvings) & (side - 1))] ?? beyond
    }
  }

  /** The block, or the one of the next coarser level that has it. Undefined beyond the slide. */
  #find(level: number, column: number, row: number): { readonly block: Uint8Array; readonly halvings: number } | undefined {
    for (let halvings = 0; level + halvings <= this.#extent.coarsest; halvings++) {
      const block = this.#block(blockKey({ level: level + halvings, column: column >> halvings, row: row >> halvings }))
      if (block !== undefined) return { block, halvings }
    }
    return undefined
  }

  /** Draws a window at 2^`doublings` times a level's resolution: out of focus. */
  #enlarge(component: number, level: number, doublings: number, window: PlaneWindow, target: Uint8Array): void {
    const factor = 2 ** doublings
    const first = { x: Math.floor(window.x / factor) - 1, y: Math.floor(window.y / factor) - 1 }
    const plane: Plane = { width: Math.ceil(window.width / factor) + 4, height: Math.ceil(window.height / factor) + 4, pixels: new Uint8Array(0) }
    const pixels = new Uint8Array(plane.width * plane.height)
    this.#copy(component, level, { ...first, width: plane.width, height: plane.height }, pixels)
    enlarge({ ...plane, pixels }, { ...window, x: window.x - first.x * factor, y: window.y - first.y * factor }, doublings, target)
  }
}

/** A picture of glass with nothing on it. */
export function blankBlock(): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK_BYTES)
  block.fill(GLASS_LUMA, 0, BLOCK_SIDE * BLOCK_SIDE)
  block.fill(GREY_CHROMA, BLOCK_SIDE * BLOCK_SIDE)
  return block
}
