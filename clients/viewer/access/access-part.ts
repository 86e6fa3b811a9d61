import { signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import type { AccessAction, EmergencyReason, Purpose } from '../../../relay/wire/access.ts'
import type { Notification } from '../../../relay/wire/signaling.ts'
import type { ConnectionPart } from '../session/connection-part.ts'
import type { Joined } from '../session/viewer-session.ts'
import { Allowance } from './allowance.ts'
import type { ProofKey } from './grant-client.ts'
import { GrantClient } from './grant-client.ts'
import { GrantSession } from './grant-session.ts'
import type { HeldGrant } from './grant-session.ts'
import { tabKeeper } from './kept-grant.ts'
import type { SignIn } from './sign-in.ts'

/** The platform's core cannot be heard. */
export interface CoreLoss {
  /** Until when what was granted holds, in milliseconds since the epoch on the page's clock; null where nothing is. */
  readonly untilMillis: number | null
}

/** What an {@link AccessPart} stands on. */
export interface AccessPartOptions {
  /** Of the node. */
  readonly origin: string
  /** From the link. */
  readonly invitation: string
  /** As the link says it; undefined: the person is asked. */
  readonly purpose: Purpose | undefined
  readonly openKey: () => Promise<ProofKey>
  readonly signIn: SignIn
}

/** How this page is let in, what it may do by that, and what the person is asked and told of it. */
export class AccessPart implements ConnectionPart {
  readonly allowance = new Allowance()
  readonly session: GrantSession
  readonly signIn: SignIn
  /** Null before there is one, and on a node that stands alone. */
  readonly grant = signal<HeldGrant | null>(null)
  /** Takes the answer while the person is asked what access is for. */
  readonly purposeAsked = signal<((purpose: Purpose) => void) | null>(null)
  /** The dialog in which the glass is broken: closed, open, or waiting for the node. */
  readonly glass = signal<'closed' | 'open' | 'asking'>('closed')
  /** Why the node gave no emergency access. */
  readonly glassFault = signal<RelayFault | null>(null)
  /** Null while the core is heard, as far as is known. */
  readonly coreLoss = signal<CoreLoss | null>(null)
  /** Why there is no access now, after there was. */
  readonly ended = signal<RelayFault | null>(null)
  /** Why there is less than there was, until it was read. */
  readonly loss = signal<RelayFault | null>(null)
  /** What there was before it ended. */
  #before: ReadonlySet<AccessAction> = new Set()

  constructor({ origin, invitation, purpose, openKey, signIn }: AccessPartOptions) {
    this.signIn = signIn
    this.session = new GrantSession({
      client: new GrantClient(origin), invitation, openKey, signIn: key => signIn.source(key), keeper: tabKeeper,
      askPurpose: () => (purpose === undefined ? this.#askPurpose() : Promise.resolve(purpose)),
      onGranted: grant => {
        this.grant.value = grant
        this.coreLoss.value = null
        this.allowance.granted(grant.actions)
      },
    })
  }

  joined(as: Joined): void {
    this.allowance.joined(as)
    this.coreLoss.value = null
    const { value: ended } = this.ended
    if (ended === null) return
    this.ended.value = null
    this.loss.value = [...this.#before].some(action => !this.allowance.may(action)) ? ended : null
  }

  heard(notification: Notification): void {
    if (notification.type !== 'accessChanged') return
    const { isCoreReachable, validUntilMillis } = notification
    this.coreLoss.value = isCoreReachable ? null : { untilMillis: this.grant.value?.validUntilMillis ?? validUntilMillis }
  }

  /** What there was ended. */
  lostAccess(fault: RelayFault): void {
    const { value: actions } = this.allowance.actions
    if (actions.size > 0) this.#before = actions
    this.ended.value = fault
    this.grant.value = null
    this.allowance.granted([])
  }

  faulted({ code }: RelayFault): void {
    if (code === 'core_unreachable') this.coreLoss.value = { untilMillis: this.grant.value?.validUntilMillis ?? null }
  }

  /** Asks for emergency access. Settles when the node has answered. @returns Whether there is some. */
  async breakGlass(reason: EmergencyReason): Promise<boolean> {
    this.glass.value = 'asking'
    this.glassFault.value = null
    try {
      await this.session.breakGlass(reason)
      this.glass.value = 'closed'
      return true
    } catch (error) {
      this.glassFault.value = toFault(error)
      this.glass.value = 'open'
      return false
    }
  }

  #askPurpose(): Promise<Purpose> {
    return new Promise(resolve => {
      this.purposeAsked.value = purpose => {
        this.purposeAsked.value = null
        resolve(purpose)
      }
    })
  }
}
