import { randomUUID } from 'node:crypto'
import { isMarkedCoarse } from '../../relay/wire/coarse-mark.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { StillId } from '../../relay/wire/ids.ts'
import { planeBytes } from '../../relay/wire/still.ts'
import { rtpTimestamp as asRtpTimestamp } from '../../relay/wire/units.ts'
import { StillLedger } from './still-ledger.ts'
import { summaryOf } from './still-shelf.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { ConsultationId, MemberId, PublicationId, Sha256 } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Stage } from '../../relay/wire/stage.ts'
import type { StillDescription, StillSidecar } from '../../relay/wire/still.ts'
import type { Notification } from '../../relay/wire/signaling.ts'
import type { StillMetrics } from './still-metrics.ts'
import type { StillPngs } from './still-pngs.ts'
import type { StillShelf } from './still-shelf.ts'

/** Somebody who hears of stills, or is asked for one. */
export interface StillMember {
  readonly memberId: MemberId
  readonly notify: (notification: Notification) => void
}

/** The consultation as a {@link StillDesk} sees it. */
export interface StillScene {
  readonly id: ConsultationId
  /** Who hears of stills. */
  readonly viewers: Iterable<StillMember>
  /** Who has the frames. */
  readonly microscope: StillMember | undefined
  /** What is published now. */
  readonly published: { readonly publicationId: PublicationId; readonly pyramid: Pyramid; readonly stage: Stage | null } | undefined
  /** What was drawn on a frame, as GeoJSON in image pixels. */
  annotationsOf?(publicationId: PublicationId, rtpTimestamp: number): unknown
}

/** What a {@link StillDesk} stands on. */
export interface StillDeskOptions {
  readonly scene: StillScene
  readonly shelf: StillShelf
  readonly pngs: StillPngs
  readonly metrics: StillMetrics
  readonly clock: Clock
  readonly log: Logger
}

/** What a microscope sends with planes. */
export interface ArrivingPlanes {
  readonly description: StillDescription
  readonly byteLength: number
  readonly sha256: Sha256
  readonly body: AsyncIterable<Uint8Array>
}

/** What is remembered of a still from its being asked for until it is kept. */
interface Wish {
  readonly pyramid: Pyramid
  readonly stage: Stage | null
  readonly annotations: unknown
}

