import type { JSX } from 'preact'
import './hold-row.css'
import { SessionId } from '../../../relay/wire/ids.ts'
import type { PresentMember } from '../../../relay/wire/signaling.ts'
import { cssColour } from '../slides/member-colours.ts'
import type { Viewer } from '../viewer.ts'
import { stageText } from './stage-words.ts'
import type { StageTextKey } from './stage-words.ts'

/** Who may be given the stage: everybody else who watches, and has words to steer with. */
const candidates = (members: readonly PresentMember[], me: SessionId | null): readonly PresentMember[] =>
  members.filter(({ sessionId, role, protocol }) => sessionId !== me && protocol === 'signaling' && (role === 'viewer' || role === 'technician'))

/** Who holds the stage, with buttons to take it, give it back, hand it over, and to stop it. */
export function HoldRow({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  const { holder, isMine, stoppedBy } = viewer.stageHold
  const say = (key: StageTextKey, n: number | string = ''): string => stageText(viewer.language.value, key, n)
  const others = candidates(viewer.members.present.value, viewer.sessionId.value)
  const shown = holder.value ?? stoppedBy.value
  const words = isMine.value ? say('mine') : holder.value !== null ? say('theirs', holder.value.memberId) : stoppedBy.value !== null ? say('stopped', stoppedBy.value.memberId) : say('nobody')
  return (
    <>
      <div class="row hold" role="group" aria-label={say('hold')}>
        {viewer.stageHold.mayClaim && <button type="button" aria-pressed={isMine.value} disabled={holder.value !== null && !isMine.value} onClick={() => void (isMine.value ? viewer.stageHold.release() : viewer.stageHold.claim())}>
          {say(isMine.value ? 'release' : 'claim')}
        </button>}
        {isMine.value && others.length > 0 && (
          <select
            aria-label={say('handOver')}
            value=""
            onChange={({ currentTarget }) => {
              const to = SessionId.safeParse(currentTarget.value)
              if (to.success) void viewer.stageHold.handOver(to.data)
              currentTarget.value = ''
            }}
          >
            <option value="">{say('handOver')}</option>
            {others.map(({ sessionId, memberId }) => (
              <option key={sessionId} value={sessionId}>
                {memberId}
              </option>
            ))}
          </select>
        )}
        <button type="button" class="stop" onClick={() => void viewer.stageHold.stop()}>
          {say('stop')}
        </button>
      </div>
      <p class="said holder" role="status">
        {shown !== null && <i aria-hidden="true" style={{ background: cssColour(shown.colour) }} />}
        {words}
        {viewer.stage.closedLoop.value !== null && <span class="loop"> · {say('loop', Math.round(viewer.stage.closedLoop.value))}</span>}
      </p>
    </>
  )
}
