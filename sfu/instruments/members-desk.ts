import { MAX_MEMBERS_TOLD } from '../../relay/wire/signaling.ts'
import { nodeTimeMillis } from '../capture-clock.ts'
import type { MemberId, SessionId } from '../../relay/wire/ids.ts'
import type { MemberProtocol, Notification, PresentMember, Role } from '../../relay/wire/signaling.ts'
import type { MemberColour } from '../../relay/wire/slide-sharing.ts'

/** Members are told at most this often who is there. */
const QUIET_MILLIS = 250

/** A session, as the others see it. */
export interface DeskMember {
  readonly sessionId: SessionId
  readonly memberId: MemberId
  readonly role: Role
  readonly protocol: MemberProtocol
  readonly colour: MemberColour | null
  notify(notification: Notification): void
}

/** Tells whoever watches who is in the consultation. Changes in quick succession are told once. */
export class MembersDesk implements Disposable {
  readonly #present = new Map<DeskMember, PresentMember>()
  #timer: NodeJS.Timeout | undefined
  /** By the process's clock, in milliseconds. */
  #toldAt = -Infinity

  /** A member joined. It is told at once, the others soon. */
  joined(member: DeskMember): void {
    const { sessionId, memberId, role, protocol, colour } = member
    this.#present.set(member, { sessionId, memberId, role, protocol, colour, joinedAtMillis: nodeTimeMillis() })
    if (hears(member)) member.notify(this.#notification())
    this.#tellSoon()
  }

  /** A member left. */
  left(member: DeskMember): void {
    if (this.#present.delete(member)) this.#tellSoon()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#present.clear()
  }

  #tellSoon(): void {
    const rest = this.#toldAt + QUIET_MILLIS - performance.now()
    this.#timer ??= setTimeout(() => this.#tell(), Math.max(0, rest))
  }

  #tell(): void {
    this.#timer = undefined
    this.#toldAt = performance.now()
    const notification = this.#notification()
    for (const member of this.#present.keys()) if (hears(member)) member.notify(notification)
  }

  #notification(): Notification {
    return { type: 'membersChanged', members: [...this.#present.values()].slice(0, MAX_MEMBERS_TOLD) }
  }
}

const hears = ({ role }: DeskMember): boolean => role === 'viewer' || role === 'technician'