/** Where the stills of one consultation are asked for, and handed in. */
export class StillDesk implements Disposable {
  readonly #options: StillDeskOptions
  readonly #ledger: StillLedger
  readonly #wishes = new Map<StillId, Wish>()
  readonly #loaded: Promise<void>
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: StillDeskOptions) {
    this.#options = options
    this.#ledger = new StillLedger(options.clock.now())
    this.#loaded = this.#load()
  }

  /** Tells somebody who came of the stills there are. */
  async welcome(member: StillMember): Promise<void> {
    await this.#loaded
    if (this.#ledger.summaries.length > 0) member.notify({ type: 'stillsChanged', stills: [...this.#ledger.summaries] })
  }

  /** All that are known, once those on disk are. */
  async list(): Promise<StillLedger['summaries']> {
    await this.#loaded
    return this.#ledger.summaries
  }

  /**
   * Asks the microscope for the frame that somebody saw.
   *
   * @throws {RelayFault} `wrong_state` for another publication; `unavailable` without a microscope; `rate_limited`, `overloaded`.
   */
  ask(by: MemberId, publicationId: PublicationId, rtpTimestamp: number): StillId {
    const { scene, clock } = this.#options
    const { published, microscope } = scene
    if (published?.publicationId !== publicationId) throw new RelayFault('wrong_state', 'that publication is over')
    if (microscope === undefined) throw new RelayFault('unavailable', 'the microscope is away')
    const id = StillId.parse(randomUUID())
    const { stillId } = this.#ledger.ask({ stillId: id, publicationId, rtpTimestamp, keptBy: by, askedAtMillis: Date.now() }, clock.now())
    if (stillId !== id) return stillId
    const { pyramid, stage } = published
    this.#wishes.set(id, { pyramid, stage, annotations: scene.annotationsOf?.(publicationId, rtpTimestamp) ?? null })
    microscope.notify({ type: 'stillWanted', stillId, publicationId, rtpTimestamp })
    this.#changed()
    return stillId
  }

  /** The microscope says that a still will not come. */
  report(stillId: StillId, fault: FaultCode): void {
    if (this.#ledger.failed(stillId, fault)) this.#changed()
  }

  /** The microscope is gone: what it was asked for and has not begun to send will not come. */
  microscopeLeft(): void {
    if (this.#ledger.microscopeLeft()) this.#changed()
  }

  /**
   * Takes the planes of a still that is wanted. It is kept, durably, when this resolves; its PNG is made after that.
   *
   * @throws {RelayFault} `not_found`, `wrong_state`; `bad_message` for planes of another size than the publication's; what the shelf refuses.
   */
  async receive(stillId: StillId, planes: ArrivingPlanes): Promise<void> {
    const { description, byteLength } = planes
    this.#ledger.arriving(stillId)
    this.#changed()
    try {
      const wish = this.#wishes.get(stillId)
      if (wish === undefined) throw new RelayFault('not_found', 'no such still')
      const { width, height } = wish.pyramid
      if (description.width !== width || description.height !== height || byteLength !== planeBytes(wish.pyramid)) {
        throw new RelayFault('bad_message', 'these are not planes of the size of the image')
      }
      await this.#keep(stillId, wish, planes)
      this.#ledger.kept(stillId, description)
    } catch (error) {
      const { code } = toFault(error)
      this.#ledger.failed(stillId, code)
      this.#options.log.warn({ stillId, code }, 'a still was not kept')
      throw error
    } finally {
      this.#changed()
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  async #load(): Promise<void> {
    const { shelf, log } = this.#options
    try {
      this.#ledger.found((await shelf.list()).map(summaryOf))
    } catch (error) {
      log.error({ err: error }, 'stills cannot be listed')
    }
  }

  async #keep(stillId: StillId, wish: Wish, { description, byteLength, sha256, body }: ArrivingPlanes): Promise<void> {
    const { shelf, pngs, log, scene } = this.#options
    const still = this.#ledger.get(stillId)
    if (still === undefined) throw new RelayFault('not_found', 'no such still')
    await shelf.receive(stillId, body, { byteLength, sha256 })
    const { publicationId, rtpTimestamp, keptBy, askedAtMillis } = still
    const { origin, missing, width, height } = description
    const sidecar: StillSidecar = {
      version: 1, stillId, consultationId: scene.id, publicationId, rtpTimestamp, keptBy,
      keptAt: new Date(askedAtMillis).toISOString(),
      origin, missing,
      // What is exact was drawn anew with all its detail.
      isCoarse: origin === 'decoded' && isMarkedCoarse(wish.pyramid, asRtpTimestamp(rtpTimestamp)),
      image: { width, height, format: 'I420', bitDepth: 8, matrix: 'BT.709', range: 'limited' },
      planes: { byteLength, sha256 },
      png: 'BT.709 limited range to 8-bit RGB full range, each chroma sample for its 2x2 pixels',
      stage: stageOf(description, wish.stage),
      annotations: wish.annotations,
    }
    await shelf.keep(sidecar)
    // It can be made again whenever it is asked for.
    pngs.ensure({ planesPath: shelf.path(stillId, 'planes'), pngPath: shelf.path(stillId, 'png'), width, height })
      .catch((error: unknown) => log.warn({ err: error, stillId }, 'the PNG of a still was not made'))
  }

  #changed(): void {
    const stills = this.#ledger.summaries
    for (const { stillId, state, fault } of stills) {
      // Wishes are forgotten once.
      if ((state === 'kept' || state === 'failed') && this.#wishes.delete(stillId)) this.#options.metrics.ended.inc({ outcome: fault ?? 'ok' })
    }
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    for (const viewer of this.#options.scene.viewers) viewer.notify({ type: 'stillsChanged', stills: [...stills] })
    const { wakeAt } = this.#ledger
    const { clock } = this.#options
    if (wakeAt !== undefined) this.#timer = setTimeout(() => this.#expire(), Math.max(1, wakeAt - clock.now() + 1))
  }

  #expire(): void {
    this.#ledger.expire(this.#options.clock.now())
    this.#changed()
  }
}

/** The source's word on where its stage was, else the node's on where it is. */
function stageOf({ place }: StillDescription, stage: Stage | null): StillSidecar['stage'] {
  if (stage === null) return place === null ? null : { place, micrometresPerPixel: null, objectives: [] }
  const { rtpTimestamp: _rtpTimestamp, ...state } = stage.state
  const here = place ?? state
  return {
    place: here,
    micrometresPerPixel: stage.objectives.find(({ name }) => name === here.objective)?.micrometresPerPixel ?? null,
    objectives: stage.objectives.map(({ name }) => name),
  }
}
