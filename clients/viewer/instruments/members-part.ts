import { signal } from '@preact/signals'
import type { Notification, PresentMember } from '../../../relay/wire/signaling.ts'
import type { ConnectionPart } from '../session/connection-part.ts'
import type { Joined } from '../session/viewer-session.ts'

/** Who is in the consultation. */
export class MembersPart implements ConnectionPart {
  /** In the order of joining, this viewer among them; empty without a session. */
  readonly present = signal<readonly PresentMember[]>([])
  /** This viewer; null before it joined first. */
  readonly me = signal<Joined | null>(null)

  joined(me: Joined): void {
    this.me.value = me
  }

  lost(): void {
    this.present.value = []
  }

  heard(notification: Notification): void {
    if (notification.type === 'membersChanged') this.present.value = notification.members
  }
}
