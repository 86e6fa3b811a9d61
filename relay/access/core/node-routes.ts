import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { AuditFindings, NodeReport } from '../../wire/operator.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CorePeer } from './core-routes.ts'
import type { AuditQuestions } from './audit-questions.ts'
import type { NodeReports } from './node-reports.ts'

/** A report with as many grants as fit in it is about 600 kB, an answer with as many entries about 1 MB. */
const BODY_LIMIT_BYTES = 2 * 1024 * 1024

/** What the routes stand on. */
export interface NodeRoutesOptions {
  readonly reports: NodeReports
  readonly questions: AuditQuestions
  /** @throws {RelayFault} when it is no member that asks. */
  readonly authenticate: (request: FastifyRequest) => CorePeer
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Adds where nodes tell the core of themselves, and answer what operators ask of their logs. */
export function addNodeRoutes(app: FastifyInstance, { reports, questions, authenticate, now }: NodeRoutesOptions): void {
  const requireNode = (request: FastifyRequest): CorePeer => {
    const peer = authenticate(request)
    if (peer.kind !== 'node') throw new RelayFault('policy_refused', 'only nodes are asked for this')
    return peer
  }
  const parse = <Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> => {
    const result = schema.safeParse(body)
    if (!result.success) throw new RelayFault('bad_message', z.prettifyError(result.error))
    return result.data
  }
  app.put('/core/report', { bodyLimit: BODY_LIMIT_BYTES }, (request, reply) => {
    const { nodeId } = requireNode(request)
    reports.take(nodeId, parse(NodeReport, request.body), now())
    return reply.code(204).send()
  })
  app.put<{ Params: { questionId: string } }>('/core/answers/:questionId', { bodyLimit: BODY_LIMIT_BYTES }, (request, reply) => {
    const { nodeId } = requireNode(request)
    questions.answer(request.params.questionId, nodeId, parse(AuditFindings, request.body))
    return reply.code(204).send()
  })
}
