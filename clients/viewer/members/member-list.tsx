import './members.css'
import type { JSX } from 'preact'
import { OwnAccess } from '../access/access-layer.tsx'
import { cssColour } from '../slides/member-colours.ts'
import type { Viewer } from '../viewer.ts'
import { memberText } from './member-words.ts'

/** Who is in the consultation: colour, name, role, who holds the stage, and who speaks. */
export function MemberList({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  const language = viewer.language.value
  const present = viewer.members.present.value
  const holder = viewer.stageHold.holder.value?.sessionId
  return (
    <section class="drawer members" aria-label={memberText(language, 'members')}>
      <h2>
        {memberText(language, 'members')} · {present.length}
      </h2>
      {present.length === 0 && <p>{memberText(language, 'nobody')}</p>}
      <ul>
        {present.map(({ sessionId, memberId, role, protocol, colour }) => (
          <li key={sessionId} data-member={memberId}>
            <span class="dot" style={colour === null ? {} : { background: cssColour(colour) }} />
            <span class="name">
              {memberId}
              {sessionId === viewer.sessionId.value && ` (${memberText(language, 'you')})`}
            </span>
            <span class="role">
              {sessionId === holder && `${memberText(language, 'steers')} · `}
              {viewer.voice.speakerOf(sessionId)?.isSpeaking === true && `${memberText(language, 'speaks')} · `}
              {memberText(language, role)}
              {protocol !== 'signaling' && ` · ${protocol.toUpperCase()}`}
            </span>
          </li>
        ))}
      </ul>
      <OwnAccess viewer={viewer} />
    </section>
  )
}
