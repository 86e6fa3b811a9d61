import type { WatchingRole } from '../../relay/wire/signaling.ts'
import type { Handlers } from '../session.ts'
import type { PointingDesk, PointingMember } from './pointing-desk.ts'

/** What a member who watches shows the others on the live image. @param desk - As it is when it is asked. */
export function pointingHandlers(desk: () => PointingDesk, member: PointingMember): Pick<Handlers<WatchingRole>, 'pointAtImage' | 'annotateImage' | 'removeImageAnnotation'> {
  return {
    pointAtImage: ({ publicationId, rtpTimestamp, at }) => {
      desk().point(member, { publicationId, rtpTimestamp }, at)
      return {}
    },
    annotateImage: ({ publicationId, rtpTimestamp, annotation }) => {
      desk().annotate(member, { publicationId, rtpTimestamp }, annotation)
      return {}
    },
    removeImageAnnotation: ({ publicationId, id }) => {
      desk().remove(member, publicationId, id)
      return {}
    },
  }
}
