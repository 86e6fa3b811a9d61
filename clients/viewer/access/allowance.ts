import { signal } from '@preact/signals'
import { ACCESS_ACTIONS } from '../../../relay/wire/access.ts'
import type { AccessAction } from '../../../relay/wire/access.ts'
import { actionNeeded, REQUESTS } from '../../../relay/wire/signaling.ts'
import type { RequestType, Role } from '../../../relay/wire/signaling.ts'

/** What this viewer may do, as the node said last. The page offers nothing else, and sends nothing else. */
export class Allowance {
  /** Nothing before the node has said anything. */
  readonly actions = signal<ReadonlySet<AccessAction>>(new Set())
  #role: Role = 'viewer'

  /** The node let the viewer in. */
  joined({ role, actions }: { readonly role: Role; readonly actions: readonly AccessAction[] }): void {
    this.#role = role
    this.granted(actions)
  }

  /** A grant was renewed, with what is permitted by then. */
  granted(actions: Iterable<AccessAction>): void {
    const next = new Set(actions)
    const before = this.actions.peek()
    if (ACCESS_ACTIONS.some(action => next.has(action) !== before.has(action))) this.actions.value = next
  }

  may(action: AccessAction): boolean {
    return this.actions.value.has(action)
  }

  /** Whether the node would let this be asked. */
  mayAsk(type: RequestType): boolean {
    const declared = REQUESTS[type]
    const needed = actionNeeded(declared, this.#role)
    return (declared.askedBy as readonly Role[]).includes(this.#role) && (needed === null || this.may(needed))
  }
}
