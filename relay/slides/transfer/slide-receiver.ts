import { setImmediate } from 'node:timers/promises'
import { RelayFault } from '../../wire/fault.ts'
import { ScannerKey, SLIDE_LIMITS, SlideStructure } from '../../wire/slide.ts'
import { tileAt, tilesOfSquare } from '../../wire/tile-order.ts'
import { bytes, millis } from '../../wire/units.ts'
import { sha256Of, verifyLevelHead, verifySlideHead, verifySquareHead } from '../manifest/heads.ts'
import { LevelIndex } from '../manifest/level-index.ts'
import { leafHash, rootOf } from '../manifest/merkle-tree.ts'
import { decodeSquare } from '../manifest/square-message.ts'
import { leavesOf, SQUARES_AT_ONCE } from '../tiles/square-shelf.ts'
import { ByteBudget } from './byte-budget.ts'
import { chunksIn, squaresIn, takeTurns, WANTED_LIMITS } from './wanted-registry.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { ConsultationId, MemberId, Sha256, SlideId } from '../../wire/ids.ts'
import type { ArrivedTiles } from '../../wire/slide-sharing.ts'
import type { SlideLevel, SlideViewport } from '../../wire/slide.ts'
import type { IndexedChunk } from '../manifest/level-index.ts'
import type { SlideRecord } from '../store/slide-store.ts'
import type { SquareRef, SquareShelf } from '../tiles/square-shelf.ts'
import type { SlideCatalogue } from './slide-catalogue.ts'
import type { WantedChunks } from './transfer.ts'
import type { WantedRegistry } from './wanted-registry.ts'

/** Bounds of what a scanner may send. */
export const RECEIVER_LIMITS = {
  structureBytes: 1024 * 1024,
  /** Of one level: four bytes for each of the most tiles, and their chunks. */
  indexBytes: 48 * 1024 * 1024,
  headCharacters: 4096,
  slidesOfConsultation: 256,
  /** Chunks that are in memory at once, of all scanners. */
  chunkMemoryBytes: 256 * 1024 * 1024,
  /** How long a scanner waits for a change of what is wanted. */
  pollMillis: 20_000,
} as const

/** Who sends a slide, as its invitation says. */
export interface SlideSource {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
}

/** What a scanner does with a slide. */
export type SlideStep = 'announce' | 'complete' | 'delete'

/** What the receiver is made from. */
export interface SlideReceiverOptions {
  readonly catalogue: SlideCatalogue
  readonly wanted: WantedRegistry
  readonly squares: SquareShelf
  readonly clock: Clock
  /** Settles before a slide is announced, completed or deleted. @throws {RelayFault} when that may not be. */
  readonly beforehand?: (source: SlideSource, step: SlideStep, slideId: SlideId) => Promise<void>
  /** A slide came, went, or got further. */
  readonly onChange?: (consultationId: ConsultationId) => void
  /** Tiles came that a viewer looks at. */
  readonly onWanted?: (consultationId: ConsultationId, arrived: ArrivedTiles) => void
  /** A scanner signed a square of tiles, and then a level that has others in its place. The square is gone. */
  readonly onContradiction?: (slideId: SlideId, level: number, squares: number) => void
}

/** Takes slides from scanners, by whatever carrier, and believes nothing that is not signed or does not hash to its name. */
export class SlideReceiver {
  /** Carriers take from it before they hold a chunk. */
  readonly memory = new ByteBudget(bytes(RECEIVER_LIMITS.chunkMemoryBytes))
  readonly #options: SlideReceiverOptions

  constructor(options: SlideReceiverOptions) {
    this.#options = options
  }

  /** @throws {RelayFault} `bad_slide` for what is no structure; `conflict` when the id is taken; `quota_exceeded` for too many slides. */
  async announce(source: SlideSource, structureBytes: Buffer, key: unknown): Promise<SlideId> {
    const { consultationId, memberId: owner } = source
    const { store } = this.#options.catalogue
    if (structureBytes.length > RECEIVER_LIMITS.structureBytes) throw new RelayFault('bad_slide', 'the structure is too long')
    const structure = parseStructure(structureBytes)
    const parsedKey = ScannerKey.safeParse(key)
    if (!parsedKey.success) throw new RelayFault('bad_slide', 'not the key of a scanner')
    const known = store.slide(structure.slideId)
    if (known !== undefined && (known.owner !== owner || known.consultationId !== consultationId || known.key.x !== parsedKey.data.x)) throw new RelayFault('conflict', 'that slide is there already')
    if (known === undefined && store.slidesOf(consultationId).length >= RECEIVER_LIMITS.slidesOfConsultation) {
      throw new RelayFault('quota_exceeded', 'the consultation has as many slides as it may')
    }
    await this.#options.beforehand?.(source, 'announce', structure.slideId)
    await store.createSlide({ slideId: structure.slideId, consultationId, owner, key: parsedKey.data, structure, structureBytes })
    this.#options.onChange?.(consultationId)
    return structure.slideId
  }

