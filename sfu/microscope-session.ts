import { RelayFault } from '../relay/wire/fault.ts'
import { bitsPerSecond, rtpTimestamp } from '../relay/wire/units.ts'
import { Session } from './session.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { PublicationId } from '../relay/wire/ids.ts'
import type { ReplyData, RequestOf } from '../relay/wire/signaling.ts'
import type { Consultation, Notify } from './consultation.ts'
import type { PublishedMedia } from './published-media.ts'
import type { SessionRequest } from './session.ts'

/** A capture agent's stay: it publishes, and says how its source is doing. */
export class MicroscopeSession extends Session {
  readonly #consultation: Consultation

  constructor(admission: Admission, consultation: Consultation, notify: Notify) {
    super(admission, notify)
    this.#consultation = consultation
  }

  override async handle(request: SessionRequest): Promise<object> {
    switch (request.type) {
      case 'publish':
        return this.#publish(request)
      case 'reportSource':
        return this.#reportSource(request)
      case 'reportUplink':
        this.#requirePublication(request.publicationId).flow.uplinkEstimated(bitsPerSecond(request.bitsPerSecond))
        return {}
      case 'reportStage':
        this.#requirePublication(request.publicationId)
        this.#consultation.reportStage(request.state)
        return {}
      case 'reportCapture':
        this.#requirePublication(request.publicationId)
        this.#consultation.reportCapture(rtpTimestamp(request.rtpTimestamp), request.capturedAtMillis)
        return {}
      case 'moveStage':
      case 'createTransport':
      case 'connectTransport':
      case 'restartIce':
      case 'subscribe':
      case 'watch':
      case 'readClock':
      case 'reportExperience':
        throw this.wrongRole(request)
      default:
        return request satisfies never
    }
  }

  protected override release(): void {
    // Its publication belongs to the consultation, which ends it when this session closes.
  }

  async #publish(request: RequestOf<'publish'>): Promise<ReplyData<'publish'>> {
    const { publicationId, answer } = await this.#consultation.publish(this, request)
    return { publicationId, sdp: answer }
  }

  #reportSource(request: RequestOf<'reportSource'>): ReplyData<'reportSource'> {
    this.#requirePublication(request.publicationId)
    this.#consultation.reportSource(request.source)
    return {}
  }

  /** @throws {RelayFault} `wrong_state` when it is not the current one. */
  #requirePublication(publicationId: PublicationId): PublishedMedia {
    const published = this.#consultation.published
    if (published?.publicationId !== publicationId) throw new RelayFault('wrong_state', 'that publication is over')
    return published
  }
}
