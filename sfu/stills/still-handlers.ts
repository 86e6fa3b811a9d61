import { RelayFault } from '../../relay/wire/fault.ts'
import type { MemberId } from '../../relay/wire/ids.ts'
import type { Handlers } from '../session.ts'
import type { StillDesk } from './still-desk.ts'

/** @throws {RelayFault} `unavailable` where stills are not kept. */
function needed(desk: StillDesk | undefined): StillDesk {
  if (desk === undefined) throw new RelayFault('unavailable', 'this node keeps no stills')
  return desk
}

/** What a viewer asks of stills. @param desk - As it is when it is asked. */
export const stillHandlers = (desk: () => StillDesk | undefined, viewer: { readonly memberId: MemberId }): Pick<Handlers<'viewer'>, 'keepStill'> => ({
  keepStill: ({ publicationId, rtpTimestamp }) => ({ stillId: needed(desk()).ask(viewer.memberId, publicationId, rtpTimestamp) }),
})

/** What a microscope says of stills. */
export const stillSourceHandlers = (desk: () => StillDesk | undefined): Pick<Handlers<'microscope'>, 'reportStill'> => ({
  reportStill: ({ stillId, fault }) => {
    needed(desk()).report(stillId, fault)
    return {}
  },
})
