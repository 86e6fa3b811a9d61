import type { WatchingRole } from '../../relay/wire/signaling.ts'
import type { Handlers } from '../session.ts'
import type { StageDesk, StageMember } from './stage-desk.ts'

/** What a member who watches asks of the stage, but for `moveStage`, which concerns a publication. @param desk - As it is when it is asked. */
export function stageHandlers(desk: () => StageDesk, member: StageMember): Pick<Handlers<WatchingRole>, 'claimStage' | 'releaseStage' | 'handOverStage' | 'stopStage'> {
  const done = (): Record<string, never> => ({})
  return {
    claimStage: () => {
      desk().claim(member)
      return done()
    },
    releaseStage: () => {
      desk().release(member)
      return done()
    },
    handOverStage: ({ to }) => {
      desk().handOver(member, to)
      return done()
    },
    stopStage: () => {
      desk().stop(member)
      return done()
    },
  }
}
