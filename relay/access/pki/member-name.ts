import { FacilityId, NodeId } from '../../wire/access.ts'

/** The trust domain of every name. @see SPIFFE-ID section 2.1 */
const PREFIX = 'spiffe://kenkyo/facility/'

/** Which machine of which facility. */
export interface MemberName {
  readonly facilityId: FacilityId
  readonly nodeId: NodeId
}

/** A member's name as certificates carry it, the one URI among their subject's alternative names. @see X509-SVID section 2 */
export const memberUri = ({ facilityId, nodeId }: MemberName): string => `${PREFIX}${facilityId}/node/${nodeId}`

/** @returns What {@link memberUri} made; undefined for every other URI. */
export function parseMemberUri(uri: string): MemberName | undefined {
  if (!uri.startsWith(PREFIX)) return undefined
  const [facility, node, name, ...rest] = uri.slice(PREFIX.length).split('/')
  const facilityId = FacilityId.safeParse(facility)
  const nodeId = NodeId.safeParse(name)
  if (node !== 'node' || rest.length > 0 || !facilityId.success || !nodeId.success) return undefined
  return { facilityId: facilityId.data, nodeId: nodeId.data }
}
