import { RelayFault } from '../relay/wire/fault.ts'
import { Session } from './session.ts'
import { LinkReceiver } from './slides/link-receiver.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { MemberId } from '../relay/wire/ids.ts'
import type { PathContract } from '../relay/wire/link.ts'
import type { ReplyData, RequestOf, Role } from '../relay/wire/signaling.ts'
import type { Notify } from './consultation.ts'
import type { NodeLink, OpenedLink } from './links/node-links.ts'
import type { Handlers } from './session.ts'
import type { ChunkSink } from './slides/link-receiver.ts'

/** What a scanner's session needs of its node. */
export interface ScannerHost {
  /** @throws {RelayFault} `unavailable` without links; `overloaded`; `conflict` when it is in use; `bad_message` for paths of one name. */
  openLink(member: MemberId, role: Role, paths: readonly PathContract[]): OpenedLink
  /** Where chunks of this scanner go. */
  chunkSink(admission: Admission): ChunkSink
}

/** A scanner's stay: it opens a link for its chunks. All else of a slide comes by HTTPS, and needs no session. */
export class ScannerSession extends Session {
  readonly #host: ScannerHost
  readonly #sink: ChunkSink
  readonly #log: Logger
  #link: NodeLink | undefined

  constructor(admission: Admission, host: ScannerHost, notify: Notify, log: Logger) {
    super(admission, notify)
    this.#host = host
    this.#sink = host.chunkSink(admission)
    this.#log = log.child({ sessionId: this.sessionId })
  }

  protected override readonly handlers: Handlers<'scanner'> = { openLink: request => this.#openLink(request) }

  protected override release(): void {
    this.#link?.close(new RelayFault('unavailable', 'the session closed'))
  }

  #openLink({ paths }: RequestOf<'openLink'>): ReplyData<'openLink'> {
    this.#link?.close(new RelayFault('conflict', 'replaced by a newer link'))
    const { link, reply } = this.#host.openLink(this.memberId, this.role, paths)
    this.#link = link
    const receiver = new LinkReceiver(this.#sink, message => link.sendControl(message), err => this.#log.error({ err }, 'a chunk could not be stored'))
    link.listen({
      onMessage: (id, message) => {
        if (id === 'bulk') receiver.take(message)
      },
    })
    void link.lost.then(({ code }) => {
      receiver.close()
      this.#log.info({ link: link.contract.name, code }, 'link closed')
      if (this.#link === link) this.#link = undefined
    })
    return reply
  }
}
