import { access } from 'node:fs/promises'
import { reassemble } from '../../relay/slides/manifest/reassemble.ts'
import { StoredSlide } from '../../relay/slides/transfer/stored-slide.ts'
import { TileReadAhead } from '../../relay/slides/transfer/tile-read-ahead.ts'
import { Backoff } from '../../relay/wire/backoff.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { SlideAsking } from '../../relay/slides/transfer/stored-slide.ts'
import type { BackoffOptions } from '../../relay/wire/backoff.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SlideId } from '../../relay/wire/ids.ts'

/** How far an export is. */
export interface ExportProgress {
  readonly tiles: number
  readonly tilesDone: number
  /** Of tiles. */
  readonly bytesDone: number
}

/** What an export is made from. */
export interface SlideExportOptions {
  readonly http: SlideAsking
  readonly slideId: SlideId
  /** Where the file goes. */
  readonly path: string
  /** Whether a file that is there is replaced. */
  readonly isReplaced: boolean
  readonly clock: Clock
  readonly onProgress: (progress: ExportProgress) => void
  /** Something failed in passing and is tried again. */
  readonly onFault: (code: FaultCode) => void
  readonly retry?: BackoffOptions
}

/** What was exported. */
export interface ExportedSlide extends ExportProgress {
  /** That all heads were signed with: `x` of the JWK. */
  readonly key: string
}

const PASSING: ReadonlySet<FaultCode> = new Set(['unavailable', 'timeout', 'overloaded', 'rate_limited'])
const RETRY: BackoffOptions = { first: millis(300), cap: millis(10_000) }
/** Of one request: half a minute on average. */
const MOST_ATTEMPTS = 10
/** Each on a connection of its own. */
const TILES_AT_ONCE = 32

/**
 * Fetches a slide from a node and writes it as one file that other programs open, every tile proven before it is
 * written. A line that fails is waited for; a program that ends leaves no file, and begins anew.
 *
 * @throws {RelayFault} `conflict` when there is such a file; as {@link StoredSlide.open}, {@link StoredSlide.tile} and {@link reassemble}. The signal's reason when it aborts.
 */
export async function exportSlide({ http, slideId, path, isReplaced, clock, onProgress, onFault, retry = RETRY }: SlideExportOptions, signal: AbortSignal): Promise<ExportedSlide> {
  const isThere = await access(path).then(() => true, () => false)
  if (isThere && !isReplaced) throw new RelayFault('conflict', 'there is such a file; --force replaces it')
  const work = new AbortController()
  const both = AbortSignal.any([signal, work.signal])
  const persist = async <Result>(ask: () => Promise<Result>): Promise<Result> => {
    const backoff = new Backoff(retry)
    for (;;) {
      both.throwIfAborted()
      try {
        return await ask()
      } catch (error) {
        const { code } = toFault(error)
        if (both.aborted || !PASSING.has(code) || backoff.attempts >= MOST_ATTEMPTS) throw error
        onFault(code)
        await clock.sleep(backoff.next(), both)
      }
    }
  }
  const slide = await persist(() => StoredSlide.open(http, slideId, both))
  const tiles = new TileReadAhead(slide.structure, (level, position) => persist(() => slide.tile(level, position, both)), TILES_AT_ONCE)
  let progress: ExportProgress = { tiles: 0, tilesDone: 0, bytesDone: 0 }
  let bytesDone = 0
  const take = async (): Promise<Buffer> => {
    const tile = await tiles.next()
    bytesDone += tile.length
    return tile
  }
  try {
    await reassemble(slide.structure, take, path, {
      signal,
      onProgress: (tilesDone, all) => {
        progress = { tiles: all, tilesDone, bytesDone }
        onProgress(progress)
      },
    })
  } finally {
    // What was fetched ahead is not waited for.
    work.abort(new RelayFault('unavailable', 'the export ended'))
  }
  return { ...progress, key: slide.key.x }
}
