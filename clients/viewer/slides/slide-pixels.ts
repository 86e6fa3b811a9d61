/** The one place that speaks OpenSeadragon: it lays tiles on the screen; where and how large, others decide. */
import OpenSeadragon from 'openseadragon'
import { columnsOf, rowsOf } from '../../../relay/wire/slide.ts'
import type { SlideStructure } from '../../../relay/wire/slide.ts'
import { imageOrigin } from '../view/viewport.ts'
import type { Size, Viewport } from '../view/viewport.ts'
import { levelFor, levelScale, shapeOf, tileKey } from './slide-levels.ts'
import type { TileAddress } from './slide-levels.ts'

/** Decoded tiles that are kept, 256 KiB each at 256×256. */
const CACHED_TILES = 800
/** Requests at once; browsers queue them behind their connections. */
const LOADING_TILES = 24
/** A tile's job is given up by whoever loads it, not by OpenSeadragon. */
const JOB_TIMEOUT_MS = 24 * 3600 * 1000

/** Who makes the tiles. */
export interface TilePainter {
  /** A tile, or undefined when there is none yet. */
  load(tile: TileAddress): Promise<CanvasRenderingContext2D | undefined>
  /** Everything was laid out as far as it is there. Called after each drawing. */
  drawn(): void
}

/** Draws a slide's tiles on a canvas of its own in an element. */
export class SlidePixels {
  readonly #structure: SlideStructure
  readonly #painter: TilePainter
  readonly #viewer: OpenSeadragon.Viewer
  readonly #source: OpenSeadragon.TileSource
  /** Tiles that OpenSeadragon takes to be absent until they are revived. */
  readonly #absent = new Map<string, OpenSeadragon.Tile>()
  #image: OpenSeadragon.TiledImage | undefined
  #viewport: Viewport | undefined
  #canvas: Size = { width: 1, height: 1 }
  #isWanted: (tile: TileAddress) => boolean = () => true

