import { randomUUID } from 'node:crypto'
import { DropOldestQueue } from '../relay/runtime/bounded-queue.ts'
import { systemClock } from '../relay/runtime/clock.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { MAX_RENDITIONS, PublicationId } from '../relay/wire/ids.ts'
import { FlowControl } from './flow/flow-control.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import type { GrantedMedia } from '../relay/wire/admission.ts'
import type { Pyramid } from '../relay/wire/pyramid.ts'
import type { DigestedWindow, Demand } from '../relay/wire/signaling.ts'
import type { Stage } from '../relay/wire/stage.ts'
import type { Millis } from '../relay/wire/units.ts'
import type { PlainTransport, Producer, WebRtcTransport } from 'mediasoup/types'

/** Two minutes of as many renditions as there may be. */
const MAX_SENT_DIGESTS = 2 * MAX_RENDITIONS

/** Media as it came in, by whatever carrier. */
export interface IngestedMedia {
  readonly transport: WebRtcTransport | PlainTransport
  readonly producers: ReadonlyMap<RenditionId, Producer>
  /** The link that it comes by: a metric label. */
  readonly linkName: string
  /** The agent's clock less the node's; undefined where nobody measures it. An agent on this machine has the node's own. */
  readonly clockOffset: () => Millis | undefined
  /** Digests of what came in; absent where its carrier computes none. */
  readonly digests?: { takeDone(): DigestedWindow[] }
  /** Settles, with the reason, when the carrier is gone. Never rejects. */
  readonly lost: Promise<RelayFault>
}

/** What is published, whatever the carrier. */
export interface PublishedSubject {
  readonly pyramid: Pyramid
  readonly stage: Stage | null
}

/** One publication's transport and producers. Closing it closes every consumer of it. */
export class PublishedMedia {
  readonly publicationId: PublicationId
  readonly pyramid: Pyramid
  readonly transport: WebRtcTransport | PlainTransport
  readonly producers: ReadonlyMap<RenditionId, Producer>
  /** Decides what flows of it. */
  readonly flow: FlowControl
  /** What can be steered, and where it is by the microscope's last word. */
  stage: Stage | null
  /** The link that it comes by: a metric label. */
  readonly linkName: string
  /** The agent's clock less the node's; undefined where nobody measures it. */
  readonly clockOffset: () => Millis | undefined
  /** Digests of what came in; undefined where its carrier computes none. */
  readonly digests: IngestedMedia['digests']
  /** Digests of what the agent sent, as it reported them, the newest last. */
  readonly sentDigests = new DropOldestQueue<DigestedWindow>(MAX_SENT_DIGESTS)
  readonly #lost: Promise<RelayFault>
  readonly #closed = Promise.withResolvers<RelayFault>()
  #isHandedOver = false

  /** Takes the media over. @param granted - What the microscope's grant lets flow over a link; null: whatever there is. */
  constructor({ pyramid, stage }: PublishedSubject, { transport, producers, linkName, clockOffset, digests, lost }: IngestedMedia, onDemand: (demand: Demand) => void, granted: GrantedMedia | null = null) {
    this.publicationId = PublicationId.parse(randomUUID())
    this.pyramid = pyramid
    this.stage = stage
    this.flow = new FlowControl({ pyramid, granted, clock: systemClock, onDemand })
    this.transport = transport
    this.producers = producers
    this.linkName = linkName
    this.clockOffset = clockOffset
    this.digests = digests
    this.#lost = lost
    // Every transport's observer has this event; their types differ too much for TypeScript to call both.
    const observer: Pick<PlainTransport['observer'], 'once'> = transport.observer as PlainTransport['observer']
    observer.once('close', () => {
      this.flow.close()
      this.#closed.resolve(new RelayFault('unavailable', 'the media transport closed'))
    })
    void lost.then(reason => this.close(reason))
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  /** Ends this publication, but not its media, which another one is to be made from. */
  handOver(reason: RelayFault): IngestedMedia {
    this.#isHandedOver = true
    this.flow.close()
    this.#closed.resolve(reason)
    const { transport, producers, linkName, clockOffset, digests } = this
    return { transport, producers, linkName, clockOffset, ...(digests === undefined ? {} : { digests }), lost: this.#lost }
  }

  /** Idempotent; the first reason wins. */
  close(reason: RelayFault): void {
    this.#closed.resolve(reason)
    if (!this.#isHandedOver) this.transport.close()
  }
}