  /** @throws {RelayFault} `bad_slide` for a broken index; `signature_refused` for a head that is not its slide's or signs something else; `conflict`; `quota_exceeded`. */
  async putLevel(source: SlideSource, slideId: SlideId, level: number, indexBytes: Buffer, head: string): Promise<void> {
    const { catalogue, wanted } = this.#options
    const record = this.#owned(source, slideId)
    const shape = record.structure.levels[level]
    if (shape === undefined) throw new RelayFault('out_of_range', 'the slide has no such level')
    const index = LevelIndex.decode(indexBytes, shape)
    const said = await verifyLevelHead(head, record.key)
    const isSigned =
      said.slideId === slideId && said.level === level && said.tiles === index.tiles && said.index === sha256Of(indexBytes) &&
      said.structure === sha256Of(record.structureBytes) && said.root === hex(index.root)
    if (!isSigned) throw new RelayFault('signature_refused', 'the head signs another level')
    this.#checkSquares(record, level, this.#options.squares.contradictedByLengths(slideId, level, ordinal => index.lengthOf(ordinal)))
    await catalogue.store.putLevel(slideId, { level, index: indexBytes, head }, [...index.entries()])
    wanted.touch(slideId)
    this.#options.onChange?.(record.consultationId)
  }

  /** One bit per chunk of the level, bit 0 of byte 0 first; set: missing. @throws {RelayFault} `not_found`. */
  missing(source: SlideSource, slideId: SlideId, level: number): Uint8Array {
    this.#owned(source, slideId)
    return this.#options.catalogue.missing(source.memberId, slideId, level)
  }

  /** Whether a chunk is one of the slide's, before its bytes are taken. @returns Its length in bytes. @throws {RelayFault} `not_found`, `grant_refused`. */
  expect(source: SlideSource, slideId: SlideId, sha256: Sha256): number {
    this.#owned(source, slideId)
    const [place] = this.#options.catalogue.places(slideId, sha256)
    if (place === undefined) throw new RelayFault('not_found', 'the slide has no such chunk')
    return place.chunk.length
  }

  /**
   * Takes a chunk. Resolves when it is durable.
   *
   * @throws {RelayFault} `hash_mismatch`; `bad_slide` when the index lies about its tiles; `not_found`, `quota_exceeded`, `storage_full`.
   */
  async putChunk(source: SlideSource, slideId: SlideId, sha256: Sha256, body: Buffer): Promise<'stored' | 'known'> {
    const { catalogue } = this.#options
    const record = this.#owned(source, slideId)
    const places = catalogue.places(slideId, sha256)
    if (places.length === 0) throw new RelayFault('not_found', 'the slide has no such chunk')
    if (sha256Of(body) !== sha256) throw new RelayFault('hash_mismatch', 'the bytes are not those of the chunk')
    for (const [turn, place] of places.entries()) {
      const leaves = checkTiles(place.level, place.shape, place.chunk, catalogue.level(slideId, place.level).index, body)
      this.#checkSquares(record, place.level, this.#options.squares.contradicted(slideId, place.level, place.chunk.firstTile, leaves))
      // Equal chunks may stand at thousands of places.
      if (turn % 16 === 15) await setImmediate()
    }
    const outcome = await catalogue.store.putChunk(source.memberId, sha256, body)
    this.#options.onChange?.(record.consultationId)
    // One that was here before is no news, however often it is sent.
    if (outcome === 'stored') this.#tellWanted(record, places)
    return outcome
  }