  constructor(element: HTMLElement, structure: SlideStructure, painter: TilePainter) {
    this.#structure = structure
    this.#painter = painter
    // It writes every tile that is not here yet to the console.
    Object.assign(OpenSeadragon, { console: { log: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, assert: quiet } })
    this.#source = this.#createSource()
    this.#viewer = OpenSeadragon({
      element,
      drawer: 'canvas',
      tileSources: [],
      showNavigationControl: false,
      mouseNavEnabled: false,
      animationTime: 0,
      blendTime: 0,
      visibilityRatio: 0,
      minZoomImageRatio: 1e-9,
      maxZoomPixelRatio: 1e9,
      minPixelRatio: 0,
      maxTilesPerFrame: LOADING_TILES,
      imageLoaderLimit: LOADING_TILES,
      maxImageCacheCount: CACHED_TILES,
      timeout: JOB_TIMEOUT_MS,
    } as unknown as OpenSeadragon.Options)
    this.#viewer.addHandler('tile-load-failed', ({ tile }) => this.#absent.set(tileKey(this.#addressOf(tile)), tile))
    this.#viewer.addHandler('update-viewport', () => painter.drawn())
    this.#viewer.addHandler('resize', () => this.#apply())
    this.#viewer.addTiledImage({
      tileSource: this.#source,
      success: ({ item }: { item: OpenSeadragon.TiledImage }) => {
        this.#image = item
        const tilesToDraw = item.getTilesToDraw.bind(item)
        item.getTilesToDraw = () => {
          const tiles = tilesToDraw()
          for (const { tile } of tiles) this.#place(tile)
          return tiles
        }
        this.#apply()
      },
    } as unknown as Parameters<OpenSeadragon.Viewer['addTiledImage']>[0])
  }

  /** The pixels, once there are some. */
  get canvas(): HTMLCanvasElement | null {
    return this.#viewer.element.querySelector('canvas')
  }

  /**
   * Shows a part of the slide at once, in pixels of level 0, from the level that `levelFor` says.
   *
   * @param canvas - In device pixels.
   * @param isWanted - Which tiles that takes; others are not begun.
   */
  show(viewport: Viewport, canvas: Size, isWanted: (tile: TileAddress) => boolean): void {
    this.#viewport = viewport
    this.#canvas = canvas
    this.#isWanted = isWanted
    this.#apply()
    this.revive(isWanted)
  }

  /** Asks again for tiles that were absent. */
  revive(isWanted: (tile: TileAddress) => boolean): void {
    for (const [key, tile] of this.#absent) {
      if (!isWanted(this.#addressOf(tile))) continue
      this.#absent.delete(key)
      tile.exists = true
    }
    // Otherwise it looks at its tiles only when the viewport changes.
    this.#image?.update(true)
  }

  /** Forgets every picture and asks for all again. */
  redraw(): void {
    this.#image?.reset()
    this.#image?.update(true)
  }

  /** Tiles that the last drawing has. */
  drawnTiles(): TileAddress[] {
    return (this.#image?.getTilesToDraw() ?? []).filter(({ tile }) => tile.loaded).map(({ tile }) => this.#addressOf(tile))
  }

  close(): void {
    this.#viewer.destroy()
  }

  /** OpenSeadragon counts levels from the coarsest. */
  #levelOf(theirs: number): number {
    return this.#structure.levels.length - 1 - theirs
  }

  #addressOf({ level, x, y }: OpenSeadragon.Tile): TileAddress {
    return { level: this.#levelOf(level), column: x, row: y }
  }

  #apply(): void {
    if (this.#viewport === undefined || this.#image === undefined) return
    const { x, y, scale } = this.#viewport
    const { width } = shapeOf(this.#structure, 0)
    // It takes the finest level that it is told of.
    this.#source.maxLevel = this.#levelOf(levelFor(this.#structure, scale))
    const { viewport } = this.#viewer
    viewport.zoomTo((width * scale) / this.#canvas.width, undefined, true)
    viewport.panTo(new OpenSeadragon.Point(x / width, y / width), true)
    this.#image.redraw()
  }

  /** On whole device pixels, edge to edge with its neighbours: OpenSeadragon stretches tiles by a pixel, so that no seams show. */
  #place(tile: OpenSeadragon.Tile): void {
    if (this.#viewport === undefined) return
    const finest = shapeOf(this.#structure, 0)
    const { level, column, row } = this.#addressOf(tile)
    const { width, height, tileWidth, tileHeight } = shapeOf(this.#structure, level)
    const origin = imageOrigin(this.#viewport, this.#canvas)
    const { scale } = this.#viewport
    const edge = (start: number, index: number, length: number, whole: number, of: number): number => Math.round(start + Math.min(1, (index * length) / whole) * of * scale)
    const [left, right] = [edge(origin.x, column, tileWidth, width, finest.width), edge(origin.x, column + 1, tileWidth, width, finest.width)]
    const [top, bottom] = [edge(origin.y, row, tileHeight, height, finest.height), edge(origin.y, row + 1, tileHeight, height, finest.height)]
    const ratio = OpenSeadragon.pixelDensityRatio
    tile.position = new OpenSeadragon.Point(left / ratio, top / ratio)
    tile.size = new OpenSeadragon.Point((right - left) / ratio, (bottom - top) / ratio)
  }

  #createSource(): OpenSeadragon.TileSource {
    const structure = this.#structure
    const finest = shapeOf(structure, 0)
    const aspect = finest.height / finest.width
    const shape = (level: number) => shapeOf(structure, this.#levelOf(level))
    const source = new OpenSeadragon.TileSource({
      width: finest.width, height: finest.height, tileWidth: finest.tileWidth, tileHeight: finest.tileHeight, tileOverlap: 0, minLevel: 0, maxLevel: structure.levels.length - 1, ready: true,
    })
    return Object.assign(source, {
      getLevelScale: (level: number) => levelScale(structure, this.#levelOf(level)),
      getNumTiles: (level: number) => new OpenSeadragon.Point(columnsOf(shape(level)), rowsOf(shape(level))),
      getTileWidth: (level: number) => shape(level).tileWidth,
      getTileHeight: (level: number) => shape(level).tileHeight,
      getClosestLevel: () => 0,
      tileExists: (level: number, column: number, row: number) => level >= 0 && level < structure.levels.length && column >= 0 && row >= 0 && column < columnsOf(shape(level)) && row < rowsOf(shape(level)),
      // Each axis by itself: levels of real slides are rounded, and their tiles reach over the rim.
      getTileAtPoint: (level: number, point: OpenSeadragon.Point) => {
        const { width, height, tileWidth, tileHeight } = shape(level)
        const clamp = (value: number, count: number): number => Math.min(count - 1, Math.max(0, Math.floor(value)))
        return new OpenSeadragon.Point(clamp((point.x * width) / tileWidth, columnsOf(shape(level))), clamp(((point.y / aspect) * height) / tileHeight, rowsOf(shape(level))))
      },
      getTileBounds: (level: number, column: number, row: number, isSource?: boolean) => {
        const { width, height, tileWidth, tileHeight } = shape(level)
        const [left, top] = [column * tileWidth, row * tileHeight]
        const [right, bottom] = [Math.min(width, left + tileWidth), Math.min(height, top + tileHeight)]
        if (isSource === true) return new OpenSeadragon.Rect(0, 0, right - left, bottom - top)
        return new OpenSeadragon.Rect(left / width, (top / height) * aspect, (right - left) / width, ((bottom - top) / height) * aspect)
      },
      getTileUrl: (level: number, column: number, row: number) => tileKey({ level: this.#levelOf(level), column, row }),
      getTileHashKey: (level: number, column: number, row: number) => `${structure.slideId}/${tileKey({ level: this.#levelOf(level), column, row })}`,
      downloadTileStart: (job: OpenSeadragon.ImageJob) => void this.#load(job),
      downloadTileAbort: quiet,
    })
  }

  async #load(job: OpenSeadragon.ImageJob): Promise<void> {
    const tile = this.#addressOf(job.tile)
    const picture = this.#isWanted(tile) ? await this.#painter.load(tile) : undefined
    if (picture === undefined) job.fail('absent', null)
    else job.finish(picture, null, 'context2d')
  }
}

const quiet = (): void => undefined
