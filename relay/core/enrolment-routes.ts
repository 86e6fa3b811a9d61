import { z } from 'zod'
import { Enrolment } from '../access/pki/enrolment.ts'
import { thumbprintOf } from '../access/pki/certificate.ts'
import { NodeId } from '../wire/access.ts'
import { RelayFault } from '../wire/fault.ts'
import { Sha256 } from '../wire/ids.ts'
import type { FastifyInstance } from 'fastify'
import type { EnrolmentOptions } from '../access/pki/enrolment.ts'

const Approval = z.strictObject({ facilityName: z.string().min(1).max(128).optional() })

function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw new RelayFault('bad_message', z.prettifyError(result.error))
  return result.data
}

/** Adds the operator's part of the ceremony to a door that has verified who asks. */
export async function addEnrolmentRoutes(app: FastifyInstance, options: EnrolmentOptions): Promise<void> {
  const enrolment = await Enrolment.open(options)
  app.get('/operator/requests', async () => {
    const { waiting, unreadable } = await enrolment.pending()
    return { unreadable, waiting: waiting.map(({ keyThumbprint, request: { facilityId, nodeId, kind, hostNames } }) => ({ keyThumbprint, facilityId, nodeId, kind, hostNames })) }
  })
  app.post<{ Params: { key: string } }>('/operator/requests/:key/approve', async ({ params, body }) => {
    const answer = await enrolment.approve(read(Sha256, params.key), read(Approval, body).facilityName)
    const root = Buffer.from(options.ca.rootPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    return { answer, root: thumbprintOf(root) }
  })
  app.post<{ Params: { key: string } }>('/operator/requests/:key/reject', async ({ params }, reply) => {
    await enrolment.reject(read(Sha256, params.key))
    return reply.send({})
  })
  app.post<{ Params: { node: string } }>('/operator/machines/:node/revoke', async ({ params }) => ({ revoked: await enrolment.revoke(read(NodeId, params.node)) }))
}
