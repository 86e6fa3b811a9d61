import { isRtpNewer } from '../../../relay/wire/rtp-clock.ts'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import { decodeImage } from './still-decoder.ts'
import { uploadStill } from './still-upload.ts'
import type { NodeAccess } from '../../../relay/runtime/node-access.ts'
import type { Clock } from '../../../relay/runtime/clock.ts'
import type { Logger } from '../../../relay/runtime/log.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { RenditionId, StillId } from '../../../relay/wire/ids.ts'
import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import type { StillDescription } from '../../../relay/wire/still.ts'
import type { BitsPerSecond, RtpTimestamp } from '../../../relay/wire/units.ts'
import type { FrameSource, SourceImage, StampedFrame } from '../encoded-frame.ts'
import type { FramePump } from '../frame-pump.ts'
import type { CodedRing } from './coded-ring.ts'

/** What a {@link StillKeeper} stands on. */
export interface StillKeeperOptions {
  readonly pyramid: Pyramid
  readonly pump: Pick<FramePump, 'mediaTicksOf' | 'newestImage'>
  readonly coded: CodedRing
  readonly access: NodeAccess
  readonly ffmpegPath: string | undefined
  /** Of an upload to a node on another machine. */
  readonly rate: BitsPerSecond
  readonly clock: Clock
  readonly log: Logger
}

/** A frame that somebody kept. */
export interface WantedStill {
  readonly stillId: StillId
  readonly rtpTimestamp: RtpTimestamp
}

/** Tells the node that a still will not come. */
export type ReportStill = (stillId: StillId, fault: FaultCode) => void

interface FoundImage {
  readonly description: StillDescription
  readonly planes: Uint8Array
}

/** What is there of a frame: the image as the source had it, or what a decoder needs. */
interface HeldImage extends Disposable {
  readonly exact: SourceImage | undefined
  readonly coded: ReadonlyMap<RenditionId, readonly StampedFrame[] | undefined>
}

/** Stills that wait for their turn: more than a consultation may ask for at once. */
const MAX_WAITING = 4

/** Hands the node the frames that people keep: as the source had them, else decoded. One after the other. */
export class StillKeeper {
  readonly #options: StillKeeperOptions
  #waiting = 0
  #work: Promise<void> = Promise.resolve()

  constructor(options: StillKeeperOptions) {
    this.#options = options
  }

  /** Keeps a frame. What is found of it is held from now on, so that it does not go while others are sent. Never throws. */
  want(still: WantedStill, source: FrameSource | undefined, report: ReportStill, signal: AbortSignal): void {
    const { stillId, rtpTimestamp } = still
    if (this.#waiting >= MAX_WAITING) {
      report(stillId, 'overloaded')
      return
    }
    this.#waiting++
    const held = this.#hold(rtpTimestamp, source)
    held.catch(() => undefined)
    this.#work = this.#work.then(() => this.#keep(still, held, report, signal)).finally(() => this.#waiting--)
  }

  async #keep({ stillId }: WantedStill, held: Promise<HeldImage>, report: ReportStill, signal: AbortSignal): Promise<void> {
    const { access, clock, log, rate } = this.#options
    try {
      using image = await held
      signal.throwIfAborted()
      const { description, planes } = await this.#find(image)
      await uploadStill({ stillId, description, planes, rate: access.address.isLoopback ? undefined : rate }, access, clock, signal)
      log.info({ stillId, origin: description.origin, missingTiles: description.missing.length }, 'a still was kept')
    } catch (error) {
      const fault = toFault(error)
      log[fault.code === 'internal' ? 'error' : 'info']({ stillId, err: fault }, 'a still was not kept')
      if (!signal.aborted) report(stillId, fault.code)
    }
  }

  /** @throws {RelayFault} `out_of_range` for a frame that is yet to come. */
  async #hold(rtpTimestamp: RtpTimestamp, source: FrameSource | undefined): Promise<HeldImage> {
    const { pyramid, pump, coded: ring } = this.#options
    const newest = pump.newestImage
    if (newest === undefined || isRtpNewer(rtpTimestamp, newest.timestamp)) throw new RelayFault('out_of_range', 'that frame is yet to come')
    const mediaTicks = pump.mediaTicksOf(rtpTimestamp)
    // Taken before anything is waited for: they may go meanwhile.
    const coded = new Map(pyramid.renditions.map(({ id }) => [id, ring.leadingTo(id, rtpTimestamp)]))
    const exact = mediaTicks === undefined ? undefined : await source?.imageAt?.(mediaTicks)
    return { exact, coded, [Symbol.dispose]: () => exact?.[Symbol.dispose]() }
  }

  /** @throws {RelayFault} `not_found` for a frame that is here no more. */
  async #find({ exact, coded }: HeldImage): Promise<FoundImage> {
    const { pyramid, ffmpegPath } = this.#options
    const { width, height } = pyramid
    if (exact !== undefined) return { planes: exact.planes, description: { origin: 'exact', width, height, missing: [], place: exact.place } }
    const decoded = ffmpegPath === undefined ? undefined : await decodeImage(pyramid, id => coded.get(id), ffmpegPath)
    if (decoded === undefined) throw new RelayFault('not_found', 'that frame is here no more')
    return { planes: decoded.planes, description: { origin: 'decoded', width, height, missing: decoded.missing, place: null } }
  }
}
