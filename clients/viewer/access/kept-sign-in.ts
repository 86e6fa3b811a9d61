import { z } from 'zod'
import { SignInAnswer } from '../../../relay/wire/sign-in.ts'

const KEY = 'kenkyo.sign-in'

/** What a tab knows of who uses it. The token is bound to a key that cannot be read out: it is of no use elsewhere. */
const KeptSignIn = z.strictObject({
  /** Of the page's key. */
  thumbprint: z.string(),
  /** That the link carried; null: none. Another one may be another person's. */
  ticket: z.string().nullable(),
  /** Null: whoever used it signed out. */
  answer: SignInAnswer.nullable(),
})
export type KeptSignIn = z.infer<typeof KeptSignIn>

/** Keeps over a reload who signed in. */
export interface SignInKeeper {
  recall(): KeptSignIn | undefined
  keep(signIn: KeptSignIn): void
}

/** In this browser tab. Where a browser keeps nothing, people sign in again. */
export const tabSignInKeeper: SignInKeeper = {
  recall() {
    try {
      const kept = KeptSignIn.safeParse(JSON.parse(sessionStorage.getItem(KEY) ?? 'null'))
      return kept.success ? kept.data : undefined
    } catch {
      // Nothing is kept here, or it is of another page.
      return undefined
    }
  },
  keep(signIn) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(signIn))
    } catch {
      // Then it holds until the page is closed.
    }
  },
}
