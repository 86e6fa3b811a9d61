import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { ScannerKey, SLIDE_LIMITS, SlideState, SlideStructure, tilesOf } from '../../wire/slide.ts'
import { decodeProof, isTileProven } from '../../wire/tile-proof.ts'
import { millis } from '../../wire/units.ts'
import { sha256Of, verifyLevelHead, verifySlideHead } from '../manifest/heads.ts'
import type { Sha256, SlideId } from '../../wire/ids.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { SlideHttp, SlideRequest, SlideResponse } from './slide-http.ts'

const SILENCE = millis(30_000)

const Description = z.looseObject({
  /** As it came, base64. */
  structure: z.base64(),
  key: ScannerKey,
  state: SlideState,
  levels: z.array(z.looseObject({ level: z.int().min(0).max(SLIDE_LIMITS.levels - 1), head: z.string() })).max(SLIDE_LIMITS.levels),
  head: z.string().nullable(),
})

/** Answers of a node; {@link SlideHttp} in a program. */
export type SlideAsking = Pick<SlideHttp, 'send'>

/** A whole slide in the store of a node, of which nothing is believed that its scanner's key did not sign. Whose the key is, is the node's word. */
export class StoredSlide {
  readonly structure: SlideStructure
  readonly key: ScannerKey
  readonly #http: SlideAsking
  /** Of each level, the finest first. */
  readonly #roots: readonly Sha256[]

  private constructor(http: SlideAsking, structure: SlideStructure, key: ScannerKey, roots: readonly Sha256[]) {
    this.#http = http
    this.structure = structure
    this.key = key
    this.#roots = roots
  }

  /**
   * Reads what a slide is, and checks its own head and those of all levels.
   *
   * @throws {RelayFault} `wrong_state` while it has not wholly arrived; `signature_refused`; `bad_slide` for a structure that is none; the node's refusal, such as `not_found` or `grant_refused`; `unavailable`, `timeout`.
   */
  static async open(http: SlideAsking, slideId: SlideId, signal: AbortSignal): Promise<StoredSlide> {
    const { body } = await http.send({ ...get(`/slides/${slideId}`) }, signal)
    const said = Description.safeParse(parseJson(body))
    if (!said.success) throw new RelayFault('unavailable', 'the answer is not that of a node')
    const { structure: text, key, state, levels, head } = said.data
    const structureBytes = Buffer.from(text, 'base64')
    const structure = SlideStructure.safeParse(parseJson(structureBytes))
    if (!structure.success || structure.data.slideId !== slideId) throw new RelayFault('bad_slide', 'the structure of the slide is none')
    if (state !== 'complete' || head === null) throw new RelayFault('wrong_state', 'the slide has not wholly arrived')
    const { roots, ...whole } = await verifySlideHead(head, key)
    const structureSha = sha256Of(structureBytes)
    if (whole.slideId !== slideId || whole.structure !== structureSha || roots.length !== structure.data.levels.length) throw new RelayFault('signature_refused', 'the head signs another slide')
    for (const [level, shape] of structure.data.levels.entries()) {
      const jws = levels.find(known => known.level === level)?.head
      if (jws === undefined) throw new RelayFault('signature_refused', 'a level has no head')
      const signed = await verifyLevelHead(jws, key)
      const isSigned = signed.slideId === slideId && signed.level === level && signed.structure === structureSha && signed.tiles === tilesOf(shape) && signed.root === roots[level]
      if (!isSigned) throw new RelayFault('signature_refused', 'a head signs another level')
    }
    return new StoredSlide(http, structure.data, key, roots)
  }

  /**
   * The stored bytes of a tile, proven by the head of its level; empty where the format left it out.
   *
   * @throws {RelayFault} `hash_mismatch` when they are not what was signed; the node's refusal; `unavailable`, `timeout`.
   */
  async tile(level: number, position: TilePosition, signal: AbortSignal): Promise<Buffer> {
    const root = this.#roots[level]
    if (root === undefined) throw new RelayFault('out_of_range', 'no such level')
    const { body, headers } = await this.#http.send(get(`/slides/${this.structure.slideId}/tiles/${level}/${position.column}/${position.row}`), signal)
    if (!(await isTileProven({ level, position, bytes: body }, proofIn(headers), root))) throw new RelayFault('hash_mismatch', 'a tile is not the one that its scanner signed')
    return body
  }
}

const get = (path: string): SlideRequest => ({ method: 'GET', path, silence: SILENCE, mostBytes: SLIDE_LIMITS.tileBytes })

function proofIn({ 'kenkyo-proof': proof }: SlideResponse['headers']): ReturnType<typeof decodeProof> {
  if (typeof proof !== 'string') throw new RelayFault('hash_mismatch', 'a tile came without its proof')
  try {
    return decodeProof(proof)
  } catch (cause) {
    throw new RelayFault('hash_mismatch', 'the proof of a tile is none', { cause })
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // What it is not, the schema says.
    return undefined
  }
}
