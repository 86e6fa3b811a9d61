/** Asking a node what it would decide: `POST /access/decide`, for operators. Nothing is granted by it. */
import { z } from 'zod'
import { AccessFacts } from './access.ts'
import { FAULT_CODES } from './fault.ts'

/** Questions in one request, at most. */
export const MAX_QUESTIONS = 512

export const DecisionQuestions = z.strictObject({ questions: z.array(AccessFacts).min(1).max(MAX_QUESTIONS) })
export type DecisionQuestions = z.infer<typeof DecisionQuestions>

/** The answers, in the order of the questions. */
export const DecisionAnswers = z.strictObject({
  decisions: z.array(
    z.strictObject({
      isAllowed: z.boolean(),
      /** Ids of the policies that decided. */
      policies: z.array(z.string()),
      /** Why it is refused; null when it is allowed. */
      fault: z.enum(FAULT_CODES).nullable(),
    }),
  ),
})
export type DecisionAnswers = z.infer<typeof DecisionAnswers>
