import { RelayFault } from '../../relay/wire/fault.ts'
import { actorOf } from '../access/recorded-member.ts'
import type { FastifyRequest } from 'fastify'
import type { SlideAccess } from '../slides/slide-access.ts'
import type { ServiceGrant } from './service-audit.ts'

/**
 * Who may use services: whoever holds a grant of the platform with `use_service`. An invitation is not enough, as nobody says whose it is.
 *
 * @throws {RelayFault} as `SlideAccess.grant`; `policy_refused` for an invitation.
 */
export async function authoriseService(access: SlideAccess, request: FastifyRequest): Promise<ServiceGrant> {
  const grant = await access.grant(request, { viewer: 'use_service' })
  const { consultationId, grantId, holder, ended } = grant
  if (holder === null) throw new RelayFault('policy_refused', 'services are for members of a platform')
  return { actor: actorOf(grant), facilityId: holder.facilityId, consultationId, grantId, isEmergency: holder.isEmergency, ended }
}
