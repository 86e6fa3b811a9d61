import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import sharp from 'sharp'
import { systemClock } from '../../relay/runtime/clock.ts'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { openTiffSlide } from '../../relay/slides/formats/tiff-slide.ts'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { HttpDoor } from '../../relay/slides/transfer/http-door.ts'
import { HttpsCarrier } from '../../relay/slides/transfer/https-carrier.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import type { CleanTiles } from '../../relay/slides/manifest/build-level.ts'
import type { PreparedLevel } from '../../relay/slides/transfer/transfer.ts'
import type { SlideLevel, SlideStructure } from '../../relay/wire/slide.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'

const TILE = 256
const ABORT = new AbortController().signal

/** What a test may want otherwise. */
export interface TestSlideOptions {
  readonly pseudonym?: string
  readonly micronsPerPixel?: SlideStructure['micronsPerPixel']
  /** Whether the coarsest level counts as made by the scanner's side. */
  readonly isCoarsestMade?: boolean
}

/** Colours with enough noise to make chunks of some tiles: no two tiles look alike. Deterministic. */
function pixelsOf(level: number, { column, row }: TilePosition): Buffer {
  const pixels = Buffer.alloc(TILE * TILE * 3)
  let noise = (level * 7919 + column * 104_729 + row * 1_299_709 + 1) >>> 0
  for (let at = 0; at < TILE * TILE; at++) {
    noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0
    const [x, y] = [at % TILE, Math.floor(at / TILE)]
    const isRim = x < 2 || y < 2
    pixels[3 * at] = isRim ? 120 : 200 + (column * 13) % 50
    pixels[3 * at + 1] = isRim ? 60 : 130 + (row * 29) % 60 + (noise >>> 26)
    pixels[3 * at + 2] = isRim ? 120 : 170 + ((x + y) >> 4) + (noise >>> 27)
  }
  return pixels
}

/** The colour of a tile of {@link TestSlide.vast}; undefined for one that is left out. */
export function vastColour({ column, row }: TilePosition): readonly [number, number, number] | undefined {
  if (((column >> 3) + 3 * (row >> 3)) % 12 !== 0) return undefined
  return [120 + 16 * (column % 8), 60 + 16 * (row % 8), 120 + 8 * ((column >> 3) % 16)]
}

/** A slide, drawn in memory or from a file, and a scanner that sends what the test tells it to. */
export class TestSlide implements AsyncDisposable {
  readonly structure: SlideStructure
  readonly #preparation: SlidePreparation
  readonly #door: HttpDoor
  readonly #carrier: HttpsCarrier
  readonly #levels: readonly PreparedLevel[]

  private constructor(preparation: SlidePreparation, levels: readonly PreparedLevel[], link: string) {
    this.structure = preparation.structure
    this.#preparation = preparation
    this.#levels = levels
    const url = new URL(link)
    const origin = { origin: url.origin, token: new URLSearchParams(url.hash.slice(1)).get('invitation') ?? '' }
    this.#door = new HttpDoor(origin)
    this.#carrier = new HttpsCarrier(origin, { clock: systemClock })
  }