  /**
   * Takes a square of tiles ahead of its level, to be shown meanwhile. It is held in memory, as long as there is room.
   *
   * @returns `known` when its level is known, whose chunks take its place.
   * @throws {RelayFault} `bad_slide` for what is no square; `signature_refused` for a head that is not its slide's or signs something else.
   */
  async putSquare(source: SlideSource, slideId: SlideId, message: Buffer): Promise<'stored' | 'known'> {
    const { catalogue, clock, onWanted, squares, wanted } = this.#options
    const { structure, structureBytes, key, consultationId } = this.#owned(source, slideId)
    const square = decodeSquare(message, structure)
    const said = await verifySquareHead(square.head, key)
    const shape = structure.levels[square.level]
    if (shape === undefined) throw new Error('a square of no level')
    const leaves = leavesOf(shape, square)
    const isSigned =
      said.slideId === slideId && said.level === square.level && said.square === square.square &&
      said.structure === sha256Of(structureBytes) && said.root === hex(rootOf(leaves))
    if (!isSigned) throw new RelayFault('signature_refused', 'the head signs another square')
    if (catalogue.find(slideId, square.level) !== undefined) return 'known'
    squares.put(slideId, shape, square, leaves)
    const { viewports } = wanted.current(slideId, clock.now())
    const isSeen = viewports.some(viewport => viewport.level === square.level && squaresIn(viewport, shape).some(seen => seen.square === square.square))
    if (isSeen) onWanted?.(consultationId, { slideId, level: square.level, ...tilesOfSquare(shape, square.square), signedBy: 'square' })
    return 'stored'
  }

  /** @throws {RelayFault} `wrong_state` while levels or chunks are missing; `signature_refused`. */
  async complete(source: SlideSource, slideId: SlideId, head: string): Promise<void> {
    const { catalogue, wanted } = this.#options
    const { structure, structureBytes, key, consultationId } = this.#owned(source, slideId)
    const said = await verifySlideHead(head, key)
    const levels = structure.levels.map((_, level) => catalogue.find(slideId, level))
    const roots = levels.map(level => level?.root)
    if (!levels.every(level => level !== undefined)) throw new RelayFault('wrong_state', 'levels are missing')
    const isSigned = said.slideId === slideId && said.structure === sha256Of(structureBytes) && said.roots.length === roots.length && said.roots.every((root, level) => root === roots[level])
    if (!isSigned) throw new RelayFault('signature_refused', 'the head signs another slide')
    if (levels.some(({ names }) => catalogue.store.hasChunks(source.memberId, names).includes(false))) throw new RelayFault('wrong_state', 'chunks are missing')
    await this.#options.beforehand?.(source, 'complete', slideId)
    await catalogue.store.completeSlide(slideId, head)
    wanted.forget(slideId)
    this.#options.squares.forget(slideId)
    this.#options.onChange?.(consultationId)
  }

  /** @throws {RelayFault} `not_found`, `grant_refused`. */
  async delete(source: SlideSource, slideId: SlideId): Promise<void> {
    const { catalogue, wanted } = this.#options
    const { consultationId } = this.#owned(source, slideId)
    await this.#options.beforehand?.(source, 'delete', slideId)
    await catalogue.store.deleteSlide(slideId)
    catalogue.forget(slideId)
    wanted.forget(slideId)
    this.#options.squares.forget(slideId)
    this.#options.onChange?.(consultationId)
  }

  /** Waits until something other than `after` is wanted, or for some time. */
  async wanted(source: SlideSource, slideId: SlideId, after: number, signal: AbortSignal): Promise<WantedChunks> {
    const { wanted, clock } = this.#options
    this.#owned(source, slideId)
    const [changed, wait] = [wanted.changed(slideId), new AbortController()]
    if (wanted.current(slideId, clock.now()).serial === after) {
      const over = clock.sleep(millis(RECEIVER_LIMITS.pollMillis), AbortSignal.any([signal, wait.signal])).catch(() => undefined)
      await Promise.race([changed, over])
      wait.abort()
      signal.throwIfAborted()
    }
    const { serial, viewports } = wanted.current(slideId, clock.now())
    return {
      serial,
      chunks: takeTurns(viewports.map(viewport => this.#missingIn(source.memberId, slideId, viewport)), WANTED_LIMITS.chunks),
      squares: this.#squaresMissing(slideId, viewports),
    }
  }

  /** Of levels that are not known yet. Those that are held count as well: what is asked for at once is never more than is held. */
  #squaresMissing(slideId: SlideId, viewports: readonly SlideViewport[]): SquareRef[] {
    const { catalogue, squares } = this.#options
    const { levels } = catalogue.slide(slideId).structure
    const wishes = viewports.map(viewport => {
      const shape = levels[viewport.level]
      // A level that is made has no tiles before it is known.
      return shape === undefined || shape.isMade || catalogue.find(slideId, viewport.level) !== undefined ? [] : squaresIn(viewport, shape)
    })
    return takeTurns(wishes, SQUARES_AT_ONCE).filter(ref => !squares.has(slideId, ref))
  }

  /** @throws {RelayFault} `bad_slide` when squares of a level were others than it says. */
  #checkSquares({ slideId, consultationId, structure }: SlideRecord, level: number, contradicted: readonly SquareRef[]): void {
    const shape = structure.levels[level]
    if (contradicted.length === 0 || shape === undefined) return
    this.#options.onContradiction?.(slideId, level, contradicted.length)
    for (const { square } of contradicted) this.#options.onWanted?.(consultationId, { slideId, level, ...tilesOfSquare(shape, square), signedBy: 'none' })
    throw new RelayFault('bad_slide', 'tiles of a square are others in its level')
  }

