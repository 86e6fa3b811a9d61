import { batch, computed, signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import type { ArrivedTiles, SlideArea, SlidePoint } from '../../../relay/wire/slide-sharing.ts'
import { tilesOf } from '../../../relay/wire/slide.ts'
import type { SlideState, SlideStructure, SlideViewport } from '../../../relay/wire/slide.ts'
import { ordinalOf, squareOf, tileAt } from '../../../relay/wire/tile-order.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { GestureStage, GestureTarget } from '../view/gestures.ts'
import { fit, fitScale, imageOrigin, imagePoint, pan, scaleAt, settle, visibleRect, zoomAt } from '../view/viewport.ts'
import type { Point, Rect, Size, Viewport } from '../view/viewport.ts'
import { arrivedShare, heatLine } from './arrival.ts'
import type { LevelProgress } from './arrival.ts'
import { ThrottledSender } from './latest-throttle.ts'
import { LevelProofs } from './level-proofs.ts'
import type { SlideIdentity } from './level-proofs.ts'
import type { DescribedSlide, SlideApi } from './slide-api.ts'
import { checkSlideHead } from './slide-head-check.ts'
import type { SlideHeads, SlideHeadVerdict } from './slide-head-check.ts'
import { areaOnLevel, levelFor, levelScale, shapeOf, tileKey, tilesOfArea } from './slide-levels.ts'
import type { TileAddress } from './slide-levels.ts'
import { SlidePixels } from './slide-pixels.ts'
import { isSharp, tellSlideTruth } from './slide-truth.ts'
import type { SlideTruth } from './slide-truth.ts'
import { TileLedger } from './tile-ledger.ts'
import { TileLoader } from './tile-loader.ts'

const LOOK_INTERVAL = millis(200)
const ARRIVAL_INTERVAL = millis(500)
/** What could not be had and no news came of is asked for again. */
const RETRY_MS = 2000

/** A slide's pixels cannot be steered. */
const NO_STAGE: GestureStage = { place: undefined, micrometresPerPixel: 1, reachFor: () => undefined }
const NO_TRUTH = tellSlideTruth({ level: 0, zoom: 1, standInZoom: null, states: [], isRecompressed: false, head: 'awaited' })

/** One open slide: what is seen of it, what is true of that, and what can be done with it. */
export class SlideView implements GestureTarget {
  readonly stage = NO_STAGE
  readonly structure: SlideStructure
  /** Of level 0. */
  readonly image: Size
  /** In device pixels. */
  readonly canvas = signal<Size>({ width: 1, height: 1 })
  readonly devicePixelRatio = signal(1)
  /** In pixels of level 0. */
  readonly viewport = signal<Viewport | null>(null)
  readonly truth = signal<SlideTruth>(NO_TRUTH)
  readonly state = signal<SlideState>('arriving')
  readonly progress = signal<readonly LevelProgress[]>([])
  readonly fault = signal<RelayFault | null>(null)
  readonly heat = computed(() => heatLine(this.structure.levels.map(tilesOf), this.progress.value))
  readonly share = computed(() => arrivedShare(this.structure.levels.map(tilesOf), this.progress.value))
  /** From opening to the first sharp viewport, in milliseconds; null before. */
  firstSharpMillis: number | null = null
  /** From the last change of the viewport until it was sharp; null while it is not. */
  sharpMillis: number | null = null
  /** Called for own gestures, with where the pointer is on the slide. */
  onPointer: ((at: SlidePoint | null) => void) | undefined
  /** Called when this viewer moves by itself. */
  onGesture: (() => void) | undefined
  /** Called whenever what is seen changed. */
  onMoved: ((area: SlideArea) => void) | undefined
  readonly #api: SlideApi
  readonly #identity: SlideIdentity
  #head: SlideHeadVerdict = 'awaited'
  readonly #ledger = new TileLedger()
  readonly #proofs: LevelProofs
  readonly #loader: TileLoader
  /** Levels that the node knows. */
  readonly #known = new Set<number>()
  /** Squares of tiles that the node has ahead of their levels. */
  readonly #squares = new Set<string>()
  readonly #pixels: SlidePixels
  readonly #look: ThrottledSender<SlideViewport>
  readonly #readArrival: ThrottledSender<null>
  readonly #retry: ReturnType<typeof setInterval>
  readonly #openedAtMs = performance.now()
  #movedAtMs = performance.now()
  #isFitted = true
  #isJudging = false
  /** How often word came of tiles. */
  #arrivals = 0
  #wanted: readonly TileAddress[] = []

  /** @param element - Is filled with the slide's pixels. */
  constructor(element: HTMLElement, api: SlideApi, { identity, state, heads }: DescribedSlide) {
    this.structure = identity.structure
    this.#identity = identity
    this.state.value = state
    const { width, height } = shapeOf(this.structure, 0)
    this.image = { width, height }
    this.#api = api
    this.#proofs = new LevelProofs(identity, async wanted => heads.levels.find(({ level }) => level === wanted)?.head ?? api.levelHead(wanted))
    this.#learn(heads.levels)
    this.#loader = new TileLoader(this.structure, api, this.#proofs, this.#ledger)
    this.#pixels = new SlidePixels(element, this.structure, {
      load: async tile => {
        // There is none: asking would only keep connections from those that are there.
        if (!this.#known.has(tile.level) && !this.#squares.has(this.#squareKey(tile))) {
          this.#ledger.note(tile, 'missing')
          this.#judgeSoon()
          return undefined
        }
        const before = this.#arrivals
        const picture = await this.#loader.load(tile)
        this.#judgeSoon()
        // The word that it is here may overtake the answer that it is not.
        if (picture === undefined && this.#arrivals !== before) setTimeout(() => this.#askAgain(({ level, column, row }) => level === tile.level && column === tile.column && row === tile.row))
        return picture
      },
      drawn: () => this.#judge(),
    })
    this.#look = new ThrottledSender(LOOK_INTERVAL, viewport => this.#try(api.look(viewport)))
    this.#readArrival = new ThrottledSender(ARRIVAL_INTERVAL, () => this.#try(this.#arrival()))
    this.#readArrival.offer(null)
    if (state === 'complete') {
      // Nothing is claimed before: this takes a few milliseconds, and no request.
      this.#head = 'checking'
      void this.#checkHead(Promise.resolve(heads))
    }
    this.#retry = setInterval(() => {
      this.#askAgain()
      this.#checkEarly(() => true)
      if (!isSharp(this.truth.value)) this.arrived()
    }, RETRY_MS)
  }

  /** Micrometres of one pixel of level 0, or 1 where nobody knows. */
  get micrometresPerPixel(): Point {
    return this.structure.micronsPerPixel ?? { x: 1, y: 1 }
  }

  /** What is seen, in pixels of level 0. */
  get visible(): Rect {
    const { value: viewport } = this.viewport
    return viewport === null ? { x: 0, y: 0, width: 0, height: 0 } : visibleRect(viewport, this.image, this.canvas.value)
  }

  /** The tiles that were drawn last, and the pixels they were drawn on. */
  get pixels(): SlidePixels {
    return this.#pixels
  }

  /** The node has more of the slide. */
  arrived(): void {
    this.#readArrival.offer(null)
  }

  /** Tiles can be had that somebody looks at. */
  tilesArrived({ level, firstTile, tiles, signedBy }: ArrivedTiles): void {
    const shape = shapeOf(this.structure, level)
    this.#arrivals++
    const square = this.#squareKey({ level, ...tileAt(shape, firstTile) })
    if (signedBy === 'level') this.#learn([{ level }])
    else if (signedBy === 'square') this.#squares.add(square)
    else {
      this.#squares.delete(square)
      this.#pixels.redraw()
      return
    }
    const isThere = (tile: TileAddress): boolean => tile.level === level && ordinalOf(shape, tile) >= firstTile && ordinalOf(shape, tile) < firstTile + tiles
    this.#askAgain(isThere)
    if (signedBy === 'level') this.#checkEarly(isThere)
  }

  resize(canvas: Size, devicePixelRatio: number): void {
    batch(() => {
      this.devicePixelRatio.value = devicePixelRatio
      this.canvas.value = canvas
    })
    const { value: viewport } = this.viewport
    this.#goTo(this.#isFitted || viewport === null ? fit(this.image, canvas) : settle(viewport, this.image, canvas))
  }

  fit(): void {
    this.#gesture(fit(this.image, this.canvas.value))
  }

  zoom(factor: number, at: Point = this.#centre()): void {
    if (this.viewport.value !== null) this.#gesture(zoomAt(this.viewport.value, this.image, this.canvas.value, { factor, at }))
  }

  zoomTo(scale: number, at: Point = this.#centre()): void {
    if (this.viewport.value !== null) this.#gesture(scaleAt(this.viewport.value, this.image, this.canvas.value, { scale, at }))
  }

  pan(by: Point): void {
    if (this.viewport.value !== null) this.#gesture(pan(this.viewport.value, this.image, this.canvas.value, by))
  }

  /** Puts a point of level 0 at the centre. */
  view(to: Viewport): void {
    this.#gesture(settle(to, this.image, this.canvas.value))
  }

  pointAt(at: Point | undefined): void {
    this.onPointer?.(at === undefined ? null : this.placeOf(at))
  }

  /** Shows a part of the slide because somebody leads there: as much as fits, all of it. */
  follow(area: SlideArea): void {
    const { x: across, y: down } = this.micrometresPerPixel
    const [width, height] = [area.width / across, area.height / down]
    const scale = Math.min(this.canvas.value.width / width, this.canvas.value.height / height)
    this.#goTo(settle({ x: area.x / across + width / 2, y: area.y / down + height / 2, scale }, this.image, this.canvas.value))
  }

  /** The place on the slide under a canvas point, in micrometres. */
  placeOf(at: Point): SlidePoint {
    const { value: viewport } = this.viewport
    const point = viewport === null ? { x: 0, y: 0 } : imagePoint(viewport, this.canvas.value, at)
    return { x: point.x * this.micrometresPerPixel.x, y: point.y * this.micrometresPerPixel.y }
  }

  /** Where a place of the slide is on the screen, in CSS pixels of the view. */
  screenPoint({ x, y }: SlidePoint): Point {
    const { value: viewport } = this.viewport
    if (viewport === null) return { x: -1e6, y: -1e6 }
    const origin = imageOrigin(viewport, this.canvas.value)
    const ratio = this.devicePixelRatio.value
    const { x: across, y: down } = this.micrometresPerPixel
    return { x: (origin.x + (x / across) * viewport.scale) / ratio, y: (origin.y + (y / down) * viewport.scale) / ratio }
  }

  close(): void {
    clearInterval(this.#retry)
    this.#look.drop()
    this.#readArrival.drop()
    this.#loader.close()
    this.#pixels.close()
  }

  /** The node knows these levels. */
  #learn(levels: readonly { readonly level: number }[]): void {
    for (const { level } of levels) {
      if (this.#known.has(level)) continue
      this.#known.add(level)
      this.#proofs.expect(level)
    }
  }

  #squareKey(tile: TileAddress): string {
    return `${tile.level}/${squareOf(shapeOf(this.structure, tile.level), tile)}`
  }

  /** Tiles that are seen and came ahead of their level: those that it does not bear out are taken away. */
  #checkEarly(isThere: (tile: TileAddress) => boolean): void {
    const early = this.#wanted.filter(tile => isThere(tile) && this.#known.has(tile.level) && this.#ledger.stateOf(tile, true) === 'early')
    for (const tile of early) {
      void this.#loader.checkEarly(tile).then(isSame => {
        if (!isSame) this.#pixels.redraw()
        this.#judgeSoon()
      })
    }
  }

  #centre(): Point {
    return { x: this.canvas.value.width / 2, y: this.canvas.value.height / 2 }
  }

  #gesture(viewport: Viewport): void {
    this.onGesture?.()
    this.#goTo(viewport)
  }

  #goTo(viewport: Viewport): void {
    const before = this.viewport.value
    this.#isFitted = viewport.scale === fitScale(this.image, this.canvas.value)
    this.viewport.value = viewport
    if (before?.x !== viewport.x || before.y !== viewport.y || before.scale !== viewport.scale) {
      this.#movedAtMs = performance.now()
      this.sharpMillis = null
    }
    const area = this.visible
    if (area.width <= 0 || area.height <= 0) return
    const level = levelFor(this.structure, viewport.scale)
    this.#wanted = tilesOfArea(this.structure, level, area)
    const isWanted = this.#wantedTiles(area, level)
    this.#loader.keep(isWanted)
    // Before tiles are asked for: those queue for connections, and what is not here yet has to be sent for.
    this.#look.offer({ level, ...areaOnLevel(this.structure, level, area) })
    this.#pixels.show(viewport, this.canvas.value, isWanted)
    const { x: across, y: down } = this.micrometresPerPixel
    this.onMoved?.({ x: area.x * across, y: area.y * down, width: area.width * across, height: area.height * down })
    this.#judgeSoon()
  }

  /** Tiles of the level that is shown, and coarser ones to stand in for them. */
  #wantedTiles(area: Rect, level: number): (tile: TileAddress) => boolean {
    const keys = new Set<string>()
    for (let coarser = level; coarser < this.structure.levels.length; coarser++) for (const tile of tilesOfArea(this.structure, coarser, area)) keys.add(tileKey(tile))
    return tile => keys.has(tileKey(tile))
  }

  /** @param isThere - Those that may have come meanwhile. */
  #askAgain(isThere: (tile: TileAddress) => boolean = () => true): void {
    if (this.viewport.value === null || isSharp(this.truth.value)) return
    const isWanted = this.#wantedTiles(this.visible, levelFor(this.structure, this.viewport.value.scale))
    this.#pixels.revive(tile => isThere(tile) && isWanted(tile))
  }

  #judgeSoon(): void {
    if (this.#isJudging) return
    this.#isJudging = true
    requestAnimationFrame(() => {
      this.#isJudging = false
      this.#judge()
    })
  }

  #judge(): void {
    const { value: viewport } = this.viewport
    if (viewport === null) return
    const level = levelFor(this.structure, viewport.scale)
    const zoomOf = (of: number): number => viewport.scale / levelScale(this.structure, of)
    const drawn = this.#pixels.drawnTiles()
    const keys = new Set(drawn.map(tileKey))
    const coarsest = Math.max(...drawn.map(tile => tile.level))
    const { isMade } = shapeOf(this.structure, level)
    const truth = tellSlideTruth({
      level,
      zoom: zoomOf(level),
      standInZoom: coarsest > level ? zoomOf(coarsest) : null,
      states: this.#wanted.map(tile => this.#ledger.stateOf(tile, keys.has(tileKey(tile)))),
      isRecompressed: isMade || this.structure.format === 'foreign',
      head: this.#head,
    })
    if (isSharp(truth)) {
      this.sharpMillis ??= performance.now() - this.#movedAtMs
      this.firstSharpMillis ??= performance.now() - this.#openedAtMs
    }
    if (JSON.stringify(truth) !== JSON.stringify(this.truth.value)) this.truth.value = truth
  }

  async #arrival(): Promise<void> {
    const { state, squares, levels } = await this.#api.arrived()
    this.#learn(levels)
    const came = squares.map(({ level, square }) => `${level}/${square}`).filter(key => !this.#squares.has(key))
    for (const key of came) this.#squares.add(key)
    if (came.length > 0) this.#askAgain(tile => came.includes(this.#squareKey(tile)))
    const here = new Map(this.progress.value.map(level => [level.level, level.here]))
    const grown = new Set(levels.filter(level => level.here > (here.get(level.level) ?? 0)).map(({ level }) => level))
    // Of the level that is shown the node tells each tile as it comes, unless it had it before the level was announced.
    const { level: shown } = this.truth.value
    if (here.has(shown)) grown.delete(shown)
    if (grown.size > 0) this.#askAgain(({ level }) => grown.has(level))
    batch(() => {
      this.state.value = state
      this.progress.value = levels
    })
    if (state === 'complete' && this.#head === 'awaited') await this.#checkHead(this.#api.heads())
  }

  /** Checks the slide's own head, once. What could not be had is asked for again with the next news. */
  async #checkHead(asking: Promise<SlideHeads>): Promise<void> {
    try {
      this.#head = await checkSlideHead(await asking, this.#identity)
    } catch (error) {
      this.#head = 'awaited'
      throw error
    } finally {
      this.#judgeSoon()
    }
  }

  #try(asking: Promise<void>): void {
    asking.then(() => (this.fault.value = null), (error: unknown) => (this.fault.value = toFault(error)))
  }
}
