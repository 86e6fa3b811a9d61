import type { PublicationId } from '../../../relay/wire/ids.ts'
import type { RequestParameters } from '../../../relay/wire/signaling-client.ts'
import type { Notification, Publication, ReplyData, RequestType } from '../../../relay/wire/signaling.ts'
import type { Joined } from './viewer-session.ts'

/** The parameters of a request about a publication, without its id. */
export type PublicationParameters<Type extends RequestType> = RequestParameters<Type> extends { publicationId: PublicationId } ? Omit<RequestParameters<Type>, 'publicationId'> : never

/** How a part of the viewer asks the node, whichever session there is. */
export interface NodeVoice {
  /** Whether this viewer was granted what the request needs. Parts offer nothing else, and send nothing else by themselves. */
  may(type: RequestType): boolean
  /** @throws {RelayFault} The node's code; `unavailable` while there is no session; `policy_refused`, unsent, for what was not granted. */
  ask<Type extends RequestType>(type: Type, parameters: RequestParameters<Type>): Promise<ReplyData<Type>>
  /** Asks about the present publication. @throws {RelayFault} The node's code; `unavailable` while there is no session or no publication. */
  askOfPublication<Type extends RequestType>(type: Type, parameters: PublicationParameters<Type>): Promise<ReplyData<Type>>
}

/** A matter of its own on the signaling connection: told of every session, and of what the node says. */
export interface ConnectionPart {
  /** A session began: what an earlier one said may be over. */
  joined?(as: Joined): void
  /** A session ended. */
  lost?(): void
  /** The microscope's publication changed; null while there is none. */
  publicationChanged?(publication: Publication | null): void
  /** The node said something. Parts take what is theirs. */
  heard?(notification: Notification): void
}