  /** Three levels that are drawn in memory. @param link - An invitation for a scanner. */
  static async open(link: string, { pseudonym = 'TEST-0001', micronsPerPixel = { x: 0.25, y: 0.25 }, isCoarsestMade = false }: TestSlideOptions = {}): Promise<TestSlide> {
    const level = (width: number, height: number, isMade = false): SlideLevel => ({ width, height, tileWidth: TILE, tileHeight: TILE, isMade, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' } })
    const structure: SlideStructure = {
      version: 1, slideId: SlideId.parse(randomUUID()), format: 'tiff', pseudonym, micronsPerPixel, objectivePower: 40, removed: [],
      levels: [level(2501, 2003), level(1250, 1001), level(312, 250, isCoarsestMade)],
    }
    const made = new Map<string, Promise<Buffer>>()
    const tiles = {
      readTile: (of: number, position: TilePosition): Promise<Buffer> => {
        const name = `${of} ${position.column} ${position.row}`
        const tile = made.get(name) ?? sharp(pixelsOf(of, position), { raw: { width: TILE, height: TILE, channels: 3 } }).jpeg({ quality: 95 }).toBuffer()
        made.set(name, tile)
        return tile
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
    return TestSlide.#prepare(structure, tiles, link)
  }

  /** The slide in a file, without its names. @param link - An invitation for a scanner. */
  static async ofFile(link: string, path: string, pseudonym = 'TEST-FILE'): Promise<TestSlide> {
    const slide = await DeidentifiedSlide.open(await openTiffSlide(path), { slideId: SlideId.parse(randomUUID()), pseudonym })
    return TestSlide.#prepare(slide.structure, slide, link)
  }

  /**
   * 100,000×80,000 pixels in five levels. Of the fine levels most tiles are left out, as formats may; the others share few
   * pictures, so that it costs little to send. @see vastColour
   */
  static async vast(link: string): Promise<TestSlide> {
    const levels = [1, 4, 16, 64, 256].map((reduction): SlideLevel => (
      { width: Math.ceil(100_000 / reduction), height: Math.ceil(80_000 / reduction), tileWidth: TILE, tileHeight: TILE, isMade: false, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' } }))
    const structure: SlideStructure = { version: 1, slideId: SlideId.parse(randomUUID()), format: 'tiff', pseudonym: 'TEST-VAST', micronsPerPixel: { x: 0.25, y: 0.25 }, objectivePower: 40, removed: [], levels }
    const pictures = new Map<string, Promise<Buffer>>()
    const draw = (background: string): Promise<Buffer> => sharp({ create: { width: TILE, height: TILE, channels: 3, background } }).jpeg({ quality: 90 }).toBuffer()
    const readTile = async (_level: number, position: TilePosition): Promise<Buffer> => {
      const colour = vastColour(position)
      if (colour === undefined) return Buffer.alloc(0)
      const name = `rgb(${colour.join(',')})`
      const picture = pictures.get(name) ?? draw(name)
      pictures.set(name, picture)
      return picture
    }
    return TestSlide.#prepare(structure, { readTile, [Symbol.asyncDispose]: () => Promise.resolve() }, link)
  }

  static async #prepare(structure: SlideStructure, tiles: CleanTiles, link: string): Promise<TestSlide> {
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
    const preparation = new SlidePreparation({ structure, tiles, key: await openSigningKey(await exportJWK(privateKey)) })
    const levels: PreparedLevel[] = []
    for await (const prepared of preparation.levels(ABORT)) levels.push(prepared)
    return new TestSlide(preparation, levels, link)
  }

  get slideId(): SlideId {
    return this.structure.slideId
  }

  /** How many chunks a level has. */
  chunksOf(level: number): number {
    return this.#level(level).index.chunks
  }

  async announce(): Promise<void> {
    await this.#door.announce(this.#preparation, ABORT)
  }

  /** Sends a level's index, and those of its chunks that are named; without a word, all. */
  async send(level: number, chunks?: readonly number[]): Promise<void> {
    const prepared = this.#level(level)
    await this.#door.putLevel(this.slideId, prepared, ABORT)
    for (const chunk of chunks ?? Array.from({ length: prepared.index.chunks }, (_, index) => index)) {
      await this.#carrier.put(this.slideId, prepared.index.chunk(chunk).sha256, await this.#preparation.readChunk(prepared, chunk), ABORT)
    }
  }

  /** Sends all of it. */
  async sendAll(): Promise<void> {
    await this.announce()
    for (const { level } of this.#levels) await this.send(level)
    await this.complete()
  }

  async complete(): Promise<void> {
    await this.#door.complete(this.slideId, await this.#preparation.head(), ABORT)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#door[Symbol.dispose]()
    await this.#carrier[Symbol.asyncDispose]()
    await this.#preparation[Symbol.asyncDispose]()
  }

  #level(level: number): PreparedLevel {
    const prepared = this.#levels.find(each => each.level === level)
    if (prepared === undefined) throw new Error('no such level')
    return prepared
  }
}
