import type { FacilityId, NodeId } from '../../wire/access.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { Socket } from 'node:net'

/** Who presents a token, as far as the connection itself proves it. Empty on every listener without client certificates. */
export interface Presenter {
  /** SHA-256 of the client's certificate (DER), hexadecimal. @see RFC 8705 section 3.1, which writes the same in base64url */
  readonly certificateThumbprint?: Sha256
  readonly nodeId?: NodeId
  readonly facilityId?: FacilityId
}

const NOBODY: Presenter = {}
const presenters = new WeakMap<object, Presenter>()

/** Notes who is at the other end of a connection. Only the door that checked the certificate calls it. */
export function notePresenter(socket: Socket, presenter: Presenter): void {
  presenters.set(socket, presenter)
}

/** Who is at the other end of a request or an upgrade: of its connection, so that no header can claim it. */
export const presenterOf = ({ socket }: { readonly socket: Socket }): Presenter => presenters.get(socket) ?? NOBODY
