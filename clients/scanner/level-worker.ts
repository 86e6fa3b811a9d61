import { parentPort } from 'node:worker_threads'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { openSlide } from '../../relay/slides/formats/open-slide.ts'
import { makePyramid } from '../../relay/slides/formats/pyramid-maker.ts'
import { buildLevel } from '../../relay/slides/manifest/build-level.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SlideId } from '../../relay/wire/ids.ts'

/** A level that the thread is to read. The file was opened before, and a level that has to be made was. */
export interface LevelRequest {
  readonly id: number
  readonly path: string
  /** Where made levels are. */
  readonly directory: string
  readonly slideId: SlideId
  readonly level: number
}

/** What the thread is told. */
export type LevelOrder = LevelRequest | { readonly cancel: number }

/** What the thread says of a request. */
export type LevelReply = { readonly id: number } & ({ readonly tiles: number } | { readonly index: Uint8Array } | { readonly code: FaultCode; readonly message: string })

/** Nobody hears this pseudonym: only tiles leave the thread, as hashes and lengths. */
const NOBODY = 'XXXX-0000'
/** Word of tiles that were read is given in portions. */
const TILES_A_WORD = 2048

const port = parentPort
if (port === null) throw new Error('runs as a thread')
const cancelled = new Map<number, AbortController>()
let turn: Promise<void> = Promise.resolve()

port.on('message', (order: LevelOrder) => {
  if ('cancel' in order) {
    cancelled.get(order.cancel)?.abort(new RelayFault('unavailable', 'not wanted any more'))
    return
  }
  const abort = new AbortController()
  cancelled.set(order.id, abort)
  turn = turn.then(() => answer(order, abort.signal)).finally(() => cancelled.delete(order.id))
})

const say = (reply: LevelReply): void => port.postMessage(reply)

async function answer({ id, path, directory, slideId, level }: LevelRequest, signal: AbortSignal): Promise<void> {
  try {
    signal.throwIfAborted()
    await using scope = new AsyncDisposableStack()
    const reader = scope.use(await makePyramid(await openSlide(path), { directory, signal }))
    const slide = new DeidentifiedSlide(reader, { slideId, pseudonym: NOBODY })
    const shape = slide.structure.levels[level]
    if (shape === undefined) throw new RelayFault('bad_slide', 'the file has changed since it was read first')
    let tiles = 0
    const tell = (least: number): void => {
      if (tiles < least) return
      say({ id, tiles })
      tiles = 0
    }
    const index = await buildLevel(slide, {
      level, shape, signal,
      onTiles: count => {
        tiles += count
        tell(TILES_A_WORD)
      },
    })
    tell(1)
    say({ id, index })
  } catch (error) {
    const { code } = toFault(error)
    // The reason may quote the file.
    say({ id, code, message: 'a level cannot be read' })
  }
}
