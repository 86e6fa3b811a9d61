import { z } from 'zod'
import { Purpose } from '../../../relay/wire/access.ts'

const KEY = 'kenkyo.grant'

/** What a page knows of its grant after a reload. The token is bound to a key that cannot be read out: it is of no use elsewhere. */
const KeptGrant = z.strictObject({ invitation: z.string(), token: z.string(), purpose: Purpose })
type KeptGrant = z.infer<typeof KeptGrant>

/** Keeps a page's grant over a reload, so that nobody signs in again for that. */
export interface GrantKeeper {
  /** What was kept for this invitation. */
  recall(invitation: string): KeptGrant | undefined
  keep(grant: KeptGrant): void
  forget(): void
}

/** In this browser tab. Where a browser keeps nothing, people sign in again. */
export const tabKeeper: GrantKeeper = {
  recall(invitation) {
    try {
      const kept = KeptGrant.safeParse(JSON.parse(sessionStorage.getItem(KEY) ?? 'null'))
      return kept.success && kept.data.invitation === invitation ? kept.data : undefined
    } catch {
      // Nothing is kept here, or it is of another page.
      return undefined
    }
  },
  keep(grant) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(grant))
    } catch {
      // Then it holds until the page is closed.
    }
  },
  forget() {
    try {
      sessionStorage.removeItem(KEY)
    } catch {
      // Nothing is kept here.
    }
  },
}
