import { z } from 'zod'
import { RelayFault } from '../../../relay/wire/fault.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import { SlideAnnotations } from '../../../relay/wire/slide-annotations.ts'
import { ScannerKey, SLIDE_LIMITS, SlideState, SlideStructure } from '../../../relay/wire/slide.ts'
import type { SlideViewport } from '../../../relay/wire/slide.ts'
import { sha256, toHex } from '../../../relay/wire/tile-proof.ts'
import type { AuthorizedFetch, NodeRequest } from '../access/node-fetch.ts'
import type { LevelProgress } from './arrival.ts'
import type { SlideIdentity } from './level-proofs.ts'
import type { SlideHeads } from './slide-head-check.ts'
import type { TileAddress } from './slide-levels.ts'

/** Header of a tile's answer: its Merkle proof. */
const PROOF_HEADER = 'kenkyo-proof'
/** And the head of its square, where its level is not known yet. */
const HEAD_HEADER = 'kenkyo-head'

const level = z.int().min(0).max(SLIDE_LIMITS.levels - 1)

const Description = z.object({
  /** As it came, base64. */
  structure: z.base64(),
  key: ScannerKey,
  state: SlideState,
  levels: z.array(z.object({ level, head: z.string() })).max(SLIDE_LIMITS.levels),
  head: z.string().nullable(),
})

const Arrived = z.object({
  state: SlideState,
  squares: z.array(z.object({ level, square: z.int().min(0) })),
  levels: z.array(z.object({ level, chunks: z.int().min(0), chunksHere: z.int().min(0) })).max(SLIDE_LIMITS.levels),
})

/** A slide as the node describes it, its signatures unchecked. */
export interface DescribedSlide {
  /** What they are checked against. */
  readonly identity: SlideIdentity
  readonly state: SlideState
  readonly heads: SlideHeads
}

/** A tile as the node sent it, unchecked. */
export interface FetchedTile {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly proof: string | null
  /** The signed head of its square, while its level has none. */
  readonly squareHead: string | null
}

/** Annotations, and the entity tag of the version. */
export interface FetchedAnnotations {
  readonly annotations: SlideAnnotations
  readonly version: string
}

const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), character => character.charCodeAt(0))

/** Asks the node for one slide. See `docs/SLIDES.md`. */
export class SlideApi {
  readonly #base: string
  readonly #authorizedFetch: AuthorizedFetch

  constructor(fetch: AuthorizedFetch, slideId: SlideId) {
    this.#base = `/slides/${slideId}`
    this.#authorizedFetch = fetch
  }

  /** What the slide is. @throws {RelayFault} The node's code; `bad_slide` for a structure that is none. */
  async describe(): Promise<DescribedSlide> {
    const { structure: text, key, state, levels, head } = await this.#json('', Description)
    const bytes = fromBase64(text)
    try {
      const structure = SlideStructure.parse(JSON.parse(new TextDecoder().decode(bytes)))
      // Without it, tiles are shown, and said to be unverified.
      const structureSha256 = 'subtle' in crypto ? toHex(await sha256(bytes)) : ''
      return { identity: { structure, structureSha256, key }, state, heads: { levels, head } }
    } catch (cause) {
      throw new RelayFault('bad_slide', 'the structure of the slide is none', { cause })
    }
  }

  /** The signed heads of the levels that the node knows, and of the slide. */
  async heads(): Promise<SlideHeads> {
    const { levels, head } = await this.#json('', Description)
    return { levels, head }
  }

  /** The signed head of a level. @throws {RelayFault} `not_found` while the node has none. */
  async levelHead(wanted: number): Promise<string> {
    const { levels } = await this.heads()
    const head = levels.find(known => known.level === wanted)?.head
    if (head === undefined) throw new RelayFault('not_found', 'that level is not announced')
    return head
  }

  /** @throws {RelayFault} `not_found` for a tile that has not arrived. */
  async tile({ level: number, column, row }: TileAddress, signal: AbortSignal): Promise<FetchedTile> {
    const response = await this.#fetch(`/tiles/${number}/${column}/${row}`, { signal })
    return { bytes: new Uint8Array(await response.arrayBuffer()), proof: response.headers.get(PROOF_HEADER), squareHead: response.headers.get(HEAD_HEADER) }
  }

  /** How far the slide is, by level, and which squares of tiles are there ahead of theirs. */
  async arrived(): Promise<{ readonly state: SlideState; readonly squares: readonly { readonly level: number; readonly square: number }[]; readonly levels: readonly LevelProgress[] }> {
    const { state, squares, levels } = await this.#json('/arrived', Arrived)
    return { state, squares, levels: levels.map(({ level: number, chunks, chunksHere }) => ({ level: number, chunks, here: chunksHere })) }
  }

  /** Says what is looked at, so that it comes first. */
  async look(viewport: SlideViewport): Promise<void> {
    await this.#fetch('/viewport', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(viewport) })
  }

  async annotations(): Promise<FetchedAnnotations> {
    const response = await this.#fetch('/annotations', {})
    return { annotations: parsed(SlideAnnotations, await response.json()), version: response.headers.get('etag') ?? '' }
  }

  /** @returns The new version. @throws {RelayFault} `conflict` when another one was stored meanwhile. */
  async storeAnnotations({ annotations, version }: FetchedAnnotations): Promise<string> {
    const headers = { 'content-type': 'application/geo+json', 'if-match': version }
    const response = await this.#fetch('/annotations', { method: 'PUT', headers, body: JSON.stringify(annotations) })
    return response.headers.get('etag') ?? ''
  }

  async #json<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.infer<Schema>> {
    const response = await this.#fetch(path, {})
    return parsed(schema, await response.json())
  }

  #fetch(path: string, init: NodeRequest): Promise<Response> {
    return this.#authorizedFetch(this.#base + path, init)
  }
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw new RelayFault('bad_message', 'the node answered with something else', { cause: result.error })
  return result.data
}
