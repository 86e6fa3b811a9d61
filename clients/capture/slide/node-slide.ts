import { z } from 'zod'
import { askNode } from '../../../relay/runtime/node-request.ts'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { SLIDE_LIMITS, SlideStructure } from '../../../relay/wire/slide.ts'
import type { NodeAccess } from '../../../relay/runtime/node-access.ts'
import type { SlideReader } from '../../../relay/slides/formats/slide-reader.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { SlideLevel } from '../../../relay/wire/slide.ts'

/** A structure names thousands of removals at most. In bytes. */
const MOST_DESCRIPTION = 4 * 1024 * 1024
const ANSWER_WITHIN_MILLIS = 10_000

const Description = z.object({ structure: z.base64() })

/** Which slide, and what lets it be read. */
export interface NodeSlideOptions {
  readonly access: NodeAccess
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

async function get(options: NodeSlideOptions, path: string, mostBytes: number, isAgain = false): Promise<Buffer> {
  const { access, slideId } = options
  const entry = await access.entry(AbortSignal.timeout(ANSWER_WITHIN_MILLIS))
  const { status, body } = await askNode({ method: 'GET', origin: access.address.origin, path: `/slides/${slideId}${path}`, ...entry, mostBytes, withinMillis: ANSWER_WITHIN_MILLIS })
  const isRefused = status === 401 || status === 403
  if (isRefused && !isAgain && access.refused(entry, new RelayFault('token_refused', 'the node refused a request'))) return get(options, path, mostBytes, true)
  if (status !== 200) throw refusalOf(status)
  entry.accepted()
  return body
}

function refusalOf(status: number): RelayFault {
  if (status === 404) return new RelayFault('not_found', 'the node has no such slide, or not yet')
  if (status === 401 || status === 403) return new RelayFault('grant_refused', 'this invitation is not for that slide')
  return new RelayFault('unavailable', `the node answers with ${status}`)
}
