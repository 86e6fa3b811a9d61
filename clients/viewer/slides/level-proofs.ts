import { compactVerify, importJWK } from 'jose'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { HEAD_TYPES, LevelHead, SquareHead, tilesOf } from '../../../relay/wire/slide.ts'
import type { ScannerKey, SlideStructure } from '../../../relay/wire/slide.ts'
import { squareOf } from '../../../relay/wire/tile-order.ts'
import { decodeProof, isTileProven } from '../../../relay/wire/tile-proof.ts'
import { shapeOf } from './slide-levels.ts'
import type { TileAddress } from './slide-levels.ts'

const ALGORITHM = 'EdDSA'

/** What a slide's signatures are checked against. */
export interface SlideIdentity {
  readonly structure: SlideStructure
  /** SHA-256 of the structure as it came, lower-case hexadecimal. */
  readonly structureSha256: string
  readonly key: ScannerKey
}

/** What came of checking a tile. `early`: proven by the head of its square, which its level has to bear out yet. `unproven`: this browser knows no Ed25519, or no WebCrypto on a page without TLS. */
export type TileVerdict = 'proven' | 'early' | 'unproven' | 'refused'

/** Whether this browser can check signatures at all. */
export async function canVerify(key: ScannerKey): Promise<boolean> {
  try {
    await importJWK(key, ALGORITHM)
    return true
  } catch {
    // What the browser lacks it says by throwing, in many ways.
    return false
  }
}

/**
 * The Merkle root that a level head signs.
 *
 * @param jws - Compact serialisation.
 * @returns Lower-case hexadecimal.
 * @throws {RelayFault} `signature_refused` when it is not signed by the slide's key, or is of another slide, level or structure.
 */
export async function verifyLevelHead(jws: string, level: number, { structure, structureSha256, key }: SlideIdentity): Promise<string> {
  let head: LevelHead
  try {
    const { payload, protectedHeader } = await compactVerify(jws, await importJWK(key, ALGORITHM), { algorithms: [ALGORITHM] })
    if (protectedHeader.typ !== HEAD_TYPES.level) throw new TypeError('another type')
    head = LevelHead.parse(JSON.parse(new TextDecoder().decode(payload)))
  } catch (cause) {
    throw new RelayFault('signature_refused', 'a level head is not signed by the key of its slide, or is none', { cause })
  }
  const isOfLevel = head.slideId === structure.slideId && head.level === level && head.structure === structureSha256 && head.tiles === tilesOf(shapeOf(structure, level))
  if (!isOfLevel) throw new RelayFault('signature_refused', 'a level head is of another level')
  return head.root
}

/**
 * The Merkle root that the head of a tile's square signs.
 *
 * @param jws - Compact serialisation.
 * @returns Lower-case hexadecimal.
 * @throws {RelayFault} `signature_refused` when it is not signed by the slide's key, or is of another slide, level, square or structure.
 */
export async function verifySquareHead(jws: string, { level, column, row }: TileAddress, { structure, structureSha256, key }: SlideIdentity): Promise<string> {
  let head: SquareHead
  try {
    const { payload, protectedHeader } = await compactVerify(jws, await importJWK(key, ALGORITHM), { algorithms: [ALGORITHM] })
    if (protectedHeader.typ !== HEAD_TYPES.square) throw new TypeError('another type')
    head = SquareHead.parse(JSON.parse(new TextDecoder().decode(payload)))
  } catch (cause) {
    throw new RelayFault('signature_refused', 'the head of a square is not signed by the key of its slide, or is none', { cause })
  }
  const isOfSquare = head.slideId === structure.slideId && head.level === level && head.square === squareOf(shapeOf(structure, level), { column, row }) && head.structure === structureSha256
  if (!isOfSquare) throw new RelayFault('signature_refused', 'the head of a square is of another square')
  return head.root
}

/** Checks tiles of one slide. Asks for the head of a level once, and again after it could not be had. */
export class LevelProofs {
  readonly #identity: SlideIdentity
  readonly #fetchHead: (level: number) => Promise<string>
  readonly #roots = new Map<number, Promise<string>>()
  #isAble: Promise<boolean> | undefined
  /** The one that was verified last. */
  #square: { readonly key: string; readonly root: Promise<string> } | undefined

  /** @param fetchHead - Rejects while the node has none. */
  constructor(identity: SlideIdentity, fetchHead: (level: number) => Promise<string>) {
    this.#identity = identity
    this.#fetchHead = fetchHead
  }

  /**
   * Whether these bytes are that tile.
   *
   * @param proof - As the node sent it; null when it sent none.
   * @param squareHead - The head that it leads to, where that is not the level's.
   * @throws {RelayFault} What `fetchHead` throws: then nothing is known yet.
   */
  async check(tile: TileAddress, bytes: Uint8Array, proof: string | null, squareHead: string | null = null): Promise<TileVerdict> {
    this.#isAble ??= canVerify(this.#identity.key)
    if (!(await this.#isAble)) return 'unproven'
    try {
      const root = await (squareHead === null ? this.#rootOf(tile.level) : this.#squareRootOf(tile, squareHead))
      const { level, column, row } = tile
      if (proof === null || !(await isTileProven({ level, position: { column, row }, bytes }, decodeProof(proof), root))) return 'refused'
      return squareHead === null ? 'proven' : 'early'
    } catch (error) {
      if (error instanceof RelayFault && (error.code === 'signature_refused' || error.code === 'bad_message')) return 'refused'
      throw error
    }
  }

  /** Has the head of a level at hand before its first tile is checked: tiles queue for connections. What fails is tried again then. */
  expect(level: number): void {
    this.#rootOf(level).catch(() => undefined)
  }

  /** All tiles of a square come with one head. */
  #squareRootOf(tile: TileAddress, jws: string): Promise<string> {
    const { level, column, row } = tile
    const key = `${level}/${squareOf(shapeOf(this.#identity.structure, level), { column, row })}/${jws}`
    if (this.#square?.key !== key) this.#square = { key, root: verifySquareHead(jws, tile, this.#identity) }
    return this.#square.root
  }

  #rootOf(level: number): Promise<string> {
    const known = this.#roots.get(level)
    if (known !== undefined) return known
    const root = this.#fetchHead(level).then(jws => verifyLevelHead(jws, level, this.#identity))
    this.#roots.set(level, root)
    // A head that was refused stays refused; one that could not be fetched is fetched again.
    root.catch((error: unknown) => {
      if (!(error instanceof RelayFault && error.code === 'signature_refused')) this.#roots.delete(level)
    })
    return root
  }
}
