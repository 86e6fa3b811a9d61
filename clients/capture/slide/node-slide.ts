import { z } from 'zod'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { SLIDE_LIMITS, SlideStructure } from '../../../relay/wire/slide.ts'
import type { SlideReader } from '../../../relay/slides/formats/slide-reader.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { SlideLevel } from '../../../relay/wire/slide.ts'

/** A structure names thousands of removals at most. In bytes. */
const MOST_DESCRIPTION = 4 * 1024 * 1024
const ANSWER_WITHIN_MILLIS = 10_000

const Description = z.object({ structure: z.base64() })

/** Which slide, and what lets it be read. */
export interface NodeSlideOptions {
  readonly origin: string
  readonly invitation: string
  readonly slideId: SlideId
}

/** A slide in the store of a node, read tile by tile over HTTP. Takes the node's word for what the tiles are. See `docs/SLIDES.md`. */
export class NodeSlide implements Pick<SlideReader, 'levels' | 'micronsPerPixel' | 'objectivePower' | 'readTile'> {
  readonly levels: readonly SlideLevel[]
  readonly micronsPerPixel: SlideReader['micronsPerPixel']
  readonly objectivePower: number | undefined
  readonly #options: NodeSlideOptions

  private constructor(options: NodeSlideOptions, { levels, micronsPerPixel, objectivePower }: SlideStructure) {
    this.#options = options
    this.levels = levels
    this.micronsPerPixel = micronsPerPixel ?? undefined
    this.objectivePower = objectivePower ?? undefined
  }

  /** @throws {RelayFault} `not_found`, `grant_refused`; `bad_slide` for a structure that is none; `unavailable`, `timeout`. */
  static async open(options: NodeSlideOptions): Promise<NodeSlide> {
    const body = await get(options, '', MOST_DESCRIPTION)
    const parsed = Description.safeParse(parseJson(body))
    const structure = SlideStructure.safeParse(parsed.success ? parseJson(Buffer.from(parsed.data.structure, 'base64')) : undefined)
    if (!structure.success) throw new RelayFault('bad_slide', 'the node describes no slide')
    return new NodeSlide(options, structure.data)
  }

  /** @throws {RelayFault} `not_found` for a tile that has not arrived there; as {@link open}. */
  readTile(level: number, column: number, row: number): Promise<Buffer> {
    return get(this.#options, `/tiles/${level}/${column}/${row}`, SLIDE_LIMITS.tileBytes)
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

async function get({ origin, invitation, slideId }: NodeSlideOptions, path: string, most: number): Promise<Buffer> {
  const answer = await reached(fetch(`${origin}/slides/${slideId}${path}`, { headers: { authorization: `Bearer ${invitation}` }, redirect: 'error', signal: AbortSignal.timeout(ANSWER_WITHIN_MILLIS) }))
  if (answer.status !== 200) {
    await answer.body?.cancel()
    throw refusalOf(answer.status)
  }
  return reached(bodyOf(answer, most))
}

async function bodyOf({ body }: Response, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body ?? []) {
    length += part.length
    if (length > most) throw new RelayFault('bad_slide', 'the node says too much of a slide')
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** @throws {RelayFault} `timeout`, `unavailable`: an answer may break off, or stop, in the middle. */
async function reached<Value>(answer: Promise<Value>): Promise<Value> {
  try {
    return await answer
  } catch (cause) {
    if (cause instanceof RelayFault) throw cause
    const isLate = cause instanceof Error && cause.name === 'TimeoutError'
    throw isLate ? new RelayFault('timeout', 'the node does not answer', { cause }) : new RelayFault('unavailable', 'the node cannot be reached', { cause })
  }
}

function refusalOf(status: number): RelayFault {
  if (status === 404) return new RelayFault('not_found', 'the node has no such slide, or not yet')
  if (status === 401 || status === 403) return new RelayFault('grant_refused', 'this invitation is not for that slide')
  return new RelayFault('unavailable', `the node answers with ${status}`)
}