  #missingIn(owner: MemberId, slideId: SlideId, viewport: SlideViewport): { readonly level: number; readonly chunk: number }[] {
    const { catalogue } = this.#options
    const known = catalogue.find(slideId, viewport.level)
    if (known === undefined) return []
    const refs = chunksIn(viewport, known.shape, known.index)
    const here = catalogue.store.hasChunks(owner, refs.map(({ chunk }) => known.index.chunk(chunk).sha256))
    return refs.filter((_, index) => here[index] !== true)
  }

  /** Tells of the places of a chunk that came where somebody looks. */
  #tellWanted({ slideId, consultationId }: SlideRecord, places: ReturnType<SlideCatalogue['places']>): void {
    const { catalogue, clock, onWanted, wanted } = this.#options
    const { viewports } = wanted.current(slideId, clock.now())
    const looked = new Map<number, ReadonlySet<number>>()
    for (const { level, shape, chunk: { firstTile, tiles } } of places) {
      const { index } = catalogue.level(slideId, level)
      const here = looked.get(level) ?? new Set(viewports.filter(viewport => viewport.level === level).flatMap(viewport => chunksIn(viewport, shape, index).map(({ chunk }) => chunk)))
      looked.set(level, here)
      if (here.has(index.chunkOf(firstTile))) onWanted?.(consultationId, { slideId, level, firstTile, tiles, signedBy: 'level' })
    }
  }

  #owned({ memberId, consultationId }: SlideSource, slideId: SlideId): SlideRecord {
    const record = this.#options.catalogue.slide(slideId)
    if (record.owner !== memberId || record.consultationId !== consultationId) throw new RelayFault('grant_refused', 'this slide is not yours')
    return record
  }
}

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex')

/** @returns The leaves of its tiles. @throws {RelayFault} `bad_slide` when the chunk is longer or shorter than its tiles, or they have another root. */
function checkTiles(level: number, shape: SlideLevel, { firstTile, tiles, length, root }: IndexedChunk, index: LevelIndex, body: Buffer): Buffer[] {
  if (body.length !== length) throw new RelayFault('bad_slide', 'the chunk is not as long as its tiles')
  let at = 0
  const leaves = Array.from({ length: tiles }, (_, turn) => {
    const tile = body.subarray(at, at + index.lengthOf(firstTile + turn))
    at += tile.length
    return leafHash(level, tileAt(shape, firstTile + turn), tile)
  })
  if (hex(rootOf(leaves)) !== hex(root)) throw new RelayFault('bad_slide', 'the tiles of the chunk have another root')
  return leaves
}

function parseStructure(structureBytes: Buffer): SlideStructure {
  let json: unknown
  try {
    json = JSON.parse(structureBytes.toString('utf8'))
  } catch (cause) {
    throw new RelayFault('bad_slide', 'the structure is not JSON', { cause })
  }
  const parsed = SlideStructure.safeParse(json)
  if (!parsed.success) throw new RelayFault('bad_slide', 'not the structure of a slide')
  const tiles = parsed.data.levels.map(({ width, height, tileWidth, tileHeight }) => Math.ceil(width / tileWidth) * Math.ceil(height / tileHeight))
  if (tiles.some(count => count > SLIDE_LIMITS.tiles)) throw new RelayFault('bad_slide', 'a level has too many tiles')
  return parsed.data
}
