import { RelayFault } from '../../wire/fault.ts'
import type { NodeId } from '../../wire/access.ts'
import type { AuditFindings, AuditSearch } from '../../wire/operator.ts'

/** A node that does not answer within this is told as silent, in milliseconds. */
const PATIENCE_MILLIS = 10_000
/** Questions at once. */
const MAX_QUESTIONS = 16

interface Question {
  readonly waiting: Set<NodeId>
  readonly answers: Map<NodeId, AuditFindings>
  readonly complete: () => void
}

/** What was asked of the nodes, and who has still to answer. Questions go out on the stream; answers come by requests of their own. */
export class AuditQuestions {
  readonly #questions = new Map<string, Question>()

  /**
   * Asks nodes for what their logs have.
   *
   * @param tell - Tells the nodes of the question. @returns Which of them were told.
   * @returns Of each node that was told, what it found; null of one that did not answer in time.
   * @throws {RelayFault} `overloaded` with too many questions at once.
   */
  async ask(search: AuditSearch, tell: (questionId: string, search: AuditSearch) => readonly NodeId[]): Promise<Map<NodeId, AuditFindings | null>> {
    if (this.#questions.size >= MAX_QUESTIONS) throw new RelayFault('overloaded', 'too many searches at once')
    const questionId = crypto.randomUUID()
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const question: Question = { waiting: new Set(), answers: new Map(), complete: () => resolve(undefined) }
    this.#questions.set(questionId, question)
    const patience = setTimeout(question.complete, PATIENCE_MILLIS)
    try {
      const told = tell(questionId, search)
      for (const nodeId of told) question.waiting.add(nodeId)
      if (told.length > 0) await promise
      return new Map([...told].map(nodeId => [nodeId, question.answers.get(nodeId) ?? null]))
    } finally {
      clearTimeout(patience)
      this.#questions.delete(questionId)
    }
  }

  /** Takes a node's answer. @throws {RelayFault} `not_found` for a question that nobody asked of it, or not any more. */
  answer(questionId: string, nodeId: NodeId, findings: AuditFindings): void {
    const question = this.#questions.get(questionId)
    if (question?.waiting.delete(nodeId) !== true) throw new RelayFault('not_found', 'nobody waits for this answer')
    question.answers.set(nodeId, findings)
    if (question.waiting.size === 0) question.complete()
  }
}
